import type { WorkCtx } from '../../delivery/worker-context.ts'
import type { Momentary } from '../../jobs/job-queue.ts'
import { readChat } from '../../table/chat/chats.ts'
import { countedChat, readPending } from '../../table/counters.ts'
import { customerChatId } from '../../table/ids.ts'
import { announceSneakPeek, announceTyping } from './momentary.ts'

/** Tells the last that a customer has shown of itself and that was put off, while it is in its chat. */
export const announcePending = async (
  ctx: WorkCtx,
  { license_id, customer_id, action }: { license_id: string; customer_id: string; action: Momentary },
): Promise<void> => {
  const id = customerChatId(license_id, customer_id)
  const [pending, chat] = await Promise.all([
    readPending(ctx.read, countedChat(id), action),
    readChat(ctx.read, id),
  ])
  const isIn = chat?.users.some((user) => user.id === customer_id && user.type === 'customer' && user.present)
  if (pending === undefined || chat === undefined || isIn !== true) return
  if (action === 'send_typing_indicator') announceTyping(ctx, chat, customer_id, pending === true)
  else if (typeof pending === 'string') announceSneakPeek(ctx, chat, customer_id, pending)
}
