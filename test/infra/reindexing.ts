import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { runAdmin } from '../../infra/admin/main.ts'
import type { Io } from '../../infra/admin/output.ts'
import { openAccess, reindexChat } from '../../infra/admin/reindex-chat.ts'
import { localClientConfig } from '../../infra/local/dynamodb.ts'
import { readChatIds } from '../../shared/table/chats.ts'
import { openTable } from '../../shared/table/client.ts'
import { keys } from '../../shared/table/keys.ts'
import type { Op } from '../../shared/table/ops.ts'
import { readReindexing } from '../../shared/table/reindexing.ts'
import { calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { startCustomerChat } from '../support/customers.ts'
import { type License, startWorld, type World } from '../support/world.ts'

export let world: World
let client: DynamoDBClient
export let localDir: string

beforeAll(async () => {
  world = await startWorld({ index: true })
  client = new DynamoDBClient(localClientConfig(world.proxy.endpoint))
  localDir = await mkdtemp(join(tmpdir(), 'reindex-'))
  await writeFile(
    join(localDir, 'stack.json'),
    JSON.stringify({ endpoint: world.proxy.endpoint, table: world.tableName, issuer: 'x', audience: 'x' }),
  )
})
afterEach(() => world.proxy.setFault(undefined))
afterEach(() => world.proxy.setDelay(0))
afterAll(async () => {
  client.destroy()
  await rm(localDir, { recursive: true })
})

export const admin = async (argv: string[], more: Partial<Io> = {}) => {
  let [out, err] = ['', '']
  const code = await runAdmin(argv, {
    out: (text) => (out += text),
    err: (text) => (err += text),
    env: {},
    localDir,
    now: () => Date.now(),
    ...more,
  })
  return { code, out, err }
}
export const reindex = (license: { id: string }, ...options: string[]) =>
  admin(['reindex', license.id, ...options])

/** A clock that runs so fast that what is done each second is done all the time. */
export const hasty = (from = Date.now()) => {
  const began = Date.now()
  return { now: () => from + (Date.now() - began) * 200 }
}
/** What a run that died was writing is free again, also one in haste. */
export const dayLater = () => ({ now: () => Date.now() + 24 * 3_600_000 })

export interface Item {
  pk: string
  sk: string
}
export const itemsUnder = async (prefix: string): Promise<(Item & Record<string, unknown>)[]> => {
  const documents = DynamoDBDocumentClient.from(client)
  const found: Record<string, unknown>[] = []
  let ExclusiveStartKey: Record<string, unknown> | undefined
  do {
    const page = await documents.send(
      new ScanCommand({
        TableName: world.tableName,
        FilterExpression: 'begins_with(pk, :prefix)',
        ExpressionAttributeValues: { ':prefix': prefix },
        ConsistentRead: true,
        ...(ExclusiveStartKey && { ExclusiveStartKey }),
      }),
    )
    found.push(...(page.Items ?? []))
    ExclusiveStartKey = page.LastEvaluatedKey
  } while (ExclusiveStartKey !== undefined)
  return found as (Item & Record<string, unknown>)[]
}
export const listsPk = ({ id }: { id: string }) => `INDEX#${id}#LIST#`
/** All that stands in the lists of a licence's index. */
export const indexOf = async (license: { id: string }): Promise<string[]> =>
  (await itemsUnder(listsPk(license)))
    .map(({ pk, sk }) => `${pk.slice(listsPk(license).length)} ${sk}`)
    .sort()
export const wordsOf = async (license: { id: string }): Promise<string[]> =>
  (await indexOf(license)).filter((posting) => posting.startsWith('T.word:'))

export const deleted = (items: Item[]): Op[] => items.map(({ pk, sk }) => ({ Delete: { Key: { pk, sk } } }))
/** What the index keeps its books with. */
export const booksOf = async (chat: string): Promise<(Item & Record<string, unknown>)[]> =>
  (await world.table.read.query({ pk: keys.chat(chat).pk, strong: true })).filter(({ sk }) =>
    /^(INDEX|WORDS)#/.test(String(sk)),
  ) as (Item & Record<string, unknown>)[]
/** The licence as if nothing of it had ever been indexed. */
export const forgetAll = async (license: { id: string }, chats?: string[]) => {
  await world.table.write.batch(deleted(await itemsUnder(listsPk(license))))
  for (const chat of chats ?? (await readChatIds(world.table.read, license.id)))
    await world.table.write.batch(deleted(await booksOf(chat)))
}
/** What the index of a licence is to be: as one that knows of nothing before makes it. */
export const rebuilt = async (license: { id: string }) => {
  await forgetAll(license)
  expect(await reindex(license, '--restart')).toMatchObject({ code: 0 })
  return indexOf(license)
}

export const message = (text: string) => ({ type: 'message', text })
export const start = async (agent: Client, chat: object = {}, texts: string[] = []): Promise<string> =>
  (await agent.ok('start_chat', { chat, initial_events: texts.map(message) })).chat.id

/** A licence with chats of all sorts, as many as `rounds` of seven; the index has caught up with them. */
export const populated = async (rounds = 1) => {
  const license = await world.license(
    { ann: {}, ben: { groups: [1] }, cleo: { permission: 'administrator' } },
    { groups: ['A', 'B'] },
  )
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  for (let round = 0; round < rounds; round += 1) {
    const open = await start(ann, { properties: { rating: { score: round, 'a.b': 'x' } } }, [
      'Grüße aus Köln',
    ])
    await ann.ok('join_chat', { chat_id: open, agent_ids: ['ben'] })
    const grouped = await start(ann, { scopes: { groups: [1, 2] } }, ['refund please', `order ${round}`])
    await ann.ok('update_chat_thread_properties', {
      chat_id: grouped,
      thread_id: `${grouped}_1`,
      properties: { t: { seen: true } },
    })
    await start(ann, { scopes: { agents: ['ann'] }, thread: { properties: { t: { n: round } } } })
    const many = await start(ben, {}, ['first'])
    for (const text of ['second thing', 'third thing']) {
      await ben.ok('close_thread', { chat_id: many })
      await ben.ok('send_event', { chat_id: many, event: message(text) })
    }
    await ben.ok('supervise_chat', { chat_id: many, agent_ids: ['ann'] })
    const left = await start(ben, { scopes: { agents: ['cleo'] } }, ['bye'])
    await ben.ok('remove_from_chat', { chat_id: left, agent_ids: ['ben'] })
    await start(ben)
    await startCustomerChat(world, license.id, `c${round}`, { texts: ['hello', 'nobody there?'] })
  }
  await calm(world)
  const ids = (await readChatIds(world.table.read, license.id)).toSorted()
  return { license, ann, ben, ids, index: await indexOf(license) }
}

/** The chats of a licence whose manifests were written among these calls. */
export const chatsIn = (calls: { operation: string; request: Record<string, unknown> }[]): string[] => {
  const items = calls.flatMap(({ operation, request }) =>
    operation === 'PutItem' ? [(request as any).Item] : [],
  )
  const manifests = items.filter(({ sk }) => sk.S.startsWith('INDEX#'))
  return [...new Set(manifests.map(({ pk }) => String(pk.S).slice('CHAT#'.length)))].sort()
}
export const progressOf = (license: License) => readReindexing(world.table.read, license.id)

/** One chat as the command does it; resolves to how many threads it took at a time. */
export const reindexOne = (id: string, limitMs = 20_000) => {
  const within = (signal: AbortSignal) => openTable({ client, tableName: world.tableName, signal })
  const threads: number[] = []
  const run = {
    ...openAccess(within, () => Date.now()),
    limitMs,
    stopped: new AbortController().signal,
    onThreads: (count: number) => threads.push(count),
  }
  return reindexChat(run, id).then(() => threads)
}
