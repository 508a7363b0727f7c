import { watchingAgents } from '../../access/audience.ts'
import type { WorkCtx } from '../../delivery/worker-context.ts'
import type { Chat } from '../../table/chat/chats.ts'
import { readTags } from '../../table/chat/stored-tags.ts'
import { threadId } from '../../table/ids.ts'

/**
 * Tells of threads whether they have a tag by now, which somebody wanted to change: repeats change nothing
 * for those who know it.
 */
export const announceTag = async (
  ctx: WorkCtx,
  chat: Chat,
  tag: string,
  threads: readonly number[],
): Promise<void> => {
  for (const n of threads) {
    const held = await readTags(ctx.read, { chat: chat.id, n })
    if (held === undefined) continue
    const told = { chat_id: chat.id, thread_id: threadId(chat.id, n), tag }
    if (held.tags.includes(tag)) ctx.push(watchingAgents(chat), 'thread_tagged', told)
    else ctx.push(watchingAgents(chat), 'thread_untagged', told)
  }
}
