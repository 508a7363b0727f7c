import { pushScopesChange, pushTransferred } from '../../shared/chat/announce/transferred.ts'
import { announceUsersChanged } from '../../shared/chat/announce/users-changed.ts'
import { enqueueGained } from '../../shared/chat/enqueue-catch-up.ts'
import { enqueueRouting } from '../../shared/chat/enqueue-routing.ts'
import { transfer } from '../../shared/chat/transfer.ts'
import { readQueueNow } from '../../shared/chat/view/queue.ts'
import { transferChat } from '../../shared/protocol/agent/transfer_chat.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(transferChat, async (ctx, request) => {
  const { license_id } = ctx.me
  const changed = await transfer(ctx, request, transferChat.denied)
  const { before, chat, tail } = changed
  if (chat === before) return
  const [queue] = await Promise.all([
    readQueueNow(ctx.read, license_id, chat),
    announceUsersChanged(ctx, changed),
  ])
  pushScopesChange(ctx, before, chat)
  pushTransferred(ctx, before, chat, queue)
  if (request.target?.type === 'group')
    await enqueueGained(ctx, before, { id: chat.id, thread: tail.n, order: tail.m, version: chat.version })
  // the chat may wait, and an agent who left it may take another
  await enqueueRouting(ctx, license_id, chat.id)
})
