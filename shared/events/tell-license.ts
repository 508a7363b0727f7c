import { pushErased } from '../account/customer-erased.ts'
import { everyAgent } from '../access/audience.ts'
import { announceCustomerUpdated } from '../chat/announce/customer-updated.ts'
import { queueWith } from '../chat/view/queue.ts'
import { deadlines } from '../protocol/limits.ts'
import { readChat } from '../table/chat/chats.ts'
import { parsePositions, readWaits } from '../table/chat/queue.ts'
import { readLast } from '../table/chat/thread-log.ts'
import { CustomerItem } from '../table/customers.ts'
import { parseErased } from '../table/erasing.ts'
import { customerChatId, threadId } from '../table/ids.ts'
import type { Attributes } from '../table/ops.ts'
import type { StreamChange } from './stream-change.ts'
import type { Telling } from './tell-chat.ts'

/** What agents are shown of a customer that its own requests, an agent's and its going change. */
const shown = [
  'name',
  'email',
  'properties',
  'visit',
  'visits',
  'page_views',
  'last_visit',
  'online',
] as const

const inOrder = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value

const differ = (before: Attributes, after: Attributes, fields: readonly string[]): boolean =>
  fields.some((field) => JSON.stringify(before[field], inOrder) !== JSON.stringify(after[field], inOrder))

/**
 * Tells of a customer that was banned, or is banned no more, was erased, or is shown otherwise. One that is
 * stored just now has no chat yet.
 */
export const tellCustomer = async (ctx: Telling, { before, after }: StreamChange): Promise<void> => {
  if (before === undefined || after === undefined) return
  const [was, is] = [parseErased(before), parseErased(after)]
  if (is !== undefined) {
    if (was === undefined) pushErased(ctx, is)
    return
  }
  const customer = CustomerItem.parse(after)
  const { license_id, id: customer_id, ban } = customer
  if (differ(before, after, ['ban', 'ban_nonce'])) {
    const to = everyAgent(license_id)
    if (ban !== undefined) ctx.push(to, 'customer_banned', { customer_id, ban: { days: ban.days } })
    else ctx.push(to, 'customer_unbanned', { customer_id })
  }
  if (differ(before, after, shown)) await tellDetails(ctx, customer)
}

/**
 * Agents are told while its chat is active: one that was closed since counts as that. A request that closes
 * one notes when it was about to, which its write may follow by all the time that it has.
 */
const tellDetails = async (ctx: Telling, customer: CustomerItem): Promise<void> => {
  const id = customerChatId(customer.license_id, customer.id)
  const [chat, last] = await Promise.all([readChat(ctx.read, id), readLast(ctx.read, id, true)])
  if (chat === undefined) return
  const closedAtLast = last === undefined ? 0 : last.at + deadlines.abortMs
  const active = chat.active || closedAtLast >= customer.changed_at
  await announceCustomerUpdated(ctx, customer, { known: { chat: { ...chat, active }, last } })
}

const chatsPerPush = 500

/** Tells the positions of waiting chats that were told last, where they are others. */
export const tellQueueChange = async (
  ctx: Telling,
  license: string,
  { before, after }: StreamChange,
): Promise<void> => {
  const [was, is] = [parsePositions(before), parsePositions(after)]
  const moved = Object.entries(is).filter(([chat, place]) => was[chat]?.join() !== place.join())
  if (moved.length === 0) return
  const waits = await readWaits(ctx.read, license)
  const shown = moved.map(([chat_id, [n, position, since]]) => ({
    chat_id,
    thread_id: threadId(chat_id, n),
    queue: queueWith(position, since, waits),
  }))
  for (let from = 0; from < shown.length; from += chatsPerPush)
    ctx.push(everyAgent(license), 'queue_positions_updated', shown.slice(from, from + chatsPerPush))
}
