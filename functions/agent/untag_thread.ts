import { watchingAgents } from '../../shared/access/audience.ts'
import { changeTags } from '../../shared/chat/change-tags.ts'
import { whileBotIsIn } from '../../shared/chat/guards.ts'
import { untagThread } from '../../shared/protocol/agent/untag_thread.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(untagThread, async (ctx, { chat_id, thread_id, tag }) => {
  const changed = await changeTags(ctx, { tag, isWanted: false }, whileBotIsIn(ctx))
  if (changed === undefined) return
  const { chat, ...tags } = changed
  ctx.push(watchingAgents(chat), 'thread_untagged', { chat_id, thread_id, tag, ...tags })
})
