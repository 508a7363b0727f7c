import { aboutCustomer } from '../../access/audience.ts'
import type { Pushing } from '../../delivery/outbox.ts'
import type { Reads } from '../../table/capabilities.ts'
import { type Chat, readChat } from '../../table/chat/chats.ts'
import { readSeen } from '../../table/chat/read-chats.ts'
import { readLast, type Tail } from '../../table/chat/thread-log.ts'
import type { CustomerItem } from '../../table/customers.ts'
import { customerChatId } from '../../table/ids.ts'
import type { Reader } from '../../table/ops.ts'
import { customerUser, seenUpTo } from '../view/wire-objects.ts'

/** A customer's chat, where it has one, and the end of its log. */
interface Known {
  chat: Chat | undefined
  last: Tail['last'] | undefined
}

const readKnown = async (read: Reader, id: string): Promise<Known> => {
  const [chat, last] = await Promise.all([readChat(read, id), readLast(read, id, true)])
  return { chat, last }
}

/**
 * Tells what is known of a customer now: the agents who see its chat, where that is active, and its own
 * connections. `known`: its chat, where that was read just now. `tabs`: all of its connections but one;
 * absent: none.
 */
export const announceCustomerUpdated = async (
  ctx: Pushing<'customer_updated'> & Reads,
  customer: CustomerItem,
  { known, tabs }: { known?: Known; tabs?: { but?: string } | undefined },
): Promise<void> => {
  const { license_id, id } = customer
  const chat_id = customerChatId(license_id, id)
  const { chat, last } = known ?? (await readKnown(ctx.read, chat_id))
  const user = chat?.users.find((one) => one.id === id && one.type === 'customer')
  const isActive = chat?.active === true && user !== undefined
  if (!isActive && tabs === undefined) return
  const to = aboutCustomer(customer, isActive ? chat : undefined, tabs)
  if (isActive) ctx.prefetchAudience(to, 'customer_updated')
  const marks = isActive ? await readSeen(ctx.read, [{ id: chat_id, users: [user] }]) : undefined
  const seen = seenUpTo(marks?.get(chat_id), last).get(id)
  ctx.push(to, 'customer_updated', {
    chat_id,
    customer: customerUser(user ?? { id, present: false }, customer, seen),
  })
}
