import { removePosition } from '../../../shared/table/chat/queue.ts'
import { removeWaitingChat } from '../../../shared/table/chat/waiting-chats.ts'
import { randomBytes } from 'node:crypto'
import { customerTokenS } from '../../../shared/account/customer-tokens.ts'
import { withUser } from '../../../shared/archive/index/lists.ts'
import { adjustLoads } from '../../../shared/chat/agent-load.ts'
import { planClosing } from '../../../shared/chat/close-thread.ts'
import { manualArchived } from '../../../shared/chat/system-messages.ts'
import type { Family } from '../../../shared/protocol/action.ts'
import { conflict, retryOnConflict } from '../../../shared/provisioning/retries.ts'
import { putChangedChat } from '../../../shared/table/chat/changed-chats.ts'
import { readChat, requireNoChat, unlistActiveChat } from '../../../shared/table/chat/chats.ts'
import { putEntry } from '../../../shared/table/chat/log-entries.ts'
import { readTail } from '../../../shared/table/chat/thread-log.ts'
import type { Table } from '../../../shared/table/client.ts'
import { type CustomerItem, readCustomer } from '../../../shared/table/customers.ts'
import { forgetSocket } from '../../../shared/table/end-session.ts'
import {
  type ErasedCustomer,
  readErased,
  removeChat,
  removeErasure,
  setErased,
} from '../../../shared/table/erasing.ts'
import { customerChatId } from '../../../shared/table/ids.ts'
import {
  addressPk,
  chatCounterPk,
  customerSocketsPk,
  keys,
  marksPk,
  type Pk,
} from '../../../shared/table/keys.ts'
import type { Attributes, Op, Reader, Writer } from '../../../shared/table/ops.ts'
import { isConsistentSnapshot } from '../../../shared/table/optimistic-write.ts'
import { SocketItem } from '../../../shared/table/sockets.ts'
import { remove } from '../../../shared/table/update.ts'

/** Whose name stands in the last message of a thread that ends so. */
const closer = 'The operator'
// a token may have been signed by a clock that runs ahead
const slackS = 24 * 3600

export const tokensEndS = (nowMs: number): number => Math.ceil(nowMs / 1000) + customerTokenS + slackS

/**
 * Takes a customer away, in one transaction: what is known of it, its chat's own item and, closed before, its
 * active thread. From then on nothing begins on the chat, and nobody logs in as the customer. Resolves to how
 * it is erased, also where it was before; undefined where there is nothing of it.
 */
export const lockCustomer = async (
  table: Table,
  license: string,
  customer: string,
  now: () => number,
): Promise<ErasedCustomer | undefined> => {
  const id = customerChatId(license, customer)
  const nonce = randomBytes(6).toString('base64url')
  return retryOnConflict<ErasedCustomer | undefined>(async () => {
    const [erased, item, chat, tail, sockets] = await Promise.all([
      readErased(table.read, license, customer),
      readCustomer(table.read, license, customer),
      readChat(table.read, id),
      readTail(table.read, id, true),
      socketsOf(table.read, license, customer),
    ])
    if (erased !== undefined) return erased
    if (item === undefined && chat === undefined && sockets.length === 0) return undefined
    if (chat !== undefined && (tail === undefined || !isConsistentSnapshot({ chat, tail }))) return conflict
    await forgetCounts(table, id, item, sockets)
    const nowMs = now()
    const closing =
      chat?.active === true && tail !== undefined
        ? planClosing({ chat, tail }, undefined, () => manualArchived(closer, false), { nonce, at: nowMs })
        : undefined
    const ops: Op[] = [
      putChangedChat({ license_id: license, id }, nowMs),
      setErased(license, customer, { nowMs, untilS: tokensEndS(nowMs), closing, chat }),
      chat === undefined ? requireNoChat(id) : removeChat(chat),
      // one whose thread was closed of late is still listed
      unlistActiveChat({ license_id: license, id }),
      ...(chat === undefined || closing === undefined
        ? []
        : [putEntry(id, closing.entry), ...adjustLoads(chat, closing.chat).map(({ op }) => op)]),
    ]
    if ((await table.write.transact(ops)).length > 0) return conflict
    return { erasedAt: nowMs, erasing: true, closing, chat: closing?.chat ?? chat }
  })
}

/** Deletes the rest, once nothing is under way on it any more, but for its chat. May run again. */
export const eraseRest = async (
  { read, write }: { read: Reader<Family>; write: Writer },
  license: string,
  customer: string,
): Promise<void> => {
  const rows = await read.query({ pk: customerSocketsPk(license, customer), strong: true })
  for (const row of rows)
    await forgetSocket(write, String(row['sk']), { license_id: license, customer_id: customer })
  await write.write(removeWaitingChat(license, customerChatId(license, customer)))
  await write.write(removePosition(license, customerChatId(license, customer)))
  // of months also in which it is in no thread: whoever searched for it had them counted
  await deletePartition({ read, write }, marksPk(license, withUser(customer)))
  await write.write(removeErasure(license, customer))
}

export const deletePartition = async (
  { read, write }: { read: Reader<Family>; write: Writer },
  pk: Pk,
): Promise<void> => {
  const items = await read.query({ pk, strong: true, only: 'sk' })
  await write.batch(items.map(({ sk }) => remove({ pk, sk: String(sk) })))
}

const socketsOf = async (read: Reader, license: string, customer: string): Promise<Attributes[]> => {
  const rows = await read.query({ pk: customerSocketsPk(license, customer), strong: true })
  return read.batchGet(
    rows.map((row) => keys.socket(String(row['sk']))),
    { strong: true },
  )
}

/** Deletes how often it and its addresses have asked for something in these minutes. */
const forgetCounts = async (
  table: Table,
  chat: string,
  customer: CustomerItem | undefined,
  sockets: readonly Attributes[],
): Promise<void> => {
  const ips = [customer?.visit?.ip, ...sockets.map((socket) => SocketItem.parse(socket).visitor?.ip)].filter(
    (ip) => ip !== undefined,
  )
  for (const pk of new Set([chatCounterPk(chat), ...ips.map(addressPk)])) await deletePartition(table, pk)
}
