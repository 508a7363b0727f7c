import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, paginateScan } from '@aws-sdk/lib-dynamodb'
import type { Io } from '../../infra/admin/cli/output.ts'
import { reindexChat } from '../../infra/admin/data/reindex-chat.ts'
import { type Access, openAccess } from '../../infra/admin/data/retries.ts'
import { localClientConfig } from '../../infra/local/engine/engine.ts'
import { type Chat, putChatListing, putNewChat } from '../../shared/table/chat/chats.ts'
import { readChatIds } from '../../shared/table/chat/read-chats.ts'
import { openTable, type Table } from '../../shared/table/client.ts'
import { type Key, keys } from '../../shared/table/keys.ts'
import { type Head } from '../../shared/table/chat/thread-log.ts'
import { putEntry, putHead, newHead, nextEntries } from '../../shared/table/chat/log-entries.ts'
import type { Op } from '../../shared/table/ops.ts'
import { readReindexing } from '../../shared/table/archive/reindexing.ts'
import { now, openAdminWorld } from './admin-world.ts'

export type Item = Key & Record<string, unknown>

interface Place {
  table: Table
  tableName: string
  proxy: { endpoint: string }
}

/** A table with an index of chats: what stands in it, and what may happen to it behind the backend's back. */
export const openIndex = ({ table: { read, write }, tableName, proxy }: Place) => {
  // tries nothing again of its own accord
  const client = new DynamoDBClient({ ...localClientConfig(proxy.endpoint), maxAttempts: 1 })
  const documents = DynamoDBDocumentClient.from(client)

  const itemsUnder = async (prefix: string): Promise<Item[]> => {
    const found: Item[] = []
    const pages = paginateScan(
      { client: documents },
      {
        TableName: tableName,
        FilterExpression: 'begins_with(pk, :prefix)',
        ExpressionAttributeValues: { ':prefix': prefix },
        ConsistentRead: true,
      },
    )
    for await (const { Items = [] } of pages) found.push(...(Items as Item[]))
    return found
  }
  /** The postings of a license's index, by list. */
  const postings = (license: string) => itemsUnder(`INDEX#${license}#LIST#`)
  /** The same, as text. */
  const indexOf = async (license: string): Promise<string[]> =>
    (await postings(license)).map(({ pk, sk }) => `${pk.slice(`INDEX#${license}#LIST#`.length)} ${sk}`).sort()
  const wordsOf = async (license: string): Promise<string[]> =>
    (await indexOf(license)).filter((posting) => posting.startsWith('T.word:'))
  /** What the index keeps its books with. */
  const booksOf = async (chat: string): Promise<Item[]> =>
    (await read.query({ pk: keys.chat(chat).pk, strong: true })).filter(({ sk }) =>
      /^(INDEX|WORDS)#/.test(String(sk)),
    ) as Item[]
  const remove = (items: Item[]): Promise<void> =>
    write.batch(items.map(({ pk, sk }): Op => ({ Delete: { Key: { pk, sk } } })))

  return {
    postings,
    indexOf,
    wordsOf,
    booksOf,
    remove,
    /** The license as if nothing of it, or of these chats of it, had ever been indexed. */
    async forget(license: string, chats?: readonly string[]): Promise<void> {
      const lost = await postings(license)
      for (const chat of chats ?? (await readChatIds(read, license))) lost.push(...(await booksOf(chat)))
      await remove(lost)
    },
    progressOf: (license: string) => readReindexing(read, license),
    /** One chat as the command does it; resolves to how many threads it took at a time. */
    async reindexOne(id: string, others: Partial<Access> = {}): Promise<number[]> {
      const within = (signal: AbortSignal) => openTable({ client, tableName, signal })
      const threads: number[] = []
      const run = {
        ...openAccess(within, others.now ?? (() => now), others),
        stopped: new AbortController().signal,
        onThreads: (count: number) => threads.push(count),
      }
      await reindexChat(run, id)
      return threads
    },
    closeIndex: () => client.destroy(),
  }
}
export type Index = ReturnType<typeof openIndex>

/** The chats of a license whose manifests were written among these calls. */
export const chatsIn = (calls: { operation: string; request: Record<string, unknown> }[]): string[] => {
  const items = calls.flatMap(({ operation, request }) =>
    operation === 'PutItem' ? [(request as any).Item] : [],
  )
  const manifests = items.filter(({ sk }) => sk.S.startsWith('INDEX#'))
  return [...new Set(manifests.map(({ pk }) => String(pk.S).slice('CHAT#'.length)))].sort()
}

const logOf = (
  chat: string,
  n: number,
  { at, texts, properties }: { at: number; texts: readonly string[]; properties?: Head['properties'] },
): Op[] => {
  const by = { nonce: 'x', version: 1, at }
  const head = newHead({ n, ...by, userIds: ['ann'], properties })
  const events = texts.map((text) => ({ type: 'message' as const, text, author_id: 'ann' }))
  const ops = [
    putHead(chat, head),
    ...nextEntries({ n, m: 0, last: head }, events, by).map((entry) => putEntry(chat, entry)),
  ]
  return ops.map((op): Op => ('Put' in op ? { Put: { Item: op.Put.Item } } : op))
}

interface ChatDraft {
  threads?: number
  /** Of thread `n`. */
  texts?: (n: number) => string[]
  scopes?: Chat['scopes']
  properties?: Head['properties']
}

/**
 * A table with chats that nothing is indexed of, and the commands that an operator gives; no backend runs on
 * it.
 */
export const openReindexing = async (engineEndpoint: string) => {
  const world = await openAdminWorld(engineEndpoint)
  const index = openIndex(world)
  /** Nothing that is tried again waits. */
  const pause = async (_: number, stopped?: AbortSignal) => stopped?.throwIfAborted()

  /** Writes a chat whose threads have a message each, unless the draft says others. */
  const chat = async (license: string, id: string, draft: ChatDraft = {}): Promise<string> => {
    const {
      threads = 1,
      texts = (n) => [`thread ${n}`],
      scopes = { groups: [], agents: [] },
      properties,
    } = draft
    const item: Chat = {
      id,
      license_id: license,
      users: [{ id: 'ann', type: 'agent', present: true, met: true }],
      scopes,
      version: 1,
      thread: threads,
      active: false,
      changed_at: now,
      started_at: now + threads,
    }
    await world.table.write.transact([putNewChat(item), putChatListing(item)])
    const numbers = Array.from({ length: threads }, (_, i) => i + 1)
    await world.table.write.batch(
      numbers.flatMap((n) =>
        logOf(id, n, { at: now + n, texts: texts(n), ...(properties === undefined ? {} : { properties }) }),
      ),
    )
    return id
  }

  return {
    ...world,
    ...index,
    reindex: (license: string, more: Partial<Io> = {}, ...options: string[]) =>
      world.adminWith({ pause, ...more }, 'reindex', license, ...options),
    chat,
    /** A license with so many chats, and their ids in order. */
    async licenseOf(chats: number): Promise<{ license: string; ids: string[] }> {
      const license = await world.license()
      const ids = Array.from({ length: chats }, (_, i) => `${license}x${String(i).padStart(3, '0')}`)
      await Promise.all(ids.map((id) => chat(license, id)))
      return { license, ids }
    },
    reindexOne: (id: string, others: Partial<Access> = {}) => index.reindexOne(id, { pause, ...others }),
    async close() {
      index.closeIndex()
      await world.close()
    },
  }
}
export type Reindexed = Awaited<ReturnType<typeof openReindexing>>

/** A clock that runs so fast that what is done each second is done all the time. */
export const hasty = () => {
  let ms = now
  return { now: () => (ms += 300) }
}
/** What a run that died was writing is free again, also one in haste. */
export const dayLater = { now: () => now + 24 * 3_600_000 }
