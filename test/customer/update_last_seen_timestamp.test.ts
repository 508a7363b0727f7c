import { beforeAll, describe, expect, test } from 'vitest'
import { readChatRecord } from '../../shared/table/chats.ts'
import { keys } from '../../shared/table/keys.ts'
import { startWorld, type World } from '../support/world.ts'
import { denied, invalid, notFound, openReception, refusesAsAll, next } from './reception.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ delayScale: 1000 })
})

const sentence = 'You cannot set last seen timestamp'
const longAgo = 1_600_000_000
const nowS = () => Math.floor(Date.now() / 1000)
const seenBy = async (chat: string, user: string) =>
  (await readChatRecord(world.table.read, chat))?.seen.get(user)

describe('update_last_seen_timestamp', () => {
  test('needs no chat_id and no timestamp: the customer has seen its chat up to now', async () => {
    const { carl, tab, id, chat_id, watching, silence } = await openReception(world)
    const before = nowS()
    const { timestamp, ...rest } = await carl.ok('update_last_seen_timestamp')
    expect(rest).toEqual({})
    expect(timestamp).toBeGreaterThanOrEqual(before)
    expect(timestamp).toBeLessThanOrEqual(nowS())
    for (const client of [...watching, carl, tab])
      expect(await next(client, 'last_seen_timestamp_updated')).toEqual({ user_id: id, chat_id, timestamp })
    await silence()
    expect(await seenBy(chat_id, id)).toBe(timestamp)
  })

  test.each([
    ['null for both', { chat_id: null, timestamp: null }],
    ['a time beyond now', { timestamp: 9_000_000_000 }],
  ])('with %s means now', async (_what, payload) => {
    const { carl } = await openReception(world)
    const before = nowS()
    const { timestamp } = await carl.ok('update_last_seen_timestamp', payload)
    expect(timestamp).toBeGreaterThanOrEqual(before)
    expect(timestamp).toBeLessThanOrEqual(nowS())
  })

  test('takes a time, never moves back, answers the time in force and tells only of what moved', async () => {
    const { carl, tab, id, chat_id, silence } = await openReception(world)
    const ask = (timestamp: number) => tab.ok('update_last_seen_timestamp', { chat_id, timestamp })
    for (const timestamp of [longAgo, longAgo + 1]) {
      expect(await ask(timestamp)).toEqual({ timestamp })
      expect(await carl.next('last_seen_timestamp_updated')).toMatchObject({ timestamp })
    }
    await tab.received()
    for (const timestamp of [longAgo + 1, longAgo, 0])
      expect(await ask(timestamp)).toEqual({ timestamp: longAgo + 1 })
    for (const client of [carl, tab]) await client.receivesNothing()
    expect(await seenBy(chat_id, id)).toBe(longAgo + 1)
    await expect(silence()).rejects.toThrow('last_seen_timestamp_updated')
  })

  test('answers the time in force where another of its tabs has seen more', async () => {
    const { carl, id, chat_id, silence } = await openReception(world)
    const timestamp = nowS() + 60
    await world.table.write.write({ Put: { Item: { ...keys.chatSeen(chat_id, id), user: id, timestamp } } })
    expect(await carl.ok('update_last_seen_timestamp')).toEqual({ timestamp })
    await silence()
  })

  test('works where no thread is active', async () => {
    const { carl, chat_id, forget } = await openReception(world)
    await carl.ok('close_thread', { chat_id })
    await forget()
    const { timestamp } = await carl.ok('update_last_seen_timestamp', { chat_id })
    expect(await carl.next('last_seen_timestamp_updated')).toMatchObject({ timestamp })
  })

  test('is refused with not_found to a customer that has no chat yet', async () => {
    const { client } = await (await world.license({})).visit({ customer: { name: 'Early' } })
    expect(await client.refused('update_last_seen_timestamp')).toEqual(notFound)
  })

  test('is refused to who was removed, also where it names no chat', async () => {
    const { carl, id, chat_id, staff } = await openReception(world)
    await staff.ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
    expect(await carl.refused('update_last_seen_timestamp')).toEqual(denied(sentence))
    expect(await seenBy(chat_id, id)).toBeUndefined()
  })

  test.each([
    ['text', 'now'],
    ['a fraction', 1.5],
    ['a time before 1970', -1],
    ['a list', [1]],
  ])('is refused with validation for %s', async (_what, timestamp) => {
    const { client } = await (await world.license({})).visit()
    expect(await client.refused('update_last_seen_timestamp', { timestamp })).toEqual(
      invalid('payload.timestamp'),
    )
  })

  test('is refused as every action on a chat is', () =>
    refusesAsAll(
      world,
      'update_last_seen_timestamp',
      (chat_id) => ({ chat_id, timestamp: longAgo }),
      sentence,
      { chatOptional: true },
    ))
})
