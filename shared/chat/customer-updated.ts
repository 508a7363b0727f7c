import { agentsWatching } from '../push/audience.ts'
import type { Pushing } from '../push/outbox.ts'
import { type Chat, readChat, readSeen } from '../table/chats.ts'
import type { CustomerItem } from '../table/customers.ts'
import { customerChatId } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'
import { customerUser } from './views.ts'

/** Tells the agents who see a customer's active chat what is known of it now; nobody where it has none. */
export const tellCustomer = async (
  ctx: Pushing<'customer_updated'> & { read: Reader },
  customer: CustomerItem,
  /** Its chat, where that was read just now. */
  known?: Chat,
): Promise<void> => {
  const { license_id, id } = customer
  const chat = known ?? (await readChat(ctx.read, customerChatId(license_id, id)))
  const user = chat?.users.find((one) => one.id === id && one.type === 'customer')
  if (chat?.active !== true || user === undefined) return
  ctx.readAudience({ license_id })
  const seen = await readSeen(ctx.read, [{ id: chat.id, users: [user] }])
  ctx.push(agentsWatching(chat), 'customer_updated', {
    chat_id: chat.id,
    customer: customerUser(user, customer, seen.get(chat.id)?.get(id)),
  })
}
