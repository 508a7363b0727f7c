import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { changeLicense } from '../../shared/provisioning/change-license.ts'
import { keys } from '../../shared/table/keys.ts'
import type { Op } from '../../shared/table/ops.ts'
import { startEngines } from '../support/engines.ts'
import { openReindexing, type Reindexed } from './reindexing.ts'

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

/** A chat of so many threads, and what is to stand of it in the index. */
const withThreads = async (threads: number) => {
  const license = await world.license()
  const chat = await world.chat(license, `${license}x`, { threads })
  return { license, chat }
}
const indexed = async (license: string) => {
  await world.reindex(license)
  const index = await world.indexOf(license)
  await world.forget(license)
  return index
}
/** How many manifests a call asks for: as many threads are taken at a time. */
const asked = ({ operation, request }: { operation: string; request: any }): number =>
  operation === 'BatchGetItem' ? request.RequestItems[world.tableName].Keys.length : 0

test('the threads of a chat are taken some at a time, however many there are', async () => {
  const { license, chat } = await withThreads(220)
  const { calls, result } = await world.proxy.record(() => world.reindexOne(chat))
  expect(result).toEqual([100, 100, 20])
  expect(Math.max(...calls.map(asked))).toBe(100)
  const index = await world.indexOf(license)
  for (const list of ['T.all', 'T.word:thread'])
    expect(index.filter((posting) => posting.startsWith(`${list}#`))).toHaveLength(220)
  expect(index.filter((posting) => posting.startsWith('C.all#'))).toEqual([
    expect.stringMatching(new RegExp(`#${chat}_220$`)),
  ])
})

test('fewer threads are taken at a time where so many take too long', async () => {
  const { license, chat } = await withThreads(12)
  const index = await indexed(license)
  let timeUp = () => {}
  world.proxy.setFault((call) => {
    if (asked(call) > 5) timeUp()
    return undefined
  })
  const deadline = () => {
    const late = new AbortController()
    timeUp = () => late.abort()
    return late.signal
  }
  expect(await world.reindexOne(chat, { deadline })).toEqual([3, 3, 3, 3])
  expect(await world.indexOf(license)).toEqual(index)
})

test('what takes too long even so gets twice the time, four times, and is given up', async () => {
  const { chat } = await withThreads(1)
  const gaveUp = Promise.withResolvers<undefined>()
  world.proxy.setFault(() => gaveUp.promise)
  await expect(world.reindexOne(chat, { limitMs: 2 })).rejects.toThrow('Took longer than 0.032 s')
  gaveUp.resolve(undefined)
})

test('a chat waits until the table takes more where it is throttled', async () => {
  const { license, chat } = await withThreads(3)
  const index = await indexed(license)
  let refusals = 0
  world.proxy.setFault(({ operation }) =>
    operation === 'BatchWriteItem' && (refusals += 1) <= 8
      ? { errorType: 'ProvisionedThroughputExceededException' }
      : undefined,
  )
  expect(await world.reindexOne(chat)).toEqual([3])
  expect(refusals).toBeGreaterThan(8)
  expect(await world.indexOf(license)).toEqual(index)
})

test('a thread has words in any number of portions', async () => {
  const license = await world.license()
  const word = (n: number) => `${'ж'.repeat(37)}${n.toString(36).padStart(3, '0')}`
  const messages = Array.from({ length: 105 }, (_, m) =>
    Array.from({ length: 12 }, (_, n) => word(m * 12 + n)),
  )
  const texts = () => messages.map((words) => words.join(' '))
  const chat = await world.chat(license, `${license}x`, { texts })
  await world.reindex(license)
  const index = await world.indexOf(license)
  expect(await world.wordsOf(license)).toHaveLength(1260)
  const portions = async () => (await world.booksOf(chat)).filter(({ sk }) => sk.startsWith('WORDS#'))
  expect((await portions()).length).toBeLessThan(50)

  // as they are where messages came one by one, each of which fills a portion
  const oneByOne = messages.map((words, m): Op => ({
    Put: { Item: { ...keys.words(chat, 1, m), words, up_to: m + 1 } },
  }))
  await world.table.write.batch(oneByOne)
  expect(await world.reindex(license)).toMatchObject({ code: 0 })
  expect((await portions()).length).toBeLessThan(50)
  expect(await world.indexOf(license)).toEqual(index)
  // all of them are known, else they were never taken away
  await world.table.write.batch(oneByOne)
  await changeLicense(world.table, license, { index_texts: false })
  expect(await world.reindex(license)).toMatchObject({ code: 0 })
  expect(await world.wordsOf(license)).toEqual([])
})
