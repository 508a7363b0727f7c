import { watchingAgents } from '../../access/audience.ts'
import type { WorkCtx } from '../../delivery/worker-context.ts'
import type { Chat } from '../../table/chat/chats.ts'
import { readTags } from '../../table/chat/stored-tags.ts'
import { threadId } from '../../table/ids.ts'

/**
 * Tells of the tag that a request was to change as each thread has it, or has it not, by now: a repeat
 * changes nothing for readers who know it.
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
    const { tags, version } = held
    const told = { chat_id: chat.id, thread_id: threadId(chat.id, n), tag, tags, version }
    ctx.push(watchingAgents(chat), tags.includes(tag) ? 'thread_tagged' : 'thread_untagged', told)
  }
}
