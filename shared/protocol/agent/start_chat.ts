import * as z from 'zod/mini'
import { action } from '../action.ts'
import { NewInitialEvent } from '../events.ts'
import { atMost, opt, Scopes } from '../fields.ts'
import { limits } from '../limits.ts'
import { ChatWithThread } from '../objects.ts'
import { OptionalProperties } from '../properties.ts'

const InitialEvents = opt(
  z
    .array(NewInitialEvent)
    .check(atMost(limits.initialEvents, `At most ${limits.initialEvents} initial events`)),
)

export const startChat = action({
  name: 'start_chat',
  summary: 'Starts a chat with the requester in it.',
  request: z.object({
    initial_events: InitialEvents,
    chat: opt(
      z.object({
        properties: OptionalProperties,
        scopes: opt(Scopes),
        thread: opt(z.object({ events: InitialEvents, properties: OptionalProperties, scopes: opt(Scopes) })),
      }),
    ),
  }),
  response: z.strictObject({ chat: ChatWithThread }),
  needs: ['read', 'write', 'push'],
  pushes: ['incoming_chat_thread'],
  session: 'required',
  reads: [],
  tokenScopes: { any: ['chats.meta--chat_scopes:write'] },
  denied: 'You do not have permission to perform this action.',
})
