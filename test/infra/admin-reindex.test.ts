import { describe, expect, test } from 'vitest'
import { withWord } from '../../shared/chat/index-lists.ts'
import { keys } from '../../shared/table/keys.ts'
import type { Standing } from '../../shared/table/manifests.ts'
import type { Op } from '../../shared/table/ops.ts'
import { posted } from '../../shared/table/postings.ts'
import {
  admin,
  reindex,
  hasty,
  itemsUnder,
  listsPk,
  indexOf,
  wordsOf,
  deleted,
  booksOf,
  start,
  populated,
  progressOf,
  world,
} from './reindexing.ts'

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
