import { announceThreadStarted } from '../../shared/chat/announce/thread-started.ts'
import { withSuccessors } from '../../shared/chat/deleted-names.ts'
import { filledScopes } from '../../shared/chat/scopes.ts'
import { startChat as start } from '../../shared/chat/start/start-chat.ts'
import { startChat } from '../../shared/protocol/agent/start_chat.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

// either place may be filled: an empty one must not hide the other, least of all scopes, without which all
// may read
const firstFilled = <T>(isEmpty: (value: T) => boolean, ...places: (T | undefined)[]): T | undefined =>
  places.find((value) => value !== undefined && !isEmpty(value))

export const handler = serveBoth(startChat, async (ctx, { initial_events, chat: asked }) => {
  const asScopes = firstFilled(
    ({ groups = [], agents = [] }) => groups.length + agents.length === 0,
    asked?.scopes,
    asked?.thread?.scopes,
  )
  const started = await withSuccessors(ctx, [filledScopes(asScopes)], (scopes = filledScopes()) =>
    start(ctx, {
      events: firstFilled(({ length }) => length === 0, initial_events, asked?.thread?.events) ?? [],
      scopes,
      properties: asked?.properties,
      threadProperties: asked?.thread?.properties,
      customer: asked?.users?.[0]?.id,
      denied: startChat.denied,
    }),
  )
  return { chat: await announceThreadStarted(ctx, started) }
})
