import { readChatIds, readChats } from '../../../shared/table/chat/read-chats.ts'
import type { Table } from '../../../shared/table/client.ts'
import { CustomerItem } from '../../../shared/table/customers.ts'
import { keys } from '../../../shared/table/keys.ts'
import { portionsOf } from './paging.ts'

/** How many chats or customers are in memory and under way together. */
const atOnce = 500

/** Every customer that is or was in a chat of the license, by id. */
export async function listCustomers({ read }: Table, license: string): Promise<CustomerItem[]> {
  const ids = new Set<string>()
  for (const some of portionsOf(await readChatIds(read, license), atOnce))
    for (const { chat } of await readChats(read, some))
      for (const { id, type } of chat.users) if (type === 'customer') ids.add(id)
  const customers: CustomerItem[] = []
  for (const some of portionsOf([...ids].toSorted(), atOnce)) {
    const found = await read.batchGet(
      some.map((id) => keys.customer(license, id)),
      { strong: true },
    )
    customers.push(...found.map((item) => CustomerItem.parse(item)))
  }
  return customers.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}
