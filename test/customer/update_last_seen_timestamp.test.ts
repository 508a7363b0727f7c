import { beforeAll, describe, expect, test } from 'vitest'
import { readChatRecord } from '../../shared/table/chat/read-chats.ts'
import { keys } from '../../shared/table/keys.ts'
import { tailRange } from '../../shared/table/chat/log-ranges.ts'
import type { CustomerClient } from '../support/client.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { denied, notFound } from '../support/wire-errors.ts'
import { next, openReception } from './reception.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ delayScale: 1000 })
})

const longAgo = 1_600_000_000
const nowS = () => Math.floor(Date.now() / 1000)
const seenBy = async (chat: string, user: string) =>
  (await readChatRecord(world.table.read, chat))?.seen.get(user)

const lastSentBy = async (client: CustomerClient, chat_id: string, author: string): Promise<number> => {
  const { chat } = await client.ok('get_chat_threads', { chat_id })
  const { users, threads } = chat
  const { timestamp } = threads[0].events.findLast(({ author_id }: any) => author_id === author)
  expect(users.find(({ id }: any) => id === author)).toMatchObject({ last_seen_timestamp: timestamp })
  return timestamp
}
/** Has the end of a chat's log say that a customer sent nothing since long ago. */
const sentLongAgo = async (chat: string, author: string): Promise<void> => {
  const [last] = await world.table.read.query({ ...tailRange(chat, true), limit: 1 })
  expect(last).toMatchObject({ authors: { [author]: expect.any(Number) } })
  const key = { pk: keys.chat(chat).pk, sk: String(last!['sk']) }
  await world.table.write.write({ Put: { Item: { ...last, ...key, authors: { [author]: longAgo - 1 } } } })
}

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
    // a time beyond now is now
    for (const payload of [{ chat_id: null, timestamp: null }, { timestamp: 9_000_000_000 }]) {
      const answer = await carl.ok('update_last_seen_timestamp', payload)
      expect(answer.timestamp).toBeGreaterThanOrEqual(before)
      expect(answer.timestamp).toBeLessThanOrEqual(nowS())
    }
  })

  test('takes a time, never moves back, answers the time in force and tells only of what moved', async () => {
    const { carl, tab, id, chat_id, forget, silence } = await openReception(world)
    const ask = (timestamp: number) => tab.ok('update_last_seen_timestamp', { chat_id, timestamp })
    const sent = await lastSentBy(carl, chat_id, id)
    // up to what it has sent it has seen the chat
    expect(await ask(longAgo)).toEqual({ timestamp: sent })
    await silence()
    // no thread need be active
    await carl.ok('close_thread', { chat_id })
    await sentLongAgo(chat_id, id)
    await world.table.write.write({ Delete: { Key: keys.chatSeen(chat_id, id) } })
    await forget()
    for (const timestamp of [longAgo, longAgo + 1]) {
      expect(await ask(timestamp)).toEqual({ timestamp })
      expect(await carl.next('last_seen_timestamp_updated')).toMatchObject({ timestamp })
    }
    await tab.received()
    for (const timestamp of [longAgo + 1, longAgo, 0])
      expect(await ask(timestamp)).toEqual({ timestamp: longAgo + 1 })
    for (const client of [carl, tab]) await client.receivesNothing()
    expect(await seenBy(chat_id, id)).toBe(longAgo + 1)

    // the same where another of its tabs has seen more
    await forget()
    const timestamp = nowS() + 60
    await world.table.write.write({ Put: { Item: { ...keys.chatSeen(chat_id, id), user: id, timestamp } } })
    expect(await carl.ok('update_last_seen_timestamp')).toEqual({ timestamp })
    await silence()
  })

  test('is refused to who has no chat yet, or was removed from it, also where it names none', async () => {
    const { license, carl, id, chat_id, staff } = await openReception(world)
    const { client: early } = await license.visit({ customer: { name: 'Early' } })
    expect(await early.refused('update_last_seen_timestamp')).toEqual(notFound)
    await staff.ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
    expect(await carl.refused('update_last_seen_timestamp')).toEqual(
      denied('You cannot set last seen timestamp'),
    )
    expect(await seenBy(chat_id, id)).toBeUndefined()
  })
})
