import { aboutCustomer } from '../push/audience.ts'
import type { Pushing } from '../push/outbox.ts'
import { type Chat, readChat, readSeen } from '../table/chats.ts'
import type { CustomerItem } from '../table/customers.ts'
import { customerChatId } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'
import { customerUser } from './views.ts'

/**
 * Tells what is known of a customer now: the agents who see its chat, where that is active, and its own connections.
 * `known`: its chat, where that was read just now. `tabs`: all of its connections but one; absent: none.
 */
export const tellCustomer = async (
  ctx: Pushing<'customer_updated'> & { read: Reader },
  customer: CustomerItem,
  { known, tabs }: { known?: { chat: Chat | undefined }; tabs?: { but?: string } | undefined },
): Promise<void> => {
  const { license_id, id } = customer
  const chat_id = customerChatId(license_id, id)
  const { chat } = known ?? { chat: await readChat(ctx.read, chat_id) }
  const user = chat?.users.find((one) => one.id === id && one.type === 'customer')
  const isActive = chat?.active === true && user !== undefined
  if (!isActive && tabs === undefined) return
  if (isActive) ctx.readAudience({ license_id, users: tabs === undefined ? [] : [user] })
  const seen = isActive ? await readSeen(ctx.read, [{ id: chat_id, users: [user] }]) : undefined
  ctx.push(aboutCustomer(customer, isActive ? chat : undefined, tabs), 'customer_updated', {
    chat_id,
    customer: customerUser(user ?? { id, present: false }, customer, seen?.get(chat_id)?.get(id)),
  })
}
