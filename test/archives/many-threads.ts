import { beforeAll, describe, expect, test } from 'vitest'
import { accessAtOnce } from '../../shared/chat/indexing.ts'
import type { Table } from '../../shared/table/client.ts'
import { manifestPrefix } from '../../shared/table/keys.ts'
import { beginAt } from '../support/clock.ts'
import type { Client } from '../support/client.ts'
import type { Call } from '../support/engine-proxy.ts'
import { message } from '../support/events.ts'
import { type License, startWorld, type World } from '../support/world.ts'
import type { ChatModel } from './naive.ts'
import { putAndIndex } from './put.ts'

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
