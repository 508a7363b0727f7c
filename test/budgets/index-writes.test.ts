import { afterAll, beforeAll, expect, test } from 'vitest'
import { mostWordsOfCustomers } from '../../shared/archive/index/index-words.ts'
import { count, countedLicense } from '../../shared/table/counters.ts'
import type { Client } from '../support/client.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'

let world: World
let license: License
let ann: Client
const figures: string[] = []
afterAll(() => void process.stdout.write(`\n${figures.join('\n')}\n`))
beforeAll(async () => {
  world = await sharedWorld({ index: true })
  license = await world.license({ ann: {}, ben: {} })
  ann = await license.login('ann')
})

interface BatchWrite {
  PutRequest?: { Item: { pk: { S: string } } }
  DeleteRequest?: { Key: { pk: { S: string } } }
}

interface Writes {
  items: number
  calls: number
  rru: number
}

/**
 * The items that the index's worker writes because of a request, in how many calls, and what it reads;
 * `name` prints what that costs.
 */
const indexWritesOf = async (request: () => Promise<unknown>, name?: string): Promise<Writes> => {
  await world.settled()
  const { result: answeredAt, calls } = await world.proxy.record(async () => {
    await request()
    const answered = performance.now()
    await world.settled()
    return answered
  })
  const after = calls.filter(({ startedAt }) => startedAt >= answeredAt)
  const total = (unit: 'rru' | 'wru') => after.reduce((sum, call) => sum + call[unit], 0)
  if (name !== undefined) figures.push(`index, ${name}: ${total('rru')} RRU, ${total('wru')} WRU`)
  const writes = calls.flatMap(({ operation, request: sent }): number[] => {
    const [batch = []] = Object.values(sent.RequestItems ?? {}) as BatchWrite[][]
    if (operation === 'BatchWriteItem') return [batch.length]
    const { sk } = (sent.Item ?? {}) as { sk?: { S: string } }
    return operation === 'PutItem' && /^(INDEX|WORDS)#/.test(sk?.S ?? '') ? [1] : []
  })
  return { items: writes.reduce((sum, count) => sum + count, 0), calls: writes.length, rru: total('rru') }
}

const wordsOf = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => `word${from + i}`).join(' ')
const message = (text: string) => ({ type: 'message', text })

test('a message of n new words costs n + 1 index writes, in batches; one without any costs none', async () => {
  const { chat } = await ann.ok('start_chat', { initial_events: [message('hello')] })
  const send = (text: string) => () => ann.ok('send_event', { chat_id: chat.id, event: message(text) })
  for (const count of [1, 20, 200]) {
    const { items, calls, rru } = await indexWritesOf(
      send(wordsOf(count, count * 1000)),
      `a message of ${count} new words`,
    )
    expect(items).toBe(count + 1)
    expect(calls).toBe(Math.ceil(count / 25) + 1)
    expect(rru).toBeLessThanOrEqual(2)
    // said again
    const again = await indexWritesOf(send(wordsOf(count, count * 1000)), `the same ${count} words again`)
    expect(again).toMatchObject({ items: 0, calls: 0 })
    expect(again.rru).toBeLessThanOrEqual(2)
  }
})

test('single digits and syllables are written once a thread, and count as any words do', async () => {
  const { chat } = await ann.ok('start_chat', { initial_events: [message('hello')] })
  const send = (text: string) => () => ann.ok('send_event', { chat_id: chat.id, event: message(text) })
  const digits = '0 1 2 3 4 5 6 7 8 9 '.repeat(50)
  const { items } = await indexWritesOf(send(digits), 'a message of the ten digits')
  expect(items).toBe(10 + 1)
  expect(await indexWritesOf(send('7 + 1, 3 + 9'))).toMatchObject({ items: 0, calls: 0 })
  const syllables = Array.from({ length: 300 }, (_, i) => String.fromCodePoint(0xac00 + i)).join(' ')
  expect((await indexWritesOf(send(syllables))).items).toBeLessThanOrEqual(206)
})

test('what else is written to the index', async () => {
  const start = (chat: object) => () => ann.ok('start_chat', { chat, initial_events: [message('hello')] })
  await indexWritesOf(start({}), 'a new chat of one agent, with its first message of one word')
  await indexWritesOf(start({ scopes: { agents: ['ben'] } }), 'the same, scoped to an agent')
  const { chat } = await start({})()
  const chat_id = chat.id
  const joins = await indexWritesOf(
    () => ann.ok('join_chat', { chat_id, agent_ids: ['ben'] }),
    'an agent joins',
  )
  const rated = { chat_id, thread_id: `${chat_id}_1`, properties: { rating: { score: 1 } } }
  const rates = await indexWritesOf(() => ann.ok('update_chat_thread_properties', rated), 'a rating')
  const tagged = { chat_id, thread_id: `${chat_id}_1`, tag: 'refund' }
  const tags = await indexWritesOf(() => ann.ok('tag_thread', tagged), 'a first tag')
  const more = { ...tagged, tag: 'vip' }
  const tagsMore = await indexWritesOf(() => ann.ok('tag_thread', more), 'a second tag')
  const closes = await indexWritesOf(() => ann.ok('close_thread', { chat_id }), 'a thread is closed')
  // of thread and chat the agent's presence, and of the thread its user, with what is noted of both, which
  // may come apart
  expect(joins.items).toBeLessThanOrEqual(3 + 2 * 2 + 2)
  // the property and its value
  expect([rates.items, closes.items]).toEqual([2 + 2, 0])
  // the tag, and that there is one
  expect([tags.items, tagsMore.items]).toEqual([2 + 2, 1 + 2])
})

test('of the words of one message 200 are indexed, of a thread 2,000', { tags: ['full'] }, async () => {
  const { chat } = await ann.ok('start_chat', { initial_events: [message('hello')] })
  const send = (text: string) => () => ann.ok('send_event', { chat_id: chat.id, event: message(text) })
  expect((await indexWritesOf(send(wordsOf(300, 10_000)))).items).toBeLessThanOrEqual(206)
  let items = 1 + 200
  for (let turn = 1; items < 2000; turn += 1)
    items += (await indexWritesOf(send(wordsOf(200, 10_000 + turn * 1000)))).items - 1
  expect(items).toBe(2000)
  expect(await indexWritesOf(send('zeppelin'))).toMatchObject({ items: 0, calls: 0 })
})

test(
  'once a license’s customers have brought too many words in a minute, 25 of each of their messages are indexed',
  { tags: ['full'] },
  async () => {
    const { client } = await license.visit()
    const { chat } = await client.ok('start_chat')
    const send = (by: Pick<Client, 'ok'>, text: string) => () =>
      by.ok('send_event', { chat_id: chat.id, event: message(text) })
    expect((await indexWritesOf(send(client, wordsOf(100, 20_000)))).items).toBe(100 + 1)
    // this minute, and the next where it begins meanwhile
    for (const minute of [0, 1])
      await count(world.table.write, countedLicense(license.id), 'words', Date.now() + minute * 60_000, {
        by: mostWordsOfCustomers,
      })
    const flooded = await indexWritesOf(send(client, wordsOf(100, 21_000)))
    expect(flooded.items).toBe(25 + 1)
    const totalOf = async (query: string) =>
      (await ann.ok('get_archives', { filters: { query } })).pagination.total as number
    expect([await totalOf('word21024'), await totalOf('word21025')]).toEqual([1, 0])
    // what people say is no more than that, and agents are no strangers
    expect((await indexWritesOf(send(client, wordsOf(25, 22_000)))).items).toBe(25 + 1)
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ann'] })
    expect((await indexWritesOf(send(ann, wordsOf(100, 23_000)))).items).toBe(100 + 1)
    const other = await world.license({ ann: {} })
    const { client: elsewhere } = await other.visit()
    const begun = await indexWritesOf(() =>
      elsewhere.ok('start_chat', { chat: { thread: { events: [message(wordsOf(100, 24_000))] } } }),
    )
    expect(begun.items).toBeGreaterThan(100)
  },
)
