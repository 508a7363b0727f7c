import { watchingAgents } from '../access/audience.ts'
import { pushClosing } from '../chat/announce/entries.ts'
import { enqueueRoutingAfterClosing } from '../chat/enqueue-routing.ts'
import type { Pushing } from '../delivery/outbox.ts'
import type { WorkCtx } from '../delivery/worker-context.ts'
import type { ErasedCustomer } from '../table/erasing.ts'

/** Tells that an erased customer's active thread was closed, and that its chat is gone. */
export const pushErased = (
  ctx: Pushing<'incoming_event' | 'thread_closed' | 'chat_deleted'>,
  { closing, chat }: Pick<ErasedCustomer, 'closing' | 'chat'>,
): void => {
  if (closing !== undefined) pushClosing(ctx, { ...closing, by: undefined })
  if (chat !== undefined) ctx.push(watchingAgents(chat), 'chat_deleted', { chat_id: chat.id })
}

/**
 * A customer's data are being erased: those who saw its active thread are told that it was closed, and agents
 * who had access to its chat that it is gone. `erased` is what the stream says: the table may hold nothing of
 * the chat any more. May run twice.
 */
export const announceErased = async (ctx: WorkCtx, erased: ErasedCustomer): Promise<void> => {
  pushErased(ctx, erased)
  if (erased.closing !== undefined) await enqueueRoutingAfterClosing(ctx, erased.closing.chat)
}
