import { beforeAll, describe, expect, test, vi } from 'vitest'
import { accessAtOnce } from '../../shared/archive/index/index-chat.ts'
import type { Table } from '../../shared/table/client.ts'
import { chatPk, keys, manifestPrefix } from '../../shared/table/keys.ts'
import { lastNumberOf } from '../../shared/table/key-prefixes.ts'
import { beginAt } from '../support/clock.ts'
import type { Client } from '../support/client.ts'
import type { Call } from '../support/engine-proxy.ts'
import { message } from '../support/events.ts'
import { type License, startWorld, type World } from '../support/world.ts'
import { chatOps } from './generated.ts'
import type { ChatModel } from './naive.ts'
import { manifestOps, putAll, putAndIndex } from './put.ts'

const licenseId = 'l-many-threads'
const chatId = 'c0manythreads'
const now = Date.UTC(2026, 6, 15, 12)

const chatOf = (threads: number): ChatModel => {
  const at = now + 60_000
  return {
    id: chatId,
    users: [{ id: 'ann', type: 'agent', present: true, met: true }],
    scopes: { groups: [1], agents: [] },
    properties: {},
    active: false,
    threads: Array.from({ length: threads }, (_, i) => ({
      n: i + 1,
      at: at + i,
      userIds: new Set(['ann']),
      properties: {},
      events: [{ type: 'message', text: 'hello', author_id: 'ann', recipients: 'all' }],
    })),
  }
}

/** Whether a call reads what is indexed of several threads. */
const readsManifests = ({ operation, request }: Call): boolean => {
  const [{ Keys = [] } = {}] = Object.values(request.RequestItems ?? {}) as {
    Keys?: { sk: { S: string } }[]
  }[]
  return operation === 'BatchGetItem' && Keys.filter(({ sk }) => sk.S.startsWith(manifestPrefix)).length > 1
}

/** Whose manifests are written, by number, the last ones first. */
const threadsWritten = (calls: readonly Call[]): number[] => {
  const written = calls.flatMap(({ operation, request: { Item } }) => {
    const { pk, sk } = (Item ?? {}) as { pk?: { S: string }; sk?: { S: string } }
    const isOurs = operation === 'PutItem' && pk?.S === chatPk(chatId) && sk?.S.startsWith(manifestPrefix)
    return isOurs === true ? [lastNumberOf({ sk: sk!.S })] : []
  })
  return [...new Set(written)].filter((n) => n > 0).toSorted((one, other) => other - one)
}
/** The threads below one that follow in a run. */
const oneRun = (below: number): number[] => Array.from({ length: accessAtOnce }, (_, i) => below - 1 - i)

/** A chat of very many threads changes who may see it, while others are written to. */
export const testManyThreads = (threads: number): void => {
  describe(`a chat of ${threads} threads that changes its scopes`, () => {
    beginAt(now)
    let world: World
    let license: License
    let ben: Client
    beforeAll(async () => {
      // before the index's worker looks
      const prepare = (table: Table) => putAndIndex(table, licenseId, [chatOf(threads)])
      world = await startWorld({ index: true, prepare })
      license = await world.license(
        { ann: { permission: 'owner' }, ben: { groups: [2] } },
        { id: licenseId, groups: ['A', 'B'] },
      )
      ben = await license.login('ben')
    })

    const totalOf = async (filters: object) =>
      (await ben.ok('get_archives', { filters })).pagination.total as number

    test('is found by those who gain access, the newest threads first, and holds no other chat up', async () => {
      const ann = await license.login('ann')
      await world.settled()
      expect(await totalOf({})).toBe(0)

      const goOn = world.queue.hold()
      await ann.ok('update_chat_scopes', { chat_id: chatId, add_scopes: { groups: [2] } })
      await ann.ok('start_chat', { initial_events: [message('elsewhere')] })
      await world.stream.settled()
      // what is left of the first chat is held: nothing else waits for it
      expect(await totalOf({ query: 'elsewhere' })).toBe(1)
      expect(await totalOf({ query: 'hello' })).toBe(Math.min(accessAtOnce, threads))
      const { chats } = await ben.ok('get_archives', {
        filters: { query: 'hello' },
        pagination: { limit: 1 },
      })
      expect(chats[0].chat.thread.order).toBe(threads)

      goOn()
      await world.settled()
      expect(await totalOf({ query: 'hello' })).toBe(threads)
    })

    test('follows the last of several changes, and the runs of those before it end', async () => {
      const ann = await license.login('ann')
      const goOn = world.queue.hold()
      for (const change of ['remove_scopes', 'add_scopes', 'remove_scopes', 'add_scopes']) {
        await ann.ok('update_chat_scopes', { chat_id: chatId, [change]: { groups: [2] } })
        await world.stream.settled()
      }
      const { calls } = await world.proxy.record(async () => {
        goOn()
        await world.settled()
      })
      // each run that does something reads what is indexed of its threads
      expect(calls.filter(readsManifests)).toHaveLength(Math.ceil((threads - accessAtOnce) / accessAtOnce))
      expect(await totalOf({ query: 'hello' })).toBe(threads)
    })
  })
}

/**
 * The same of a chat whose threads take minutes to follow. Only what is noted of them is there, and the last
 * one.
 */
export const testVeryManyThreads = (threads: number): void => {
  describe(`a chat of ${threads} threads that changes its scopes`, () => {
    beginAt(now)

    test('lets messages of other chats be found within two seconds while its threads follow', async () => {
      const chat = chatOf(threads)
      const prepare = (table: Table) =>
        putAll(table, [
          ...chatOps(licenseId, { ...chat, threads: chat.threads.slice(-1) }),
          ...manifestOps(chat),
        ])
      const world = await startWorld({ index: true, prepare })
      const license = await world.license(
        { ann: { permission: 'owner' } },
        { id: licenseId, groups: ['A', 'B'] },
      )
      const ann = await license.login('ann')
      const totalOf = async (query: string) =>
        (await ann.ok('get_archives', { filters: { query } })).pagination.total as number
      const other = await ann.ok('start_chat')
      await world.settled()

      const goOn = world.queue.hold()
      const first = await world.proxy.record(async () => {
        await ann.ok('update_chat_scopes', { chat_id: chatId, add_scopes: { groups: [2] } })
        await world.stream.settled()
      })
      expect(threadsWritten(first.calls)).toEqual(oneRun(threads + 1))
      goOn()
      const words = Array.from({ length: 10 }, (_, i) => `elsewhere${i}`)
      const { calls } = await world.proxy.record(async () => {
        for (const word of words) {
          await ann.ok('send_event', { chat_id: other.chat.id, event: message(word) })
          await vi.waitFor(async () => expect(await totalOf(word)).toBe(1), 2000)
        }
      })
      // its threads have gone on meanwhile, and are not at their end
      const followed = threadsWritten(calls)
      expect(followed.length).toBeGreaterThan(accessAtOnce)
      expect(Math.min(...followed)).toBeGreaterThan(1)
      // of a run claims, postings and notes of 25 threads, and two reads
      const byJobs = calls.filter(({ lambda }) => lambda === 'worker/later').length
      expect(byJobs / calls.filter(readsManifests).length).toBeLessThan(3.5 * accessAtOnce)
      // without their chat they have nothing to follow
      await world.table.write.write({ Delete: { Key: keys.chat(chatId) } })
      await world.settled()
    })
  })
}
