import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Device } from '../device-fields.ts'
import { atMost, cutTo, Flag, lenient, opt } from '../fields.ts'
import { limits } from '../limits.ts'
import { pushKindOf, pushKinds } from '../push-kinds.ts'
import { ChatSummary, Colleague, Group, License, MyProfile } from '../objects.ts'

const known = Object.keys(pushKinds)
const unknownName = `Unknown push. Known are: ${known.join(', ')}`

/** The pushes that a connection wants; it is always told when it is closed. */
const PushNames = z
  .array(z.string().check(z.refine((name) => pushKindOf(name) !== undefined, unknownName)))
  .check(atMost(known.length, `Too many: at most ${known.length}`))

export const login = action({
  name: 'login',
  summary: 'Logs an agent in on this connection and returns its initial state.',
  request: z.object({
    // protocol §5: absent or not a string is `auth`, which only the handler can answer
    token: z.optional(
      z.unknown().register(z.globalRegistry, {
        description: 'Required: the access token, a signed JWT, with or without "Bearer " before it.',
      }),
    ),
    reconnect: opt(Flag),
    push_notifications: opt(Device),
    pushes: opt(PushNames),
    chats: opt(z.enum(['accessible', 'my'], 'Must be "accessible" or "my"')),
    application: lenient(
      z.object({
        name: lenient(cutTo(limits.nameBytes)),
        version: lenient(cutTo(limits.nameBytes)),
      }),
    ),
  }),
  response: z.strictObject({
    license: License,
    my_profile: MyProfile,
    chats_summary: z.array(ChatSummary),
    agents: z.array(Colleague),
    groups: z.array(Group),
    cursor: z.string(),
  }),
  needs: ['read', 'push', 'fan_out'],
  alsoReads: ['identity', 'device', 'activeChats'],
  writes: ['account', 'device', 'socket', 'agentSockets', 'audience'],
  pushes: ['agent_updated'],
  session: 'login',
  socketOnly: true,
  reads: [],
})
