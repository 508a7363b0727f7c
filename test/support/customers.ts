import {
  type Chat,
  listActiveChat,
  type ChatScopes,
  putChatListing,
  putNewChat,
} from '../../shared/table/chat/chats.ts'
import { type ChatUser } from '../../shared/table/chat/chat-users.ts'
import { type CustomerItem, readCustomer } from '../../shared/table/customers.ts'
import { keys } from '../../shared/table/keys.ts'
import { customerChatId } from '../../shared/table/ids.ts'
import { type StoredEvent } from '../../shared/table/chat/thread-log.ts'
import { putEntry, putHead, newHead, nextEntries } from '../../shared/table/chat/log-entries.ts'
import type { World } from './world.ts'

// Customers have no endpoint of their own here: what is known of them is put into the table as their actions
// would.

/** Makes a customer known to a license. */
export const addCustomer = async (
  { table }: World,
  license_id: string,
  id: string,
  fields: Partial<CustomerItem> = {},
): Promise<void> => {
  const Item = { ...keys.customer(license_id, id), id, license_id, ...fields }
  await table.write.write({ Put: { Item, ConditionExpression: 'attribute_not_exists(pk)' } })
}

export const customerItem = ({ table }: World, license: string, id: string) =>
  readCustomer(table.read, license, id)

/** Starts a customer's chat with an active thread of these messages of its; resolves to its id. */
export const startCustomerChat = async (
  { table }: World,
  license_id: string,
  customer: string,
  options: { users?: ChatUser[]; scopes?: Partial<ChatScopes>; texts?: string[]; tags?: string[] } = {},
): Promise<string> => {
  const at = Date.now()
  const nonce = `start-${customer}`
  const chat: Chat = {
    id: customerChatId(license_id, customer),
    license_id,
    users: [{ id: customer, type: 'customer', present: true, met: true }, ...(options.users ?? [])],
    scopes: { groups: [], agents: [], ...options.scopes },
    version: 1,
    thread: 1,
    active: true,
    changed_at: at,
    started_at: at,
    nonce,
  }
  const userIds = chat.users.filter(({ present }) => present).map(({ id }) => id)
  const { tags } = options
  const head = { ...newHead({ n: 1, nonce, version: 1, at, userIds }), tags }
  const events = (options.texts ?? ['hello']).map((text): StoredEvent => ({
    type: 'message',
    text,
    author_id: customer,
  }))
  const entries = nextEntries({ n: 1, m: 0, last: head }, events, { nonce, version: 1, at })
  const refusals = await table.write.transact([
    putNewChat(chat),
    putHead(chat.id, head),
    ...entries.map((entry) => putEntry(chat.id, entry)),
    listActiveChat(chat),
    putChatListing(chat),
  ])
  if (refusals.length > 0) throw new Error(`The chat of ${customer} did not start`)
  return chat.id
}
