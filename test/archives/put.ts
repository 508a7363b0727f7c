import pLimit from 'p-limit'
import { indexChat } from '../../shared/archive/index/index-chat.ts'
import { threadLists } from '../../shared/archive/index/lists.ts'
import { putManifest } from '../../shared/table/archive/manifests.ts'
import type { Table } from '../../shared/table/client.ts'
import { type Key, keys } from '../../shared/table/keys.ts'
import { threadId } from '../../shared/table/ids.ts'
import type { Attributes, Op } from '../../shared/table/ops.ts'
import { chatOps } from './generated.ts'
import { type ChatModel, indexOf } from './naive.ts'

const opsAtOnce = 1000

/**
 * Puts what is not there yet: without the conditions that guard it against others, and chats before what
 * stands beside them, since nobody finds a thread without its chat.
 */
export const putAll = async ({ write }: Table, ops: readonly Op[]): Promise<void> => {
  const puts = ops.map((op): Extract<Op, { Put: unknown }> => {
    if (!('Put' in op)) throw new Error('Only puts')
    return { Put: { Item: op.Put.Item } }
  })
  const isChat = ({ Put: { Item } }: (typeof puts)[number]) => Item.sk === keys.chat('').sk
  for (const some of [puts.filter(isChat), puts.filter((put) => !isChat(put))])
    for (let i = 0; i < some.length; i += opsAtOnce) await write.batch(some.slice(i, i + opsAtOnce))
}

/** What must stand in the index of chats, or of their lists that are named. */
export const postingOps = (
  license: string,
  chats: readonly ChatModel[],
  isNamed: (pk: string) => boolean = () => true,
): Op[] =>
  indexOf(license, chats).flatMap((posting) => {
    const [pk = '', sk = ''] = posting.split(' ')
    return isNamed(pk) ? [{ Put: { Item: { pk, sk } as Key & Attributes } }] : []
  })

/**
 * Puts chats, with their place in the index as it must be; what the product notes of it beside them is not
 * there.
 */
export const putArchived = (table: Table, license: string, chats: readonly ChatModel[]): Promise<void> =>
  putAll(table, [...chats.flatMap((chat) => chatOps(license, chat)), ...postingOps(license, chats)])

/** What the product notes of the threads of a chat that it has indexed, but for their words. */
export const manifestOps = ({ id, users, scopes, threads }: ChatModel): Op[] =>
  threads.map(({ n, at, userIds, properties, tags = [] }) => {
    const lists = threadLists(
      { users: [...users], scopes },
      { user_ids: userIds, properties, tags: [...tags] },
    )
    const indexedState = { at, id: threadId(id, n), lists }
    return putManifest(
      id,
      { n, version: 0 },
      { indexedState, pendingStates: [], leaseUntil: 0, nonce: 'put', followed: 0 },
    )
  })

/** Puts chats and has the product index them. One by one they take the longest. */
export const putAndIndex = async (
  table: Table,
  license: string,
  chats: readonly ChatModel[],
): Promise<void> => {
  await putAll(
    table,
    chats.flatMap((chat) => chatOps(license, chat)),
  )
  const ctx = {
    ...table,
    now: () => Date.now(),
    endsAt: Date.now() + 600_000,
    pause: () => Promise.reject(new Error('Nobody else is at it')),
    indexesTexts: () => Promise.resolve(true),
    goOn: () => Promise.reject(new Error('No access changes')),
  }
  const limit = pLimit(8)
  await Promise.all(
    chats.map(({ id, threads }) =>
      limit(() => {
        const numbers = new Set(threads.map(({ n }) => n))
        return indexChat(ctx, id, { chat: true, access: 0, threads: numbers, events: [] }, { anew: true })
      }),
    ),
  )
}
