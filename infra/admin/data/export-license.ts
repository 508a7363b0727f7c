import { seenUpTo } from '../../../shared/chat/view/wire-objects.ts'
import type { Family } from '../../../shared/protocol/action.ts'
import type { LicenseRecord } from '../../../shared/provisioning/change-license.ts'
import { AgentItem, GroupItem } from '../../../shared/table/accounts.ts'
import { readChatIdsAfter, readChatRecord } from '../../../shared/table/chat/read-chats.ts'
import { isHead, parseEntry, parseHead, readLast } from '../../../shared/table/chat/thread-log.ts'
import { CustomerItem, readCustomer } from '../../../shared/table/customers.ts'
import { DeviceItem } from '../../../shared/table/devices.ts'
import { customerChatId } from '../../../shared/table/ids.ts'
import { isCustomerKey } from '../../../shared/table/key-parts.ts'
import {
  agentPrefix,
  behind,
  chatPk,
  customerSocketsPk,
  devicePrefix,
  groupPrefix,
  keys,
  licensePk,
  logPrefix,
  type Pk,
  socketsPk,
} from '../../../shared/table/keys.ts'
import type { Attributes, Reader } from '../../../shared/table/ops.ts'
import { SocketItem } from '../../../shared/table/sockets.ts'
import { ofCustomers, type Scan } from '../cli/scan.ts'
import {
  agentRecord,
  chatRecord,
  connectionRecord,
  customerRecord,
  deviceRecord,
  eventRecord,
  type ExportRecord,
  groupRecord,
  licenseRecord,
  threadRecord,
} from './export-records.ts'
import { eachOf } from './paging.ts'

type Records = AsyncGenerator<ExportRecord>

const itemsAtOnce = 100
const idsAtOnce = 1000
// sorts behind every other character
const lastCharacter = '\u{10ffff}'

/** The items of a partition whose sort keys begin so. Strongly consistent. */
const eachItem = (read: Reader<Family>, pk: Pk, prefix: string): AsyncGenerator<Attributes> =>
  eachOf(itemsAtOnce, (after) => {
    const from = after === undefined ? prefix : behind(String(after['sk']))
    return read.query({ pk, from, to: `${prefix}${lastCharacter}`, limit: itemsAtOnce, strong: true })
  })

/** The chat with its threads and their events, in their order; nothing where there is no such chat. */
async function* chatRecords(read: Reader<Family>, id: string): Records {
  const [chat, last] = await Promise.all([readChatRecord(read, id), readLast(read, id, true)])
  if (chat === undefined) return
  yield chatRecord({ ...chat, seen: seenUpTo(chat.seen, last) })
  for await (const item of eachItem(read, chatPk(id), logPrefix))
    yield isHead(item) ? threadRecord(id, parseHead(item)) : eventRecord(id, parseEntry(item))
}

async function* connectionRecords(read: Reader<Family>, rows: readonly Attributes[]): Records {
  const found = await read.batchGet(
    rows.map(({ connection }) => keys.socket(String(connection))),
    { strong: true },
  )
  for (const item of found) yield connectionRecord(SocketItem.parse(item))
}

/** All that is stored of a customer. A customer has one chat. */
export async function* customerRecords(read: Reader<Family>, license: string, id: string): Records {
  const customer = await readCustomer(read, license, id)
  if (customer !== undefined) yield customerRecord(customer)
  yield* connectionRecords(read, await read.query({ pk: customerSocketsPk(license, id), strong: true }))
  yield* chatRecords(read, customerChatId(license, id))
}

/**
 * All that is stored of a license. Customers are found by reading the whole table: no list has those without
 * a chat.
 */
export async function* licenseRecords(read: Reader<Family>, scan: Scan, license: LicenseRecord): Records {
  yield licenseRecord(license)
  const { id } = license
  const own = licensePk(id)
  for await (const item of eachItem(read, own, groupPrefix)) yield groupRecord(GroupItem.parse(item))
  for await (const item of eachItem(read, own, agentPrefix)) yield agentRecord(AgentItem.parse(item))
  for await (const item of eachItem(read, own, devicePrefix)) yield deviceRecord(DeviceItem.parse(item))
  yield* connectionRecords(read, await read.query({ pk: socketsPk(id), strong: true }))
  for await (const page of scan(ofCustomers(id))) {
    for (const item of page.filter(isCustomerKey)) yield customerRecord(CustomerItem.parse(item))
    yield* connectionRecords(
      read,
      page.filter((item) => !isCustomerKey(item)),
    )
  }
  const chats = eachOf(idsAtOnce, (after: string | undefined) => readChatIdsAfter(read, id, after, idsAtOnce))
  for await (const chat of chats) yield* chatRecords(read, chat)
}
