import { hasAccess } from '../access/permissions.ts'
import { customerUser, seenUpTo } from '../chat/view/wire-objects.ts'
import { ProtocolError } from '../protocol/errors.ts'
import type { CustomerUser } from '../protocol/objects.ts'
import type { Chat } from '../table/chat/chats.ts'
import { readChatRecord } from '../table/chat/read-chats.ts'
import { type End, readLast } from '../table/chat/thread-log.ts'
import { type CustomerItem, isErased, readCustomer } from '../table/customers.ts'
import { customerChatId } from '../table/ids.ts'
import type { Reader } from '../table/ops.ts'
import type { Session } from '../table/sockets.ts'

/** A customer as agents look it up: with its chat, where it has one. */
export interface Card {
  customer: CustomerItem
  chat: Chat | undefined
  /** The last entry of the chat's log. */
  last: End | undefined
  /** Up to when (Unix seconds) users have marked the chat as seen. */
  marks: ReadonlyMap<string, number> | undefined
}

/**
 * Reads a customer's card for an agent, in one round. Throws `not_found` for one that is not stored or was
 * erased, and `authorization` with the sentence `denied` where the agent has no access to its chat. One that
 * never chatted is every agent's to see.
 */
export const readCard = async (read: Reader, me: Session, id: string, denied: string): Promise<Card> => {
  const chatId = customerChatId(me.license_id, id)
  const [customer, record, last] = await Promise.all([
    readCustomer(read, me.license_id, id),
    readChatRecord(read, chatId),
    readLast(read, chatId, true),
  ])
  if (customer === undefined || isErased(customer)) throw new ProtocolError('not_found')
  const chat = record?.chat
  if (chat !== undefined && !hasAccess(me, chat))
    throw new ProtocolError('authorization', { message: denied })
  return { customer, chat, last, marks: record?.seen }
}

/** A customer as agents are shown it in its chat. */
export const showCustomer = ({ customer, chat, last, marks }: Card): CustomerUser => {
  const { id } = customer
  const user = chat?.users.find((one) => one.id === id && one.type === 'customer')
  return customerUser(user ?? { id, present: false }, customer, seenUpTo(marks, last).get(id))
}
