import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { changeLicense } from '../../infra/admin/change-license.ts'
import { runAdmin } from '../../infra/admin/main.ts'
import type { Io } from '../../infra/admin/output.ts'
import { openAccess, reindexChat } from '../../infra/admin/reindex-chat.ts'
import { localClientConfig } from '../../infra/local/dynamodb.ts'
import { withWord } from '../../shared/chat/index-lists.ts'
import { indexChat } from '../../shared/chat/indexing.ts'
import { type Chat, chatListed, chatStarted, readChatIds } from '../../shared/table/chats.ts'
import { openTable } from '../../shared/table/client.ts'
import { keys } from '../../shared/table/keys.ts'
import { entryPut, headPut, newHead, nextEntry } from '../../shared/table/log.ts'
import type { Standing } from '../../shared/table/manifests.ts'
import type { Op } from '../../shared/table/ops.ts'
import { posted } from '../../shared/table/postings.ts'
import { type Reindexing, readReindexing, reindexingMoved } from '../../shared/table/reindexing.ts'
import { atEachStep, calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { startCustomerChat } from '../support/customers.ts'
import { type License, startWorld, type World } from '../support/world.ts'

let world: World
let client: DynamoDBClient
let localDir: string
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

/** Runs the command; by default as in a log: where nobody sees lines being written anew. */
const admin = async (argv: string[], more: Partial<Io> = {}) => {
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
const reindex = (license: { id: string }, ...options: string[]) => admin(['reindex', license.id, ...options])

/** A clock that runs so fast that what is done each second is done all the time. */
const hasty = (from = Date.now()) => {
  const began = Date.now()
  return { now: () => from + (Date.now() - began) * 200 }
}
/** What a run that died was writing is free again, also one in haste. */
const dayLater = () => ({ now: () => Date.now() + 24 * 3_600_000 })

interface Item {
  pk: string
  sk: string
}
const itemsUnder = async (prefix: string): Promise<(Item & Record<string, unknown>)[]> => {
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
const listsPk = ({ id }: { id: string }) => `INDEX#${id}#LIST#`
/** All that stands in the lists of a licence's index. */
const indexOf = async (license: { id: string }): Promise<string[]> =>
  (await itemsUnder(listsPk(license)))
    .map(({ pk, sk }) => `${pk.slice(listsPk(license).length)} ${sk}`)
    .sort()
const wordsOf = async (license: { id: string }): Promise<string[]> =>
  (await indexOf(license)).filter((posting) => posting.startsWith('T.word:'))

const deleted = (items: Item[]): Op[] => items.map(({ pk, sk }) => ({ Delete: { Key: { pk, sk } } }))
/** What the index keeps its books with. */
const booksOf = async (chat: string): Promise<(Item & Record<string, unknown>)[]> =>
  (await world.table.read.query({ pk: keys.chat(chat).pk, strong: true })).filter(({ sk }) =>
    /^(INDEX|WORDS)#/.test(String(sk)),
  ) as (Item & Record<string, unknown>)[]
/** The licence as if nothing of it had ever been indexed. */
const forgetAll = async (license: { id: string }, chats?: string[]) => {
  await world.table.write.batch(deleted(await itemsUnder(listsPk(license))))
  for (const chat of chats ?? (await readChatIds(world.table.read, license.id)))
    await world.table.write.batch(deleted(await booksOf(chat)))
}
/** What the index of a licence is to be: as one that knows of nothing before makes it. */
const rebuilt = async (license: { id: string }) => {
  await forgetAll(license)
  expect(await reindex(license, '--restart')).toMatchObject({ code: 0 })
  return indexOf(license)
}

const message = (text: string) => ({ type: 'message', text })
const start = async (agent: Client, chat: object = {}, texts: string[] = []): Promise<string> =>
  (await agent.ok('start_chat', { chat, initial_events: texts.map(message) })).chat.id

/** A licence with chats of all sorts, as many as `rounds` of seven; the index has caught up with them. */
const populated = async (rounds = 1) => {
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
const chatsIn = (calls: { operation: string; request: Record<string, unknown> }[]): string[] => {
  const items = calls.flatMap(({ operation, request }) =>
    operation === 'PutItem' ? [(request as any).Item] : [],
  )
  const manifests = items.filter(({ sk }) => sk.S.startsWith('INDEX#'))
  return [...new Set(manifests.map(({ pk }) => String(pk.S).slice('CHAT#'.length)))].sort()
}
const progressOf = (license: License) => readReindexing(world.table.read, license.id)

describe('admin reindex', () => {
  test('puts back lists that are gone behind its back, also those of which nothing is known any more', async () => {
    const { license, ids, index } = await populated()
    expect(index.length).toBeGreaterThan(60)
    await world.table.write.batch(deleted(await itemsUnder(listsPk(license))))
    for (const chat of ids.slice(3)) {
      const books = await booksOf(chat)
      await world.table.write.batch(deleted(books.filter((_, n) => n % 2 === 0)))
    }
    const { code, out, err } = await reindex(license)
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(new RegExp(`^Reindexed license ${license.id}: 7 chats, 9 threads, in \\d+ s\\.\n$`))
    expect(await indexOf(license)).toEqual(index)
    expect(await progressOf(license)).toBeUndefined()
  })

  test('leaves an index as it is that is right, and one of another licence alone', async () => {
    const [{ license, index }, other] = [await populated(), await populated()]
    await world.table.write.batch(deleted(await itemsUnder(listsPk(other.license))))
    const { calls } = await world.proxy.record(() => reindex(license))
    expect(await indexOf(license)).toEqual(index)
    expect(await indexOf(other.license)).toEqual([])
    expect(calls.some(({ request }) => JSON.stringify(request).includes(`#${other.license.id}`))).toBe(false)
  })

  test('takes away what manifests say stands there, though it should not', async () => {
    const { license, ids, index } = await populated()
    const left: Op[] = []
    for (const chat of ids) {
      const books = await booksOf(chat)
      const first = books.find(({ sk }) => sk === keys.manifest(chat, 1).sk)!['standing'] as Standing
      for (const book of books) {
        if (book.sk.startsWith('INDEX#')) {
          const standing = book['standing'] as Standing
          const stray = `${standing.lists[0]!.slice(0, 2)}has:never.there`
          left.push(posted(license.id, stray, standing))
          left.push({
            Put: { Item: { ...book, standing: { ...standing, lists: [...standing.lists, stray] } } },
          })
        } else if (/^WORDS#0+1#0+$/.test(book.sk)) {
          const words = book['words'] as string[]
          left.push(posted(license.id, withWord('never'), first))
          left.push({ Put: { Item: { ...book, words: ['never', ...words] } } })
        }
      }
    }
    await world.table.write.batch(left)
    expect((await indexOf(license)).length).toBeGreaterThan(index.length + 16)
    expect(await reindex(license)).toMatchObject({ code: 0 })
    expect(await indexOf(license)).toEqual(index)
  })

  test('takes the words of messages away where texts are not indexed, and puts them back where they are', async () => {
    const { license, ann, index } = await populated()
    const query = { filters: { query: 'refund' } }
    expect(await ann.ok('get_archives', query)).toMatchObject({ pagination: { total: 1 } })
    const off = await admin(['license', 'set', license.id, '--index-texts', 'off'])
    expect(off.out).toContain(`until: reindex ${license.id}.`)
    await ann.refused('get_archives', query)
    expect(await reindex(license)).toMatchObject({ code: 0 })
    expect(await indexOf(license)).toEqual(index.filter((posting) => !posting.startsWith('T.word:')))
    // again: there is nothing left to take away
    expect(await reindex(license)).toMatchObject({ code: 0 })
    const chat = await start(ann, {}, ['refund twice'])
    await world.settled()
    expect(await wordsOf(license)).toEqual([])

    const on = await admin(['license', 'set', license.id, '--index-texts', 'on'])
    expect(on.out).toContain(`For those of old ones: reindex ${license.id}.`)
    expect(await ann.ok('get_archives', query)).toMatchObject({ pagination: { total: 0 } })
    expect(await reindex(license)).toMatchObject({ code: 0 })
    expect((await ann.ok('get_archives', query)).chats).toMatchObject([{ chat: { id: chat } }, {}])
    const words = (await wordsOf(license)).filter((posting) => !posting.includes(chat))
    expect(words).toEqual(index.filter((posting) => posting.startsWith('T.word:')))
  })

  test('says that there is no such license, and that one has no chats', async () => {
    expect(await reindex({ id: 'nobody' })).toEqual({
      code: 1,
      out: '',
      err: 'error: There is no license nobody. See license list, or make it with license create.\n',
    })
    const license = await world.license({})
    const { code, out } = await reindex(license)
    expect(code).toBe(0)
    expect(out).toContain(`Reindexed license ${license.id}: 0 chats, 0 threads, in `)
  })
})

/** The command as a process of its own. */
const startProgram = (license: License) =>
  spawn(process.execPath, ['infra/admin/main.ts', 'reindex', license.id], {
    cwd: join(import.meta.dirname, '../..'),
    env: { ...process.env, AGENT_CHAT_LOCAL_DIR: localDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  })

describe('admin reindex that is cut short', () => {
  test('goes on where it was: what is done is not done again', async () => {
    const { license, ids, index } = await populated(5)
    let resumed = 0
    for (const calls of [40, 100, 160, 220]) {
      await forgetAll(license, ids)
      let left = calls
      // all that is asked of the table then fails
      world.proxy.setFault(() => ((left -= 1) < 0 ? { errorType: 'InternalServerError' } : undefined))
      const first = await admin(['reindex', license.id], hasty())
      world.proxy.setFault(undefined)
      expect([first.code, first.out]).toEqual([1, ''])
      const reached = await progressOf(license)
      expect(reached?.chats ?? 0).toBe(reached === undefined ? 0 : ids.indexOf(reached.after!) + 1)

      const { result, calls: made } = await world.proxy.record(() =>
        admin(['reindex', license.id, '--json'], dayLater()),
      )
      const done = reached === undefined ? 0 : reached.chats - reached.failed.length
      expect(JSON.parse(result.out)).toMatchObject({
        end: 'done',
        resumed: reached !== undefined,
        chats: { total: 35, done: 35, failed: [] },
      })
      const to = reached?.after ?? ''
      expect(chatsIn(made)).toEqual(ids.filter((id) => id > to || reached?.failed.includes(id)))
      if (reached !== undefined) {
        resumed += 1
        expect(result.err).toBe(
          `Going on with the run of ${new Date(reached.began_at).toISOString().slice(0, 19)}Z: ` +
            `${done} of 35 chats are done. --restart begins anew.\n`,
        )
      }
      expect(await indexOf(license)).toEqual(index)
      expect(await progressOf(license)).toBeUndefined()
    }
    expect(resumed).toBeGreaterThan(1)
  })

  test('goes on too where it was killed', async () => {
    const { license, ids, index } = await populated(6)
    await forgetAll(license, ids)
    const saved = Promise.withResolvers<void>()
    world.proxy.setDelay(80)
    let saves = 0
    world.proxy.setFault(({ request }) => {
      const { sk, chats } = (request as any).Item ?? {}
      // the one before is in the table
      if (sk?.S === 'REINDEX' && Number(chats.N) > 0 && (saves += 1) === 2) saved.resolve()
      return undefined
    })
    const child = startProgram(license)
    await saved.promise
    child.kill('SIGKILL')
    const [, signal] = await once(child, 'exit')
    expect(signal).toBe('SIGKILL')
    world.proxy.setDelay(0)
    world.proxy.setFault(undefined)
    // a call that was on its way
    await world.settled()
    const reached = await progressOf(license)
    const { result, calls } = await world.proxy.record(() =>
      admin(['reindex', license.id, '--json'], dayLater()),
    )
    expect(reached!.chats).toBeGreaterThan(0)
    expect(JSON.parse(result.out)).toMatchObject({ resumed: true, chats: { total: 42, done: 42 } })
    expect(chatsIn(calls)).toEqual(ids.filter((id) => id > reached!.after!))
    expect(await indexOf(license)).toEqual(index)
  })

  test('ends what it is at where it is interrupted, and says that it is to be given again', async () => {
    const { license, ids, index } = await populated(4)
    await forgetAll(license, ids)
    let stop = () => {}
    let forgotten = 0
    let seen = 0
    world.proxy.setFault(({ request }) => {
      if (JSON.stringify(request).includes('INDEX#') && (seen += 1) === 60) stop()
      return undefined
    })
    const { code, out, err } = await admin(['reindex', license.id], {
      onInterrupt: (run) => {
        stop = run
        return () => (forgotten += 1)
      },
    })
    world.proxy.setFault(undefined)
    expect([code, out, forgotten]).toEqual([1, '', 1])
    const reached = await progressOf(license)
    const done = reached!.chats
    expect(done).toBeGreaterThan(0)
    expect(done).toBeLessThan(28)
    expect(err).toBe(
      'Stopping, once what is under way is done.\n' +
        `error: Stopped. ${done} of 28 chats are done.\nGive the command again to go on.\n`,
    )
    // nothing is left half done
    const half = await indexOf(license)
    const of = new Set(half.map((posting) => posting.split('#').at(-1)!.split('_')[0]))
    expect([...of].sort().slice(0, done)).toEqual(ids.slice(0, done))
    expect(half).toEqual(index.filter((posting) => of.has(posting.split('#').at(-1)!.split('_')[0])))
    const again = await reindex(license)
    expect(again.out).toContain(`: 28 chats, ${28 - done} of them now, `)
    expect(await indexOf(license)).toEqual(index)
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('is interrupted by %s', async (signal) => {
    const { license, ids } = await populated(3)
    await forgetAll(license, ids)
    const begun = Promise.withResolvers<void>()
    world.proxy.setDelay(40)
    world.proxy.setFault(({ operation }) => {
      if (operation === 'BatchWriteItem') begun.resolve()
      return undefined
    })
    const child = startProgram(license)
    const complaints = text(child.stderr)
    await begun.promise
    child.kill(signal)
    expect(await once(child, 'exit')).toEqual([1, null])
    expect(await complaints).toMatch(/^Stopping, .+\nerror: Stopped\. \d+ of 21 chats are done\.\n/)
    expect((await progressOf(license))!.chats).toBeGreaterThan(0)
  })

  test('lists chats that fail, with the others done, and then tries these alone again', async () => {
    const { license, ids, index } = await populated(2)
    await forgetAll(license, ids)
    const broken = [ids[3]!, ids[9]!]
    const tries = new Map<string, number>()
    world.proxy.setFault(({ operation, request }) => {
      const id = broken.find((chat) => (request as any).Item?.pk?.S === keys.chat(chat).pk)
      if (operation !== 'PutItem' || id === undefined) return undefined
      tries.set(id, (tries.get(id) ?? 0) + 1)
      return { errorType: 'ValidationException' }
    })
    const failed = await reindex(license, '--json')
    expect(failed.code).toBe(1)
    const failures = broken.map((id) => ({ id, error: 'ValidationException: Injected' }))
    const answer = JSON.parse(failed.out)
    expect(answer).toMatchObject({ end: 'done', chats: { total: 14, done: 12 }, resumed: false })
    expect(answer.chats.failed.toSorted((a: any, b: any) => (a.id < b.id ? -1 : 1))).toEqual(failures)
    expect(failed.err).toContain('error: It has ended. 12 of 14 chats are done; these failed:\n  ')
    expect(failed.err).toContain(`  ${broken[0]}  ValidationException: Injected\n`)
    expect([...tries.values()].every((count) => count >= 3)).toBe(true)
    const others = (posting: string) => !broken.some((id) => posting.includes(id))
    expect((await indexOf(license)).filter(others)).toEqual(index.filter(others))

    world.proxy.setFault(undefined)
    const { result, calls } = await world.proxy.record(() => reindex(license))
    expect(result.out).toContain(': 14 chats, 2 of them now, ')
    expect(chatsIn(calls)).toEqual(broken)
    expect(await indexOf(license)).toEqual(index)
    expect(await progressOf(license)).toBeUndefined()
  })

  test('gives up where chat after chat fails, and goes on behind them', async () => {
    const { license, ids, index } = await populated(6)
    await forgetAll(license, ids)
    let isOut = false
    world.proxy.setFault(({ operation, request }) => {
      isOut ||= JSON.stringify(request).includes(keys.chat(ids[9]!).pk)
      return isOut && operation === 'BatchGetItem' ? { errorType: 'AccessDeniedException' } : undefined
    })
    const { code, err } = await reindex(license)
    world.proxy.setFault(undefined)
    expect(code).toBe(1)
    expect(err).toMatch(
      /error: Too many chats failed, and the others were left\. \d+ of 42 chats are done; these failed:\n/,
    )
    const reached = (await progressOf(license))!
    expect(reached.failed.length).toBeGreaterThanOrEqual(20)
    expect(reached.chats).toBeLessThan(42)
    const { result, calls } = await world.proxy.record(() => reindex(license))
    expect(result).toMatchObject({ code: 0 })
    expect(chatsIn(calls)).toEqual(ids.filter((id) => id > reached.after! || reached.failed.includes(id)))
    expect(await indexOf(license)).toEqual(index)
  })

  test('begins anew with --restart, and where texts were turned on or off since', async () => {
    const { license, ids, index } = await populated()
    const began_at = Date.parse('2026-11-01T10:00:00Z')
    const half = (more: Partial<Reindexing> = {}) =>
      world.table.write.write(
        reindexingMoved(license.id, { began_at, texts: true, after: ids[3]!, chats: 4, failed: [], ...more }),
      )
    await half()
    const some = await world.proxy.record(() => reindex(license))
    expect(chatsIn(some.calls)).toEqual(ids.slice(4))
    await half()
    const all = await world.proxy.record(() => reindex(license, '--restart'))
    expect(chatsIn(all.calls)).toEqual(ids)
    expect(all.result.err).toBe('')
    await half({ texts: false })
    const changed = await world.proxy.record(() => reindex(license))
    expect(chatsIn(changed.calls)).toEqual(ids)
    expect(changed.result.err).toContain(
      'Indexing texts was turned on after the run of 2026-11-01T10:00:00Z: ',
    )
    expect(await indexOf(license)).toEqual(index)
  })

  test('says to be run again where texts are turned off while it runs', async () => {
    const { license, ids } = await populated()
    let isOff = false
    world.proxy.setFault(async ({ request }) => {
      if (isOff || !JSON.stringify(request).includes(`CHAT#${ids[3]!}`)) return undefined
      isOff = true
      await changeLicense(world.table, license.id, { index_texts: false })
      return undefined
    })
    const { code, err } = await reindex(license)
    expect([code, err]).toEqual([0, 'note: Indexing texts was turned off meanwhile. Run it once more.\n'])
    world.proxy.setFault(undefined)
    expect(await reindex(license)).toMatchObject({ code: 0, err: '' })
    expect(await wordsOf(license)).toEqual([])
  })
})

/** One chat as the command does it; resolves to how many threads it took at a time. */
const reindexOne = (id: string, limitMs = 20_000) => {
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

/** Holds the first call that fits until it is let go. */
const holding = () => {
  const holds: { fits: (text: string) => boolean; reached: () => void; over: Promise<undefined> }[] = []
  world.proxy.setFault(({ operation, request }) => {
    const text = `${operation} ${JSON.stringify(request)}`
    const at = holds.findIndex(({ fits }) => fits(text))
    const [hold] = at < 0 ? [] : holds.splice(at, 1)
    hold?.reached()
    return hold?.over
  })
  return (fits: (text: string) => boolean) => {
    const reached = Promise.withResolvers<void>()
    const over = Promise.withResolvers<undefined>()
    holds.push({ fits, reached: reached.resolve, over: over.promise })
    return { reached: reached.promise, letGo: () => over.resolve(undefined) }
  }
}

/** The index's worker has done its work at a chat, or has found another at it twice and waits for that. */
const metOrSettled = async (chat: string) => {
  const before = world.proxy.calls.length
  let isSettled = false
  const settled = world.settled().then(() => (isSettled = true))
  const looks = () =>
    world.proxy.calls.slice(before).filter(({ operation, request }) => {
      const text = operation === 'BatchGetItem' ? JSON.stringify(request) : ''
      return text.includes(`"${keys.chat(chat).pk}"`) && text.includes('"INDEX#')
    }).length
  while (!isSettled && looks() < 3) await Promise.race([settled, wait(5)])
}

describe('admin reindex while all goes on', () => {
  test('loses nothing of what agents and customers do meanwhile', async () => {
    const { license, ann, ben, ids } = await populated(2)
    const cleo = await license.login('cleo')
    const visitor = await license.visit()
    await visitor.client.ok('start_chat', {})
    // seldom in the order in which they were made
    world.proxy.setFault(() => ({ delayMs: Math.random() * 20 }))
    for (let round = 0; round < 3; round += 1) {
      await forgetAll(license, round === 0 ? undefined : [ids[round]!])
      const running = reindex(license, '--restart')
      const chat = await start(ben, { scopes: { agents: ['ben'] } }, [`begun ${round}`])
      for (const [n, chat_id] of [chat, ...ids].entries()) {
        const scopes =
          n % 2 === round % 2 ? { add_scopes: { groups: [2] } } : { remove_scopes: { groups: [2] } }
        await Promise.all([
          cleo.call('update_chat_scopes', { chat_id, ...scopes }),
          cleo.call('join_chat', { chat_id, agent_ids: ['ann'] }),
          ann.call('send_event', { chat_id, event: message(`word${round}x${n} again`) }),
          cleo.call('update_chat_properties', { chat_id, properties: { p: { round } } }),
          visitor.client.call('send_event', { chat_id: visitor.id, event: message(`words${round} of mine`) }),
        ])
        if (n % 3 === 0) await cleo.call('close_thread', { chat_id })
        if (n % 4 === 0) await cleo.call('remove_from_chat', { chat_id, user_ids: ['ann'] })
      }
      expect(await running).toMatchObject({ code: 0 })
    }
    world.proxy.setFault(undefined)
    await calm(world)
    const index = await indexOf(license)
    expect(index).toEqual(await rebuilt(license))
  })

  test('two of them at once leave what one leaves', async () => {
    const { license, ids, index } = await populated(2)
    await forgetAll(license, ids)
    const both = await Promise.all([reindex(license), reindex(license)])
    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect(await indexOf(license)).toEqual(index)
    expect(await progressOf(license)).toBeUndefined()
  })

  test('a chat whose scopes change at any step of it stands for those who may see it then', async () => {
    const license = await world.license({ ann: {}, ben: {} }, { groups: ['A', 'B'] })
    const ann = await license.login('ann')
    const chat_id = await start(ann, { scopes: { groups: [1] } }, ['one'])
    await ann.ok('close_thread', { chat_id })
    await ann.ok('send_event', { chat_id, event: message('two') })
    await calm(world)
    const before = await indexOf(license)
    const ofGroup = (group: number) => before.map((posting) => posting.replace('.group:1', `.group:${group}`))
    expect(ofGroup(2).filter((posting) => posting.includes('.group:2'))).toHaveLength(3)
    let group = 1
    const steps = await atEachStep(world, async () => {
      await forgetAll(license, [chat_id])
      const other = 3 - group
      return {
        held: () => reindexOne(chat_id),
        meanwhile: async () => {
          const change = { add_scopes: { groups: [other] }, remove_scopes: { groups: [group] } }
          await ann.ok('update_chat_scopes', { chat_id, ...change })
          group = other
          await metOrSettled(chat_id)
        },
        check: async () => {
          await world.settled()
          expect(await indexOf(license)).toEqual(ofGroup(group).sort())
        },
      }
    }, ['alone'])
    expect(steps).toBeGreaterThan(10)
  })

  test('words that are written at any step of it are known, so that they can be taken away again', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    let round = 0
    const steps = await atEachStep(world, async () => {
      round += 1
      const long = Array.from({ length: 100 }, (_, n) => `a${n}${'x'.repeat(30)}${round}`)
      const chat_id = await start(ann, {}, [long.join(' ')])
      await calm(world)
      await ann.ok('send_event', { chat_id, event: message('short') })
      await calm(world)
      return {
        held: () => reindexOne(chat_id),
        meanwhile: () => ann.ok('send_event', { chat_id, event: message('late words') }),
        check: async () => {
          await world.settled()
          const books = await booksOf(chat_id)
          const known = books.flatMap((book) => (book['words'] as string[] | undefined) ?? [])
          const posted = (await wordsOf(license)).filter((posting) => posting.includes(chat_id))
          const words = posted.map((posting) => posting.slice('T.word:'.length).split('#')[0])
          expect(words).toHaveLength(103)
          expect([...new Set(known)].sort()).toEqual(words.sort())
        },
      }
    }, ['alone'])
    expect(steps).toBeGreaterThan(10)
  })

  test('words that are added while all are written anew are known beside these', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const long = Array.from({ length: 100 }, (_, n) => `a${n}${'x'.repeat(30)}`).join(' ')
    const chat_id = await start(ann, {}, [long])
    await calm(world)
    await ann.ok('send_event', { chat_id, event: message('short') })
    await calm(world)
    const hold = holding()
    const { pk } = keys.chat(chat_id)
    const anew = hold((text) => text.startsWith('TransactWriteItems') && text.includes('"WORDS#'))
    const reindexing = reindexOne(chat_id)
    await anew.reached
    const added = hold((text) => text.startsWith('PutItem') && text.includes('"WORDS#') && text.includes(pk))
    await ann.ok('send_event', { chat_id, event: message('late words') })
    await added.reached
    anew.letGo()
    await reindexing
    added.letGo()
    await world.settled()
    const words = (await wordsOf(license)).map((posting) => posting.slice('T.word:'.length).split('#')[0])
    expect(words).toHaveLength(103)
    const known = (await booksOf(chat_id)).flatMap((book) => (book['words'] as string[] | undefined) ?? [])
    expect([...new Set(known)].sort()).toEqual(words.sort())
    // else they are never taken away
    await admin(['license', 'set', license.id, '--index-texts', 'off'])
    await reindex(license)
    expect(await wordsOf(license)).toEqual([])
  })
})

describe('admin reindex of a chat', () => {
  /** A chat with as many threads of a message each, of which nothing is indexed. */
  const withThreads = async (
    threads: number,
    text = (n: number) => `thread ${n}`,
  ): Promise<[License, Chat]> => {
    const license = await world.license({ ann: {} })
    const at = Date.now()
    const nonce = 'x'
    const chat: Chat = {
      id: `big${license.id.replaceAll('-', '')}`,
      license_id: license.id,
      users: [{ id: 'ann', type: 'agent', present: true, met: true }],
      scopes: { groups: [], agents: [] },
      version: 1,
      thread: threads,
      active: false,
      changed_at: at,
      started_at: at,
    }
    const logs = Array.from({ length: threads }, (_, i) => {
      const head = newHead({ n: i + 1, nonce, version: 1, at: at + i, userIds: ['ann'] })
      const event = { type: 'message' as const, text: text(i + 1), author_id: 'ann' }
      const entry = nextEntry({ n: head.n, m: 0, last: head }, event, { nonce, version: 1, at: at + i })
      return [headPut(chat.id, head), entryPut(chat.id, entry)]
    })
    await world.table.write.batch(logs.flat().map(unconditional))
    await world.table.write.transact([chatStarted(chat), chatListed(chat)])
    await world.settled()
    await forgetAll(license)
    return [license, chat]
  }
  const unconditional = (op: Op): Op => ('Put' in op ? { Put: { Item: op.Put.Item } } : op)

  test('takes its threads some at a time, however many there are', async () => {
    const [license, chat] = await withThreads(220)
    expect(await reindexOne(chat.id)).toEqual([100, 100, 20])
    const index = await indexOf(license)
    expect(index.filter((posting) => posting.startsWith('T.all#'))).toHaveLength(220)
    expect(index.filter((posting) => posting.startsWith('T.word:thread#'))).toHaveLength(220)
    expect(index.filter((posting) => posting.startsWith('C.all#'))).toEqual([
      expect.stringMatching(new RegExp(`#${chat.id}_220$`)),
    ])
  })

  test('takes fewer of its threads at a time where so many take too long', async () => {
    const [license, chat] = await withThreads(12)
    await reindex(license)
    const index = await indexOf(license)
    await forgetAll(license)
    // as many threads at once as there are manifests asked for in one go
    world.proxy.setFault(({ operation, request }) => {
      const wanted = (request as any).RequestItems?.[world.tableName]?.Keys ?? []
      return operation === 'BatchGetItem' && wanted.length > 5 ? { delayMs: 600 } : undefined
    })
    expect(await reindexOne(chat.id, 500)).toEqual([3, 3, 3, 3])
    expect(await indexOf(license)).toEqual(index)
  })

  test('waits until the table takes more where it is throttled', async () => {
    const [license, chat] = await withThreads(3)
    await reindex(license)
    const index = await indexOf(license)
    await forgetAll(license)
    let refusals = 0
    world.proxy.setFault(({ operation }) =>
      operation === 'BatchWriteItem' && (refusals += 1) <= 16
        ? { errorType: 'ProvisionedThroughputExceededException' }
        : undefined,
    )
    expect(await reindexOne(chat.id)).toEqual([3])
    expect(refusals).toBeGreaterThan(16)
    expect(await indexOf(license)).toEqual(index)
  })

  test('has words in any number of portions', async () => {
    const [license, chat] = await withThreads(1, () => 'first')
    // leaves them to this test
    await changeLicense(world.table, license.id, { index_texts: false })
    const word = (n: number) => `${'ж'.repeat(37)}${n.toString(36).padStart(3, '0')}`
    const ctx = {
      ...world.table,
      now: () => Date.now(),
      endsAt: Date.now() + 60_000,
      pause: async () => {},
      indexesTexts: async () => true,
    }
    let last = nextEntry(
      { n: 1, m: 0, last: newHead({ n: 1, nonce: 'x', version: 1, at: chat.started_at, userIds: [] }) },
      { type: 'message', text: 'first' },
      { nonce: 'x', version: 1, at: chat.started_at },
    )
    const stale = { chat: true, access: false, threads: new Set([1]) }
    // each message's words fill a portion
    for (let i = 0; i < 105; i += 1) {
      const text = Array.from({ length: 12 }, (_, n) => word(i * 12 + n)).join(' ')
      const before = { n: 1, m: last.m, last }
      last = nextEntry(before, { type: 'message', text }, { nonce: 'x', version: 1, at: last.at })
      await world.table.write.write(entryPut(chat.id, last))
      await indexChat(ctx, chat.id, stale)
    }
    await world.settled()
    expect((await booksOf(chat.id)).filter(({ sk }) => sk.startsWith('WORDS#')).length).toBeGreaterThan(100)
    const index = await indexOf(license)
    expect(await wordsOf(license)).toHaveLength(1261)
    await changeLicense(world.table, license.id, { index_texts: true })
    const { code, err } = await reindex(license)
    expect([code, err]).toEqual([0, ''])
    expect(await indexOf(license)).toEqual(index)
  })
})

describe('admin reindex shows how far it is', () => {
  test('in a line now and then, and a summary at its end', async () => {
    const { license } = await populated(3)
    const { code, out, err } = await admin(['reindex', license.id], hasty())
    expect(code).toBe(0)
    expect(out).toMatch(/^Reindexed license .+: 21 chats, 27 threads, in .+\.\n$/)
    const lines = err.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(1)
    for (const line of lines)
      expect(line).toMatch(/^\d+ of 21 chats, \d+ threads?, \d+(\.\d)? chats\/s(, .+ (s|min) left)?$/)
    expect(Number(lines.at(-1)!.split(' ')[0])).toBeGreaterThan(Number(lines[0]!.split(' ')[0]))
  })

  test('on a terminal in one line that fits it and is gone in the end', async () => {
    const { license } = await populated(3)
    const { err } = await admin(['reindex', license.id], { ...hasty(), width: () => 40 })
    expect(err).not.toContain('\n')
    const [nothing, ...shown] = err.split('\r')
    expect([nothing, shown.pop()]).toEqual(['', '\u{1b}[K'])
    expect(shown.length).toBeGreaterThan(1)
    for (const line of shown) {
      expect(line.endsWith('\u{1b}[K')).toBe(true)
      expect(line.slice(0, -3)).toMatch(/^\d+ of 21 chats.{0,28}$/)
    }
  })

  test('as JSON where it is told to, with nothing else beside it', async () => {
    const { license } = await populated()
    const { code, out } = await admin(['reindex', license.id, '--json'], hasty())
    expect(code).toBe(0)
    expect(JSON.parse(out)).toEqual({
      license_id: license.id,
      end: 'done',
      chats: { total: 7, done: 7, failed: [] },
      threads: 9,
      began_at: expect.any(Number),
      resumed: false,
      seconds: expect.any(Number),
    })
  })
})
