import { appendEvent } from '../../shared/chat/threads.ts'
import { showChat } from '../../shared/chat/show.ts'
import { sendEvent } from '../../shared/protocol/agent/send_event.ts'
import { watching } from '../../shared/push/audience.ts'
import { serve } from '../../shared/runtime/serve.ts'
import { threadId } from '../../shared/table/keys.ts'
import { eventOf, readHead } from '../../shared/table/log.ts'

// the first sender of a replayed event may have died before its pushes; its own retry within this time has not
const replayedAfterMs = 2000

export const handler = serve(sendEvent, async (ctx, { event }) => {
  const { outcome, chat, entry, head, events } = await appendEvent(ctx, event, sendEvent.denied)
  const answer = { thread_id: threadId(chat.id, entry.n), event: eventOf(chat.id, entry) }
  const late = outcome === 'replayed' && (entry.nonce === ctx.nonce || ctx.now() - entry.at > replayedAfterMs)
  const incoming = () => ctx.push(watching(chat), 'incoming_event', { chat_id: chat.id, ...answer })

  if (outcome === 'appended') incoming()
  if (outcome === 'started' || (late && entry.m === 1)) {
    ctx.readAudience(chat.license_id)
    const opened = head ?? (await readHead(ctx.read, chat.id, entry.n))
    if (opened?.nonce === entry.nonce) {
      const { shown } = await showChat(ctx.read, { chat, head: opened, events })
      ctx.push(watching(chat), 'incoming_chat_thread', { chat: shown })
    }
  }
  if (late) incoming()
  return answer
})
