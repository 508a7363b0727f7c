import { watchingAgents } from '../../shared/access/audience.ts'
import { changeTags } from '../../shared/chat/change-tags.ts'
import { whileBotIsIn } from '../../shared/chat/guards.ts'
import { tagThread } from '../../shared/protocol/agent/tag_thread.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(tagThread, async (ctx, { chat_id, thread_id, tag }) => {
  const changed = await changeTags(ctx, { tag, isWanted: true }, whileBotIsIn(ctx))
  if (changed === undefined) return
  const { chat, ...tags } = changed
  ctx.push(watchingAgents(chat), 'thread_tagged', { chat_id, thread_id, tag, ...tags })
})
