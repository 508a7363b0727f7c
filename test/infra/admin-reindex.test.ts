import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { changeLicense } from '../../shared/provisioning/change-license.ts'
import { openAccess } from '../../infra/admin/data/retries.ts'
import { eachChatId } from '../../infra/admin/data/each-chat.ts'
import { withWord } from '../../shared/archive/index/lists.ts'
import { openTable } from '../../shared/table/client.ts'
import { keys } from '../../shared/table/keys.ts'
import type { IndexedState } from '../../shared/table/archive/manifests.ts'
import type { Op } from '../../shared/table/ops.ts'
import { putPosting } from '../../shared/table/archive/postings.ts'
import { type Reindexing, reindexingMoved } from '../../shared/table/archive/reindexing.ts'
import { startEngines } from '../support/engines.ts'
import { now } from './admin-world.ts'
import { chatsIn, dayLater, hasty, openReindexing, type Reindexed } from './reindexing.ts'

const [engine] = await startEngines()
if (engine === undefined) throw new Error('No engine')
let world: Reindexed
beforeAll(async () => {
  world = await openReindexing(engine.endpoint)
})
afterEach(() => world.proxy.setFault(undefined))
afterAll(async () => {
  await world.close()
  await engine.stop()
})

/** A license of so many chats, and its index once all of it is written. */
const withIndex = async (chats: number) => {
  const { license, ids } = await world.licenseOf(chats)
  expect(await world.reindex(license)).toMatchObject({ code: 0 })
  return { license, ids, index: await world.indexOf(license) }
}
/** The same, of which nothing is indexed again. */
const forgotten = async (chats: number) => {
  const made = await withIndex(chats)
  await world.forget(made.license)
  return made
}

describe('admin reindex', () => {
  test('has each thread, and each chat by its last one, stand wherever it can be found', async () => {
    const license = await world.license()
    await world.chat(license, 'a', { texts: () => ['Grüße aus Köln', 'Köln!'] })
    const scopes = { groups: [1], agents: ['ben'] }
    await world.chat(license, 'b', {
      ...{ threads: 2, texts: (n) => [n === 1 ? 'one' : 'two'] },
      ...{ scopes, properties: { t: { seen: { value: true } } } },
    })
    expect(await world.reindex(license)).toEqual({
      code: 0,
      out: expect.stringMatching(
        new RegExp(`^Reindexed license ${license}: 2 chats, 3 threads, in \\d+ s\\.\n$`),
      ),
      err: '',
    })
    const lists: Record<string, Set<string>> = {}
    for (const { pk, sk } of await world.postings(license)) {
      const [, , , list = '', month] = pk.split('#')
      expect(month).toBe('2026-11')
      const standing = (lists[sk.split('#')[1] ?? ''] ??= new Set())
      standing.add(decodeURIComponent(list).replace(/=[\w-]{16}$/, '=<hash>'))
    }
    const access = (kind: string) =>
      ['group:1', 'in:ann', 'to:ann', 'to:ben'].map((list) => `${kind}.${list}`)
    const ofThread = ['T.all', 'T.user:ann']
    const ofProperty = ['T.has:t.seen', 'T.is:t.seen=<hash>']
    const words = (...found: string[]) => found.map((word) => `T.word:${word}`)
    const open = ['C.all', 'C.in:ann', 'C.open', 'T.in:ann', 'T.open']
    const scoped = [...access('T'), ...ofThread, ...ofProperty]
    expect(lists).toEqual({
      a_1: new Set([...open, ...ofThread, ...words('aus', 'grusse', 'koln')]),
      b_1: new Set([...scoped, ...words('one')]),
      b_2: new Set(['C.all', ...access('C'), ...scoped, ...words('two')]),
    })
  })

  test('puts back lists that are gone behind its back, also those of which nothing is known any more', async () => {
    const { license, ids, index } = await withIndex(4)
    await world.remove(await world.postings(license))
    for (const chat of ids.slice(1)) {
      const books = await world.booksOf(chat)
      expect(books.length).toBeGreaterThan(2)
      await world.remove(books.filter((_, n) => n % 2 === 0))
    }
    expect(await world.reindex(license)).toMatchObject({ code: 0, err: '' })
    expect(await world.indexOf(license)).toEqual(index)
    expect(await world.progressOf(license)).toBeUndefined()
  })

  test('adds words that were none to the version that indexed a thread', async () => {
    const license = await world.license()
    const id = await world.chat(license, `${license}x`, { texts: () => ['room 5 집'] })
    await world.reindex(license)
    const whole = await world.wordsOf(license)
    expect(whole).toHaveLength(3)
    // as a version left it that knew neither digits nor syllables
    const [books] = (await world.booksOf(id)).filter(({ sk }) => sk.startsWith('WORDS#'))
    await world.table.write.batch([{ Put: { Item: { ...books!, words: ['room'] } } }])
    await world.remove((await world.postings(license)).filter(({ pk }) => /word:(?!room)/.test(pk)))
    expect(await world.wordsOf(license)).toHaveLength(1)
    expect(await world.reindex(license)).toMatchObject({ code: 0, err: '' })
    expect(await world.wordsOf(license)).toEqual(whole)
  })

  test('leaves an index as it is that is right, and one of another license alone', async () => {
    const [{ license, index }, other] = [await withIndex(2), await forgotten(1)]
    const { calls } = await world.proxy.record(() => world.reindex(license))
    expect(await world.indexOf(license)).toEqual(index)
    expect(await world.indexOf(other.license)).toEqual([])
    expect(calls.some(({ request }) => JSON.stringify(request).includes(`#${other.license}`))).toBe(false)
  })

  test('takes away what manifests say stands there, though it should not', async () => {
    const { license, ids, index } = await withIndex(2)
    const strays: Op[] = []
    for (const chat of ids) {
      const books = await world.booksOf(chat)
      const first = books.find(({ sk }) => sk === keys.manifest(chat, 1).sk)!['standing'] as IndexedState
      for (const book of books) {
        if (book.sk.startsWith('INDEX#')) {
          const standing = book['standing'] as IndexedState
          const stray = `${standing.lists[0]!.slice(0, 2)}has:never.there`
          strays.push(putPosting(license, stray, standing))
          strays.push({
            Put: { Item: { ...book, standing: { ...standing, lists: [...standing.lists, stray] } } },
          })
        } else {
          const words = book['words'] as string[]
          strays.push(putPosting(license, withWord('never'), first))
          strays.push({ Put: { Item: { ...book, words: ['never', ...words] } } })
        }
      }
    }
    await world.table.write.batch(strays)
    // of each chat its own, its thread's and its word
    expect(await world.indexOf(license)).toHaveLength(index.length + 3 * ids.length)
    expect(await world.reindex(license)).toMatchObject({ code: 0 })
    expect(await world.indexOf(license)).toEqual(index)
  })

  test('takes the words of messages away where texts are not indexed, and puts them back where they are', async () => {
    const { license, index } = await withIndex(2)
    const set = (to: string) => world.admin('license', 'set', license, '--index-texts', to)
    expect((await set('off')).out).toContain(`until: reindex ${license}.`)
    // the second time there is nothing left to take away
    for (const _ of [1, 2]) {
      expect(await world.reindex(license)).toMatchObject({ code: 0 })
      expect(await world.indexOf(license)).toEqual(index.filter((posting) => !posting.startsWith('T.word:')))
    }
    expect((await set('on')).out).toContain(`For those of old ones: reindex ${license}.`)
    expect(await world.reindex(license)).toMatchObject({ code: 0 })
    expect(await world.indexOf(license)).toEqual(index)
  })

  test('says that there is no such license, and that one has no chats', async () => {
    expect(await world.reindex('nobody')).toEqual({
      code: 1,
      out: '',
      err: 'error: There is no license nobody. See license list, or make it with license create.\n',
    })
    const license = await world.license()
    expect(await world.reindex(license)).toMatchObject({
      code: 0,
      out: expect.stringContaining(`Reindexed license ${license}: 0 chats, 0 threads, in `),
    })
  })

  test.each([1, 2, 3, 5, 6])('finds all of five chats, %i at a time', async (atOnce) => {
    const { license, ids } = await world.licenseOf(5)
    const { client, tableName } = world
    const access = openAccess(
      (signal) => openTable({ client, tableName, signal }),
      () => now,
    )
    expect(await Array.fromAsync(eachChatId(access, license, undefined, atOnce))).toEqual(ids)
    expect(await Array.fromAsync(eachChatId(access, license, ids[1], atOnce))).toEqual(ids.slice(2))
  })
})

describe('admin reindex shows how far it is', () => {
  let license: string
  beforeAll(async () => {
    license = (await world.licenseOf(8)).license
  })

  test('in a line now and then, and a summary at its end', async () => {
    const { code, out, err } = await world.reindex(license, hasty())
    expect(code).toBe(0)
    expect(out).toMatch(/^Reindexed license .+: 8 chats, 8 threads, in .+\.\n$/)
    const lines = err.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(1)
    for (const line of lines)
      expect(line).toMatch(/^\d+ of 8 chats, \d+ threads?, \d+(\.\d)? chats\/s(, .+ (s|min) left)?$/)
    expect(Number(lines.at(-1)!.split(' ')[0])).toBeGreaterThan(Number(lines[0]!.split(' ')[0]))
  })

  test('on a terminal in one line that fits it and is gone in the end', async () => {
    const { err } = await world.reindex(license, { ...hasty(), width: () => 40 })
    expect(err).not.toContain('\n')
    const [nothing, ...shown] = err.split('\r')
    expect([nothing, shown.pop()]).toEqual(['', '\u{1b}[K'])
    expect(shown.length).toBeGreaterThan(1)
    for (const line of shown) {
      expect(line.endsWith('\u{1b}[K')).toBe(true)
      expect(line.slice(0, -3)).toMatch(/^\d+ of 8 chats.{0,28}$/)
    }
  })

  test('as JSON where it is told to, with nothing else beside it', async () => {
    const { code, out, err } = await world.reindex(license, {}, '--json')
    expect([code, err]).toEqual([0, ''])
    expect(JSON.parse(out)).toEqual({
      license_id: license,
      end: 'done',
      chats: { total: 8, done: 8, failed: [] },
      threads: 8,
      began_at: now / 1000,
      resumed: false,
      seconds: 0,
    })
  })
})

describe('admin reindex that is cut short', () => {
  test('goes on where it was: what is done is not done again', { tags: ['full'] }, async () => {
    const { license, ids, index } = await withIndex(24)
    let resumed = 0
    for (const calls of [120, 260]) {
      await world.forget(license, ids)
      let left = calls
      // all that is asked of the table then fails
      world.proxy.setFault(() => ((left -= 1) < 0 ? { errorType: 'AccessDeniedException' } : undefined))
      const first = await world.reindex(license, hasty())
      world.proxy.setFault(undefined)
      expect([first.code, first.out]).toEqual([1, ''])
      const reached = await world.progressOf(license)
      expect(reached?.chats ?? 0).toBe(reached === undefined ? 0 : ids.indexOf(reached.after!) + 1)

      const { result, calls: made } = await world.proxy.record(() =>
        world.reindex(license, dayLater, '--json'),
      )
      const done = reached === undefined ? 0 : reached.chats - reached.failed.length
      expect(JSON.parse(result.out)).toMatchObject({
        end: 'done',
        resumed: reached !== undefined,
        chats: { total: 24, done: 24, failed: [] },
      })
      const to = reached?.after ?? ''
      expect(chatsIn(made)).toEqual(ids.filter((id) => id > to || reached?.failed.includes(id)))
      if (reached !== undefined) {
        resumed += 1
        expect(result.err).toBe(
          `Going on with the run of ${new Date(reached.began_at).toISOString().slice(0, 19)}Z: ` +
            `${done} of 24 chats are done. --restart begins anew.\n`,
        )
      }
      expect(await world.indexOf(license)).toEqual(index)
      expect(await world.progressOf(license)).toBeUndefined()
    }
    expect(resumed).toBeGreaterThan(1)
  })

  test(
    'ends what it is at where it is interrupted, and says that it is to be given again',
    { tags: ['full'] },
    async () => {
      const { license, ids, index } = await forgotten(20)
      let stop = () => {}
      let forgets = 0
      let seen = 0
      world.proxy.setFault(({ request }) => {
        if (JSON.stringify(request).includes('INDEX#') && (seen += 1) === 60) stop()
        return undefined
      })
      const { code, out, err } = await world.reindex(license, {
        onInterrupt: (run) => {
          stop = run
          return () => (forgets += 1)
        },
      })
      world.proxy.setFault(undefined)
      expect([code, out, forgets]).toEqual([1, '', 1])
      const { chats: done } = (await world.progressOf(license))!
      expect(done).toBeGreaterThan(0)
      expect(done).toBeLessThan(20)
      expect(err).toBe(
        'Stopping, once what is under way is done.\n' +
          `error: Stopped. ${done} of 20 chats are done.\nGive the command again to go on.\n`,
      )
      // nothing is left half done
      const half = await world.indexOf(license)
      const chatOf = (posting: string) => posting.split('#').at(-1)!.split('_')[0]
      const begun = new Set(half.map(chatOf))
      expect([...begun].sort().slice(0, done)).toEqual(ids.slice(0, done))
      expect(half).toEqual(index.filter((posting) => begun.has(chatOf(posting))))
      const again = await world.reindex(license)
      expect(again.out).toContain(`: 20 chats, ${20 - done} of them now, `)
      expect(await world.indexOf(license)).toEqual(index)
    },
  )

  test(
    'lists chats that fail, with the others done, and then tries these alone again',
    { tags: ['full'] },
    async () => {
      const { license, ids, index } = await forgotten(12)
      const broken = [ids[3]!, ids[9]!]
      const tries = new Map<string, number>()
      world.proxy.setFault(({ operation, request }) => {
        const id = broken.find((chat) => (request as any).Item?.pk?.S === keys.chat(chat).pk)
        if (operation !== 'PutItem' || id === undefined) return undefined
        tries.set(id, (tries.get(id) ?? 0) + 1)
        return { errorType: 'ValidationException' }
      })
      const failed = await world.reindex(license, {}, '--json')
      expect(failed.code).toBe(1)
      const failures = broken.map((id) => ({ id, error: 'ValidationException: Injected' }))
      const answer = JSON.parse(failed.out)
      expect(answer).toMatchObject({ end: 'done', chats: { total: 12, done: 10 }, resumed: false })
      expect(answer.chats.failed.toSorted((a: any, b: any) => (a.id < b.id ? -1 : 1))).toEqual(failures)
      expect(failed.err).toContain('error: It has ended. 10 of 12 chats are done; these failed:\n  ')
      expect(failed.err).toContain(`  ${broken[0]}  ValidationException: Injected\n`)
      expect([...tries.values()].every((count) => count >= 3)).toBe(true)
      const others = (posting: string) => !broken.some((id) => posting.includes(id))
      expect((await world.indexOf(license)).filter(others)).toEqual(index.filter(others))

      world.proxy.setFault(undefined)
      const { result, calls } = await world.proxy.record(() => world.reindex(license))
      expect(result.out).toContain(': 12 chats, 2 of them now, ')
      expect(chatsIn(calls)).toEqual(broken)
      expect(await world.indexOf(license)).toEqual(index)
      expect(await world.progressOf(license)).toBeUndefined()
    },
  )

  test('gives up where chat after chat fails, and goes on behind them', { tags: ['full'] }, async () => {
    const { license, ids, index } = await forgotten(36)
    let isOut = false
    world.proxy.setFault(({ operation, request }) => {
      isOut ||= JSON.stringify(request).includes(keys.chat(ids[5]!).pk)
      return isOut && operation === 'BatchGetItem' ? { errorType: 'AccessDeniedException' } : undefined
    })
    const { code, err } = await world.reindex(license)
    world.proxy.setFault(undefined)
    expect(code).toBe(1)
    expect(err).toMatch(
      /error: Too many chats failed, and the others were left\. \d+ of 36 chats are done; these failed:\n/,
    )
    const reached = (await world.progressOf(license))!
    expect(reached.failed.length).toBeGreaterThanOrEqual(20)
    expect(reached.chats).toBeLessThan(36)
    const { result, calls } = await world.proxy.record(() => world.reindex(license))
    expect(result).toMatchObject({ code: 0 })
    expect(chatsIn(calls)).toEqual(ids.filter((id) => id > reached.after! || reached.failed.includes(id)))
    expect(await world.indexOf(license)).toEqual(index)
  })

  test(
    'begins anew with --restart, and where texts were turned on or off since',
    { tags: ['full'] },
    async () => {
      const { license, ids, index } = await withIndex(6)
      const began_at = Date.parse('2026-11-01T10:00:00Z')
      const half = (more: Partial<Reindexing> = {}) =>
        world.table.write.write(
          reindexingMoved(license, { began_at, texts: true, after: ids[3]!, chats: 4, failed: [], ...more }),
        )
      await half()
      const some = await world.proxy.record(() => world.reindex(license))
      expect(chatsIn(some.calls)).toEqual(ids.slice(4))
      await half()
      const all = await world.proxy.record(() => world.reindex(license, {}, '--restart'))
      expect(chatsIn(all.calls)).toEqual(ids)
      expect(all.result.err).toBe('')
      await half({ texts: false })
      const changed = await world.proxy.record(() => world.reindex(license))
      expect(chatsIn(changed.calls)).toEqual(ids)
      expect(changed.result.err).toContain(
        'Indexing texts was turned on after the run of 2026-11-01T10:00:00Z: ',
      )
      expect(await world.indexOf(license)).toEqual(index)
    },
  )

  test('says to be run again where texts are turned off while it runs', { tags: ['full'] }, async () => {
    const { license, ids } = await world.licenseOf(6)
    let isOff = false
    world.proxy.setFault(async ({ request }) => {
      if (isOff || !JSON.stringify(request).includes(`CHAT#${ids[3]!}`)) return undefined
      isOff = true
      await changeLicense(world.table, license, { index_texts: false })
      return undefined
    })
    const { code, err } = await world.reindex(license)
    expect([code, err]).toEqual([0, 'note: Indexing texts was turned off meanwhile. Run it once more.\n'])
    world.proxy.setFault(undefined)
    expect(await world.reindex(license)).toMatchObject({ code: 0, err: '' })
    expect(await world.wordsOf(license)).toEqual([])
  })
})
