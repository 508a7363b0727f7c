import { beforeAll, expect, test } from 'vitest'
import type { Client } from '../support/client.ts'
import { startWorld, type World } from '../support/world.ts'

let world: World
let ann: Client
beforeAll(async () => {
  world = await startWorld({ index: true })
  const license = await world.license({ ann: {}, ben: {} })
  ann = await license.login('ann')
})

interface BatchWrite {
  PutRequest?: { Item: { pk: { S: string } } }
  DeleteRequest?: { Key: { pk: { S: string } } }
}

/** The items that the index's worker writes because of a request, and in how many calls. */
const indexWritesOf = async (request: () => Promise<unknown>): Promise<{ items: number; calls: number }> => {
  await world.settled()
  const { calls } = await world.proxy.record(async () => {
    await request()
    await world.settled()
  })
  const writes = calls.flatMap(({ operation, request: sent }): number[] => {
    const [batch = []] = Object.values(sent.RequestItems ?? {}) as BatchWrite[][]
    if (operation === 'BatchWriteItem') return [batch.length]
    const { sk } = (sent.Item ?? {}) as { sk?: { S: string } }
    return operation === 'PutItem' && /^(INDEX|WORDS)#/.test(sk?.S ?? '') ? [1] : []
  })
  return { items: writes.reduce((sum, count) => sum + count, 0), calls: writes.length }
}

const wordsOf = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => `word${from + i}`).join(' ')
const message = (text: string) => ({ type: 'message', text })

test('a message of n new words costs at most n + 6 index writes, in batches; one without any costs none', async () => {
  const { chat } = await ann.ok('start_chat', { initial_events: [message('hello')] })
  const send = (text: string) => () => ann.ok('send_event', { chat_id: chat.id, event: message(text) })
  for (const count of [1, 5, 20, 100, 200]) {
    const { items, calls } = await indexWritesOf(send(wordsOf(count, count * 1000)))
    expect(items).toBeGreaterThanOrEqual(count)
    expect(items).toBeLessThanOrEqual(count + 6)
    expect(calls).toBeLessThanOrEqual(Math.ceil(count / 25) + 6)
    // said again
    expect(await indexWritesOf(send(wordsOf(count, count * 1000)))).toEqual({ items: 0, calls: 0 })
  }
})

test('of the words of one message 200 are indexed, of a thread 2,000', async () => {
  const { chat } = await ann.ok('start_chat', { initial_events: [message('hello')] })
  const send = (text: string) => () => ann.ok('send_event', { chat_id: chat.id, event: message(text) })
  expect((await indexWritesOf(send(wordsOf(300, 10_000)))).items).toBeLessThanOrEqual(206)
  let items = 1 + 200
  for (let turn = 1; items < 2000; turn += 1)
    items += (await indexWritesOf(send(wordsOf(200, 10_000 + turn * 1000)))).items - 1
  expect(items).toBe(2000)
  expect(await indexWritesOf(send('zeppelin'))).toEqual({ items: 0, calls: 0 })
})
