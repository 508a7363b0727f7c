import { beforeAll, describe, expect, test } from 'vitest'
import { changeAgent, deleteAgent } from '../../shared/provisioning/change-agent.ts'
import { putChat, readChat } from '../../shared/table/chat/chats.ts'
import { keys } from '../../shared/table/keys.ts'
import { readThread } from '../../shared/chat/view/thread-page.ts'
import { putEntry, putHead, newHead, nextEntries } from '../../shared/table/chat/log-entries.ts'
import type { Reader } from '../../shared/table/ops.ts'
import { putAll } from '../archives/put.ts'
import type { Client } from '../support/client.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  // delayed jobs stay out of these tests: what a login may have missed is tested with login
  world = await sharedWorld({ delayScale: 1000 })
})

const denied = { type: 'authorization', code: 403, message: 'Authorization error' }
const notFound = { type: 'not_found', code: 404, message: 'Not found' }
const invalid = (...paths: string[]) => ({
  type: 'validation',
  code: 400,
  message: 'Wrong format of request',
  details: paths.map((path) => ({ path, message: expect.any(String) })),
})
const message = (text: string) => ({ type: 'message', text })
const frameBytes = 120 * 1024

let ann: Client
beforeAll(async () => {
  ann = await (await world.license({ ann: {} })).login('ann')
})
/** A chat of ann's, in a license that tests share. */
const annAlone = async (payload?: object) => {
  const { chat } = await ann.ok('start_chat', payload)
  await ann.received()
  return { ann, chat }
}

const say = (client: Client, { id }: { id: string }, text: string) =>
  client.ok('send_event', { chat_id: id, event: message(text) })
const get = async (client: Client, chat: { id: string }, more: object = {}) =>
  (await client.ok('get_chat_threads', { chat_id: chat.id, ...more })).chat
const refused = (client: Client, chat: { id: string }, more: object = {}) =>
  client.refused('get_chat_threads', { chat_id: chat.id, ...more })
const orders = ({ events }: any): number[] => events.map(({ order }: any) => order)
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** A chat whose threads have so many messages each; all but the last are closed, by one more event. */
const withThreads = async (...sizes: number[]) => {
  const [first = 0, ...rest] = sizes
  const { chat } = await annAlone({
    initial_events: range(1, Math.min(first, 20)).map((n) => message(`${n}`)),
  })
  for (let n = 21; n <= first; n++) await say(ann, chat, `${n}`)
  for (const size of rest) {
    await ann.ok('close_thread', { chat_id: chat.id })
    for (let n = 1; n <= size; n++) await say(ann, chat, `${n}`)
  }
  return { ann, chat, ids: sizes.map((_, i) => `${chat.id}_${i + 1}`) }
}

describe('get_chat_threads', () => {
  test('without thread_ids returns the chat with its last thread, and pushes nothing', async () => {
    const license = await world.license({ ann: { email: 'ann@example.com' }, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { chat } = await ann.ok('start_chat', {
      initial_events: [message('one')],
      chat: {
        properties: { source: { type: 'web' } },
        scopes: { agents: ['ben', 'ann'] },
        thread: { properties: { rating: { score: 5 } } },
      },
    })
    const { event } = await say(ann, chat, 'two')
    await ann.received()
    await ben.received()
    expect(await get(ben, chat)).toEqual({
      ...{ id: chat.id, version: 1, properties_version: 1 },
      users: [
        {
          ...{ id: 'ann', type: 'agent', name: 'ann', email: 'ann@example.com', present: true },
          ...{ routing_status: 'accepting_chats', last_seen_timestamp: expect.any(Number) },
        },
      ],
      threads: [
        {
          id: chat.thread.id,
          timestamp: chat.thread.timestamp,
          active: true,
          user_ids: ['ann'],
          order: 1,
          events: [...chat.thread.events, event],
          properties: { rating: { score: { value: 5 } } },
        },
      ],
      threads_summary: [{ thread_id: chat.thread.id, order: 1 }],
      properties: { source: { type: { value: 'web' } } },
      scopes: { agents: ['ben', 'ann'] },
    })
    await ann.receivesNothing()
    await ben.receivesNothing()
  })

  test('properties and scopes are absent where there are none', async () => {
    const { ann, chat } = await annAlone()
    const shown = await get(ann, chat)
    const present = ['id', 'properties_version', 'threads', 'threads_summary', 'users', 'version']
    expect(Object.keys(shown).toSorted()).toEqual(present)
    expect(shown).toMatchObject({ version: 1, properties_version: 0 })
    expect(shown.threads[0]).toEqual(chat.thread)
  })

  describe('users', () => {
    test('who left stays, with present false', async () => {
      const license = await world.license({ ann: {}, ben: {} })
      const ann = await license.login('ann')
      const { chat } = await ann.ok('start_chat')
      await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      await ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      const shown = await get(ann, chat)
      expect(shown.users).toEqual([
        { id: 'ann', type: 'agent', name: 'ann', routing_status: 'accepting_chats', present: true },
        // ben has not logged in: no routing_status
        { id: 'ben', type: 'agent', name: 'ben', present: false },
      ])
      expect(shown.threads[0].user_ids.toSorted()).toEqual(['ann', 'ben'])
    })

    test('carry the names of now, a deleted agent its last one, and up to when each has seen the chat', async () => {
      const license = await world.license({
        ann: { name: 'Ann' },
        ben: { name: 'Ben', email: 'ben@example.com', avatar: 'https://example.com/b.png' },
      })
      const ann = await license.login('ann')
      const { chat } = await ann.ok('start_chat')
      await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      const seen = { ...keys.chat(chat.id), sk: 'CHAT#SEEN#ann', user: 'ann', timestamp: 1_700_000_000 }
      await world.table.write.write({ Put: { Item: seen } })
      await changeAgent(world.table, license.id, 'ann', { name: 'Anna' })
      await deleteAgent(world.table, license.id, 'ben')
      const [first, second] = (await get(ann, chat)).users
      expect(first).toMatchObject({
        id: 'ann',
        name: 'Anna',
        present: true,
        last_seen_timestamp: 1_700_000_000,
      })
      expect(second).toEqual({
        id: 'ben',
        type: 'agent',
        name: 'Ben',
        present: expect.any(Boolean),
        deleted: true,
      })
    })
  })

  test('an agent whom an eventually consistent read does not have yet is not shown as deleted', async () => {
    const { ann, chat } = await annAlone()
    world.proxy.setFault(({ operation, request }) => {
      const asked = Object.values(request.RequestItems ?? {})
      const behind = operation === 'BatchGetItem' && !asked.some((one: any) => one.ConsistentRead)
      return behind ? { status: 200, body: { Responses: {}, UnprocessedKeys: {} } } : undefined
    })
    try {
      expect((await get(ann, chat)).users).toEqual(chat.users)
      expect(chat.users).toMatchObject([{ id: 'ann', name: 'ann' }])
      expect(chat.users[0]).not.toHaveProperty('deleted')
    } finally {
      world.proxy.setFault(undefined)
    }
  })

  describe('thread_ids', () => {
    test('gives the threads asked for, in that order, each once', async () => {
      const { ann, chat, ids } = await withThreads(1, 2, 3)
      const shown = await get(ann, chat, { thread_ids: [ids[2], ids[0], ids[2], ids[1], ids[0]] })
      expect(shown.threads.map(({ id }: any) => id)).toEqual([ids[2], ids[0], ids[1]])
      expect(shown.threads.map(({ active }: any) => active)).toEqual([true, false, false])
      expect(shown.threads.map(({ order }: any) => order)).toEqual([3, 1, 2])
      expect(shown.threads.map(orders)).toEqual([range(1, 3), range(1, 2), range(1, 3)])
      for (const thread of shown.threads) {
        expect(thread).not.toHaveProperty('last_order')
        expect(thread).not.toHaveProperty('has_more')
      }
      const times = shown.threads_summary.map(({ thread_id }: any) => thread_id)
      expect(times).toEqual(ids)
    })

    test('without them comes the last thread; null is absence; an empty list gives none', async () => {
      const { ann, chat, ids } = await withThreads(1, 1)
      for (const thread_ids of [undefined, null])
        expect((await get(ann, chat, { thread_ids })).threads).toMatchObject([{ id: ids[1] }])
      const none = await get(ann, chat, { thread_ids: [] })
      expect(none.threads).toEqual([])
      expect(none.threads_summary).toEqual([
        { thread_id: ids[0], order: 1 },
        { thread_id: ids[1], order: 2 },
      ])
    })

    test('one named twice is one, and may be paged', async () => {
      const { ann, chat, ids } = await withThreads(3)
      const [thread] = (await get(ann, chat, { thread_ids: [ids[0], ids[0]], before_order: 3 })).threads
      expect(orders(thread)).toEqual([1, 2])
      expect(thread.last_order).toBe(3)
    })

    test('an id that is none of the chat is not found, alone or among others', async () => {
      const { ann, chat, ids } = await withThreads(1, 1)
      const other = (await ann.ok('start_chat')).chat
      const stranger = await (await world.license({ eve: {} })).login('eve')
      const foreign = (await stranger.ok('start_chat')).chat
      for (const id of [
        ...[
          other.thread.id,
          foreign.thread.id,
          `${chat.id}_3`,
          `${chat.id}_0`,
          `${chat.id}_01`,
          `${chat.id}_-1`,
        ],
        ...[
          `${chat.id}_1_1`,
          `${chat.id}_99999999`,
          `${chat.id}_999999999`,
          chat.id,
          `${chat.id}_`,
          'a#b',
          '__proto__',
        ],
      ]) {
        expect(await refused(ann, chat, { thread_ids: [id] }), id).toEqual(notFound)
        expect(await refused(ann, chat, { thread_ids: [ids[0], id] }), id).toEqual(notFound)
      }
    })

    test('are 100 at the most', async () => {
      const { ann, chat } = await annAlone()
      const thread_ids = Array.from({ length: 100 }, () => chat.thread.id)
      expect((await get(ann, chat, { thread_ids })).threads).toHaveLength(1)
      expect(await refused(ann, chat, { thread_ids: [...thread_ids, chat.thread.id] })).toEqual({
        ...invalid(),
        details: [{ path: 'payload.thread_ids', message: 'At most 100 entries' }],
      })
    })
  })

  test('threads_summary lists the newest 1,000 threads, oldest first', async () => {
    const { ann, chat } = await annAlone()
    const stored = await readChat(world.table.read, chat.id)
    const version = stored!.version + 1
    const head = newHead({ n: 1003, nonce: 'n', version, at: Date.now(), userIds: ['ann'] })
    await world.table.write.transact([putChat({ ...stored!, version, thread: 1003 }), putHead(chat.id, head)])
    const shown = await get(ann, chat)
    expect(shown.threads).toMatchObject([{ id: `${chat.id}_1003`, order: 1003, active: true, events: [] }])
    expect(shown.threads_summary).toEqual(
      range(4, 1003).map((order) => ({ thread_id: `${chat.id}_${order}`, order })),
    )
    // older ones can still be asked for
    expect((await get(ann, chat, { thread_ids: [chat.thread.id] })).threads).toMatchObject([
      { order: 1, active: false },
    ])
  })

  describe('pages of one thread', () => {
    test('without a page come all events that there is room for, with last_order where one was asked for', async () => {
      const { ann, chat, ids } = await withThreads(30)
      const [whole] = (await get(ann, chat)).threads
      expect(orders(whole)).toEqual(range(1, 30))
      expect(whole).not.toHaveProperty('has_more')
      expect(whole).not.toHaveProperty('last_order')
      const [asked] = (await get(ann, chat, { thread_ids: ids })).threads
      expect(asked).toEqual({ ...whole, last_order: 30 })
    })

    test('before_order reads backwards, after_order forwards; has_more is of that direction', async () => {
      const { ann, chat, ids } = await withThreads(30)
      const cases: [object, number[], boolean][] = [
        [{ before_order: 31 }, range(6, 30), true],
        [{ before_order: 1000 }, range(6, 30), true],
        [{ before_order: 27 }, range(2, 26), true],
        [{ before_order: 26 }, range(1, 25), false],
        [{ before_order: 6 }, range(1, 5), false],
        [{ before_order: 2 }, [1], false],
        [{ before_order: 1 }, [], false],
        [{ before_order: 0 }, [], false],
        [{ before_order: Number.MAX_SAFE_INTEGER, limit: 2 }, [29, 30], true],
        [{ before_order: 3, limit: 1 }, [2], true],
        [{ before_order: 3, limit: 2 }, [1, 2], false],
        [{ before_order: 31, limit: 100 }, range(1, 30), false],
        [{ after_order: 0 }, range(1, 25), true],
        [{ after_order: 4 }, range(5, 29), true],
        [{ after_order: 5 }, range(6, 30), false],
        [{ after_order: 29 }, [30], false],
        [{ after_order: 30 }, [], false],
        [{ after_order: 31 }, [], false],
        [{ after_order: 99_999_998 }, [], false],
        [{ after_order: 99_999_999 }, [], false],
        [{ after_order: 999_999_990 }, [], false],
        [{ after_order: Number.MAX_SAFE_INTEGER }, [], false],
        [{ after_order: 28, limit: 1 }, [29], true],
        [{ after_order: 28, limit: 2 }, [29, 30], false],
        [{ after_order: 0, limit: 30 }, range(1, 30), false],
        [{ after_order: 0, limit: 29 }, range(1, 29), true],
        [{ limit: 1 }, [30], true],
        [{ limit: 29 }, range(2, 30), true],
        [{ limit: 30 }, range(1, 30), false],
        [{ limit: 100 }, range(1, 30), false],
        [{ before_order: 5, after_order: null, limit: null }, range(1, 4), false],
      ]
      for (const [page, expected, more] of cases) {
        const [thread] = (await get(ann, chat, { thread_ids: ids, ...page })).threads
        expect(orders(thread), JSON.stringify(page)).toEqual(expected)
        expect(thread.has_more, JSON.stringify(page)).toBe(more ? true : undefined)
        expect(thread.last_order, JSON.stringify(page)).toBe(30)
      }
    })

    test('a thread without events has nothing before or after, and last_order 0', async () => {
      const { ann, chat } = await annAlone()
      for (const page of [{}, { before_order: 1 }, { before_order: 9 }, { after_order: 0 }, { limit: 1 }]) {
        const [thread] = (await get(ann, chat, { thread_ids: [chat.thread.id], ...page })).threads
        expect(thread).toEqual({ ...chat.thread, last_order: 0 })
      }
    })

    test('an older thread keeps to its own events', async () => {
      const { ann, chat, ids } = await withThreads(2, 2)
      const page = async (more: object) =>
        (await get(ann, chat, { thread_ids: [ids[0]], ...more })).threads[0]
      expect(orders(await page({ after_order: 1 }))).toEqual([2, 3])
      expect(await page({ after_order: 3 })).toMatchObject({ events: [], last_order: 3, active: false })
      expect(orders(await page({ before_order: 50 }))).toEqual([1, 2, 3])
      const [second] = (await get(ann, chat, { thread_ids: [ids[1]], before_order: 50 })).threads
      expect(orders(second)).toEqual([1, 2])
      expect(second).not.toHaveProperty('has_more')
    })

    test('a client that was away reads what it missed with after_order, page by page', async () => {
      const { ann, chat, ids } = await withThreads(20)
      const got: number[] = []
      for (let more = true, after = 3; more;) {
        const [thread] = (await get(ann, chat, { thread_ids: ids, after_order: after, limit: 7 })).threads
        got.push(...orders(thread))
        after = got.at(-1)!
        more = thread.has_more ?? false
      }
      expect(got).toEqual(range(4, 20))
    })

    test('last_order is that of the last event of an answer that says of none beyond it', async () => {
      const { ann, chat } = await annAlone({ initial_events: [message('1')] })
      const stored = await readChat(world.table.read, chat.id)
      const { read } = world.table
      // the newest event is read before another comes, and the page after it; and the other way round
      let texts = 1
      for (const [newestIsFirst, page] of [
        [true, {}],
        [false, {}],
        [true, { after: 0 }],
        [false, { after: 0 }],
      ] as const) {
        const first = Promise.withResolvers<void>()
        const racing: Reader = {
          ...read,
          query: async (range) => {
            if ((range.limit === 1) === newestIsFirst) {
              const found = await read.query(range)
              await say(ann, chat, `${(texts += 1)}`)
              first.resolve()
              return found
            }
            await first.promise
            return read.query(range)
          },
        }
        const thread = (await readThread(racing, stored!, 1, { ...page, isShown: () => true }, 10_000)).show(
          10_000,
        )
        expect(thread.has_more).toBeUndefined()
        expect(thread.last_order).toBe(thread.events.at(-1)!.order)
      }
    })

    test('a limit gives the newest events of each thread, wherever it comes', async () => {
      const { ann, chat, ids } = await withThreads(3, 2)
      const paged = async (more: object) => {
        const { threads } = await get(ann, chat, more)
        return threads.map((thread: any) => [orders(thread), thread.has_more])
      }
      expect(await paged({ limit: 1 })).toEqual([[[2], true]])
      expect(await paged({ limit: 2 })).toEqual([[[1, 2], undefined]])
      expect(await paged({ limit: 2, thread_ids: null })).toEqual([[[1, 2], undefined]])
      expect(await paged({ limit: 2, thread_ids: [] })).toEqual([])
      // the first thread has one event more, of its closing
      expect(await paged({ limit: 2, thread_ids: ids })).toEqual([
        [[3, 4], true],
        [[1, 2], undefined],
      ])
    })

    test('before_order and after_order need exactly one thread_ids entry and exclude each other; a limit is 1 to 100', async () => {
      const { ann, chat, ids } = await withThreads(1, 1)
      for (const page of [{ before_order: 1 }, { after_order: 1 }])
        for (const thread_ids of [undefined, null, [], ids])
          expect(await refused(ann, chat, { thread_ids, ...page })).toEqual(invalid('payload.thread_ids'))
      const thread_ids = [ids[0]]
      expect(await refused(ann, chat, { thread_ids, before_order: 2, after_order: 0 })).toEqual(
        invalid('payload.after_order'),
      )
      for (const wrong of [-1, 1.5, '1', true, [], 2 ** 53])
        for (const field of ['before_order', 'after_order', 'limit'])
          expect(
            await refused(ann, chat, { thread_ids, [field]: wrong }),
            `${field} ${String(wrong)}`,
          ).toEqual(invalid(`payload.${field}`))
      for (const limit of [0, 101])
        for (const ids of [thread_ids, undefined])
          expect(await refused(ann, chat, { thread_ids: ids, limit })).toEqual(invalid('payload.limit'))
    })
  })

  describe('the 120 KiB rule', () => {
    const big = (n: number) => String(n).padStart(16_384, 'x')
    const lastFrame = (client: Client) => Buffer.byteLength(client.answers.at(-1)!)

    test('a thread keeps its newest events and says has_more; the rest is read page by page', async () => {
      const { ann, chat } = await annAlone()
      for (const n of range(1, 16)) await say(ann, chat, big(n))
      await ann.received()
      const [thread] = (await get(ann, chat)).threads
      expect(lastFrame(ann)).toBeLessThanOrEqual(frameBytes)
      // as many as fit
      expect(lastFrame(ann)).toBeGreaterThan(frameBytes - 17 * 1024)
      expect(orders(thread)).toEqual(range(10, 16))
      expect(thread.has_more).toBe(true)

      const thread_ids = [chat.thread.id]
      const backwards = orders(thread)
      for (let more = true; more;) {
        const [page] = (await get(ann, chat, { thread_ids, before_order: backwards[0] })).threads
        expect(lastFrame(ann)).toBeLessThanOrEqual(frameBytes)
        backwards.unshift(...orders(page))
        more = page.has_more ?? false
      }
      expect(backwards).toEqual(range(1, 16))

      const forwards: number[] = []
      for (let more = true; more;) {
        const after_order = forwards.at(-1) ?? 0
        const [page] = (await get(ann, chat, { thread_ids, after_order, limit: 100 })).threads
        expect(lastFrame(ann)).toBeLessThanOrEqual(frameBytes)
        expect(page.last_order).toBe(16)
        forwards.push(...orders(page))
        more = page.has_more ?? false
      }
      expect(forwards).toEqual(range(1, 16))
    })

    test('several threads share the room equally', async () => {
      const { ann, chat } = await annAlone()
      for (const n of range(1, 3)) {
        if (n > 1) await ann.ok('close_thread', { chat_id: chat.id })
        for (const m of range(1, n === 2 ? 1 : 5)) await say(ann, chat, big(m))
      }
      const ids = range(1, 3).map((n) => `${chat.id}_${n}`)
      const { threads } = await get(ann, chat, { thread_ids: ids })
      expect(lastFrame(ann)).toBeLessThanOrEqual(frameBytes)
      expect(threads.map(orders)).toEqual([
        [4, 5, 6],
        [1, 2],
        [4, 5],
      ])
      expect(threads.map(({ has_more }: any) => has_more)).toEqual([true, undefined, true])
    })

    test(
      'a hundred threads are read a few at a time, and no more of each than its share may hold',
      { tags: ['full'] },
      async () => {
        const { ann, chat } = await annAlone({ initial_events: [message('1')] })
        const stored = await readChat(world.table.read, chat.id)
        const version = stored!.version + 1
        const at = Date.now()
        const ops = range(2, 100).flatMap((n) => {
          const head = newHead({ n, nonce: 'n', version, at, userIds: ['ann'] })
          const texts = range(1, 40).map((m) => ({
            ...{ type: 'message' as const, author_id: 'ann' },
            text: n % 2 === 0 ? `${m}` : `${m}`.padStart(3000, 'x'),
          }))
          const entries = nextEntries({ n, m: 0, last: head }, texts, { nonce: 'n', version, at })
          return [putHead(chat.id, head), ...entries.map((entry) => putEntry(chat.id, entry))]
        })
        await putAll(world.table, ops)
        await world.table.write.write(putChat({ ...stored!, version, thread: 100 }))
        const thread_ids = range(1, 100).map((n) => `${chat.id}_${n}`)
        world.proxy.setDelay(10)
        const { result, calls } = await world.proxy.record(() => get(ann, chat, { thread_ids }))
        world.proxy.setDelay(0)
        expect(lastFrame(ann)).toBeLessThanOrEqual(frameBytes)
        // nothing of the room is left unused for having read too little
        expect(lastFrame(ann)).toBeGreaterThan(frameBytes / 2 - 10_000)
        for (const thread of result.threads.slice(1)) expect(thread.has_more).toBe(true)
        expect(orders(result.threads[1]).at(-1)).toBe(40)
        expect(orders(result.threads[1]).length).toBeGreaterThan(5)
        expect(orders(result.threads[2])).toEqual([])

        const pages = calls.filter(({ operation, request }) => operation === 'Query' && 'Limit' in request)
        expect(pages.length).toBeGreaterThanOrEqual(200)
        for (const { request } of pages) expect(request['Limit']).toBeLessThanOrEqual(10)
        const sideBySide = pages.map(
          ({ startedAt }) =>
            pages.filter((one) => one.startedAt <= startedAt && one.endedAt > startedAt).length,
        )
        expect(Math.max(...sideBySide)).toBeLessThanOrEqual(40)
      },
    )

    test(
      'threads that do not fit by themselves come bare, to be read alone',
      { tags: ['full'] },
      async () => {
        const { ann, chat } = await annAlone()
        const stored = await readChat(world.table.read, chat.id)
        const version = stored!.version + 1
        const userIds = range(1, 50).map((n) => `${n}`.padStart(64, 'a'))
        const heads = range(2, 90).map((n) =>
          newHead({
            n,
            nonce: 'n',
            version,
            at: 1_700_000_000_000,
            userIds,
            properties: { a: { b: { value: n } } },
          }),
        )
        await world.table.write.transact([
          putChat({ ...stored!, version, thread: 90 }),
          ...heads.map((head) => putHead(chat.id, head)),
        ])
        await say(ann, chat, 'hello')
        await ann.received()
        const { threads } = await get(ann, chat, { thread_ids: range(1, 90).map((n) => `${chat.id}_${n}`) })
        expect(lastFrame(ann)).toBeLessThanOrEqual(frameBytes)
        expect(threads[0]).toMatchObject({ order: 1, user_ids: ['ann'], events: [] })
        for (const n of range(2, 90))
          expect(threads[n - 1]).toEqual({
            ...{ id: `${chat.id}_${n}`, order: n, timestamp: 1_700_000_000, active: n === 90 },
            ...{ user_ids: [], events: [], has_more: true },
          })
        const [alone] = (await get(ann, chat, { thread_ids: [`${chat.id}_90`] })).threads
        expect(alone).toMatchObject({ properties: { a: { b: { value: 90 } } }, events: [{ text: 'hello' }] })
        expect(alone.user_ids.toSorted()).toEqual(userIds.toSorted())
      },
    )

    test(
      'leaves room for an event beside the longest lists of users and threads',
      { tags: ['full'] },
      async () => {
        const { ann, chat } = await annAlone()
        const stored = await readChat(world.table.read, chat.id)
        const version = stored!.version + 1
        const left = range(1, 500).map((n) => ({
          ...{ id: `${n}`.padStart(64, 'a'), type: 'agent' as const, present: false },
        }))
        const head = newHead({ n: 20_000_000, nonce: 'n', version, at: Date.now(), userIds: ['ann'] })
        await world.table.write.transact([
          putChat({ ...stored!, users: [...stored!.users, ...left], version, thread: head.n }),
          putHead(chat.id, head),
        ])
        const events = [(await say(ann, chat, '"'.repeat(15_000))).event, (await say(ann, chat, 'x')).event]
        await ann.received()
        const thread_ids = [`${chat.id}_${head.n}`]
        const shown = await get(ann, chat, { thread_ids, before_order: 2 })
        expect(lastFrame(ann)).toBeLessThanOrEqual(frameBytes)
        expect(shown.threads[0].events).toEqual([events[0]])
        expect(shown.users[0]).toMatchObject({ id: 'ann', present: true })
        const listed = shown.threads_summary.map(({ order }: any) => order)
        expect(listed).toEqual(range(head.n - listed.length + 1, head.n))
        expect(listed.length).toBeGreaterThan(100)
      },
    )

    test(
      'holds for the largest envelope, and for characters of several bytes',
      { tags: ['full'] },
      async () => {
        const { ann, chat } = await annAlone()
        for (const n of range(1, 45)) await say(ann, chat, `${n}`)
        for (const _ of range(1, 7)) await say(ann, chat, '😀'.repeat(4096))
        const id = '\u0001'.repeat(128)
        const payload = { chat_id: chat.id, thread_ids: [chat.thread.id] }
        ann.send(JSON.stringify({ id, request_id: id, action: 'get_chat_threads', payload }))
        const answer = await ann.response()
        expect(answer).toMatchObject({ success: true, id, request_id: id })
        const [thread] = (answer.payload as any).chat.threads
        expect(lastFrame(ann)).toBeLessThanOrEqual(frameBytes)
        expect(thread.has_more).toBe(true)
        expect(orders(thread).at(-1)).toBe(52)
      },
    )
  })

  describe('who may', () => {
    test('an agent that was removed keeps no access of its own', async () => {
      const license = await world.license({ ann: {}, ben: {} })
      const [ann, ben] = [await license.login('ann'), await license.login('ben')]
      const { chat } = await ann.ok('start_chat', { chat: { scopes: { agents: ['ann'] } } })
      await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      expect((await get(ben, chat)).id).toBe(chat.id)
      await ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      expect(await refused(ben, chat)).toEqual(denied)
    })

    test('a restricted token needs a read scope that reaches the chat', { tags: ['full'] }, async () => {
      const license = await world.license({ ann: {}, ben: {}, olga: { permission: 'owner' } })
      const { chat } = await (await license.login('ann')).ok('start_chat')
      const login = (agent: string, scope: string) => license.login(agent, {}, { scope })
      for (const [agent, scope] of [
        ['ann', 'chats.conversation--my:write chats.meta--chat_scopes:write'],
        ['ann', 'chats--all:read'],
        ['ben', 'chats--my:read'],
        ['olga', 'chats--my:read'],
        ['olga', 'agents--all:write'],
      ] as const)
        expect(await refused(await login(agent, scope), chat), `${agent} ${scope}`).toEqual(denied)
      for (const [agent, scope] of [
        ['ann', 'chats--my:read'],
        ['ben', 'chats--chat_scopes:read'],
        ['olga', 'chats--all:read'],
        ['ben', 'api/chats--chat_scopes:read x:y'],
        ['ben', 'openid'],
      ] as const)
        expect((await get(await login(agent, scope), chat)).id, `${agent} ${scope}`).toBe(chat.id)
    })
  })

  test('unknown fields are ignored', async () => {
    const { ann, chat } = await annAlone()
    expect(await get(ann, chat, { version: 1, routing_scope: 'x', page: 2, __proto__x: 1 })).toEqual(
      await get(ann, chat),
    )
  })
})
