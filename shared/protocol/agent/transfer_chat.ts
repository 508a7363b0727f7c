import * as z from 'zod/mini'
import { action } from '../action.ts'
import { atLeast, Flag, GroupId, Id, opt, unique } from '../fields.ts'
import { limits } from '../limits.ts'

const least = atLeast(1, 'Name at least one')
const Target = z.discriminatedUnion('type', [
  z.object({ type: z.literal('agent'), ids: unique(Id, limits.membershipIds).check(least) }),
  z.object({ type: z.literal('group'), ids: unique(GroupId, limits.membershipIds).check(least) }),
])
export type Target = z.output<typeof Target>

export const transferChat = action({
  name: 'transfer_chat',
  summary:
    'Gives an active chat to an agent or to a group in place of its agents; without a target to any free agent of its groups.',
  aliases: { id: 'chat_id' },
  request: z.object({
    chat_id: Id,
    target: opt(Target),
    ignore_agents_availability: opt(Flag),
    ignore_requester_presence: opt(Flag),
  }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  alsoReads: ['loads', 'waitingChats'],
  writes: ['account', 'chat', 'activeChats', 'loads', 'changedChats'],
  pushes: [
    'incoming_chat_thread',
    'incoming_event',
    'chat_users_updated',
    'chat_properties_updated',
    'chat_thread_properties_updated',
    'chat_scopes_updated',
    'chat_transferred',
  ],
  session: 'required',
  reads: ['chat', 'tail'],
  may: 'access',
  tokenScopes: { any: ['chats.meta--chat_scopes:write', 'chats.meta--my:write'] },
  denied: 'You cannot transfer this chat.',
})
