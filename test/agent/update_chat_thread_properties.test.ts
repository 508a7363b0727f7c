import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { PushPayload } from '../../shared/protocol/pushes.ts'
import { keys } from '../../shared/table/keys.ts'
import { calm } from '../races/holding.ts'
import { errorOf } from '../races/stored.ts'
import type { Client, Response } from '../support/client.ts'
import { conflictOf, type Fault } from '../support/engine-proxy.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(async () => {
  world.proxy.setFault(undefined)
  world.proxy.setDelay(0)
  // a push that was put off is none of the next test's
  await calm(world)
})

const action = 'update_chat_thread_properties'
const push = 'chat_thread_properties_updated'
const notFound = { type: 'not_found', code: 404, message: 'Not found' }
const message = (text: string) => ({ type: 'message', text })

const openOffice = async () => {
  const license = await world.license({ ann: {}, ben: {} })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  // a login is told later what it may have missed: of the chats of tests there is nothing
  await calm(world)
  return { license, ann, ben }
}
let office: Awaited<ReturnType<typeof openOffice>>
beforeAll(async () => {
  office = await openOffice()
})
/** A chat of `ann`'s with an active thread, whose pushes are forgotten, and another agent who sees it. */
const annAndBen = async (chat: object = {}) => {
  const { ann, ben } = office
  const started = (await ann.ok('start_chat', { chat })).chat
  for (const client of [ann, ben]) {
    await client.eventually('incoming_chat_thread', ({ chat: { id } }) => id === started.id)
    await client.received()
  }
  const [chat_id, thread_id] = [started.id as string, started.thread.id as string]
  return { ...office, started, chat_id, thread_id }
}
/** The properties of a thread, and beside them the chat's. */
const held = async (client: Client, thread_id: string) => {
  const chat_id = thread_id.split('_')[0]
  const { chat } = await client.ok('get_chat_threads', { chat_id, thread_ids: [thread_id] })
  return { thread: chat.threads[0].properties, chat: chat.properties }
}
/** Closes the active thread and starts the next one. */
const nextThread = async (client: Client, chat_id: string): Promise<string> => {
  await client.ok('close_thread', { chat_id })
  return (await client.ok('send_event', { chat_id, event: message('again') })).thread_id
}

describe('update_chat_thread_properties', () => {
  test('sets properties of the thread alone; everyone with access is told what changed', async () => {
    const license = await world.license({ ann: {}, ben: {}, cleo: { permission: 'owner' } })
    const [ann, ben, cleo] = [
      await license.login('ann'),
      await license.login('ben'),
      await license.login('cleo'),
    ]
    const { chat } = await ann.ok('start_chat', { chat: { scopes: { agents: ['ann'] } } })
    const at = { chat_id: chat.id, thread_id: chat.thread.id }
    for (const client of [ann, cleo]) await client.received()
    const answer = await ann.call(action, {
      ...at,
      properties: { rating: { score: 2, ok: { value: true } } },
    })
    expect(answer).toEqual({ request_id: answer.request_id, action, type: 'response', success: true })
    const properties = { rating: { score: { value: 2 }, ok: { value: true } } }
    for (const client of [ann, cleo]) {
      expect(await client.next(push)).toEqual({ ...at, properties, version: 1 })
      await client.receivesNothing()
    }
    await ben.receivesNothing()
    expect(await held(ann, chat.thread.id)).toEqual({ thread: properties, chat: undefined })
  })

  test('merges by name, removes what is null, and pushes only what changed, under a version that grows', async () => {
    const { ann, ben, chat_id, thread_id } = await annAndBen()
    const at = { chat_id, thread_id }
    const changes: [object, object | undefined][] = [
      [{ a: { x: 1, y: 2 } }, { a: { x: { value: 1 }, y: { value: 2 } } }],
      [
        { a: { x: 1, y: 3 }, b: { z: '' } },
        { a: { y: { value: 3 } }, b: { z: { value: '' } } },
      ],
      [{ a: { x: null, none: null } }, { a: { x: { value: null } } }],
      [{ a: { x: { value: null }, y: 3 }, c: {} }, undefined],
      [{ b: { z: { value: null } } }, { b: { z: { value: null } } }],
    ]
    let version = 0
    for (const [properties, changed] of changes) {
      await ann.ok(action, { ...at, properties })
      if (changed === undefined) await ben.receivesNothing()
      else expect(await ben.next(push)).toEqual({ ...at, properties: changed, version: (version += 1) })
    }
    await ben.receivesNothing()
    expect((await held(ann, thread_id)).thread).toEqual({ a: { y: { value: 3 } } })
  })

  test('goes on from the properties that the thread was started with', async () => {
    const { ann, ben, chat_id, thread_id } = await annAndBen({
      thread: { properties: { a: { x: 1, y: 2 } } },
    })
    await ann.ok(action, { chat_id, thread_id, properties: { a: { y: 3, x: 1 } } })
    const { version, ...rest } = await ben.next(push)
    expect(rest).toEqual({ chat_id, thread_id, properties: { a: { y: { value: 3 } } } })
    await ann.ok(action, { chat_id, thread_id, properties: { a: { x: null } } })
    expect((await ben.next(push)).version).toBe(version + 1)
    expect((await held(ben, thread_id)).thread).toEqual({ a: { y: { value: 3 } } })
  })

  test('each thread has its own, a closed one too, with versions of its own', async () => {
    const { ann, ben, chat_id, thread_id: first } = await annAndBen()
    await ann.ok(action, { chat_id, thread_id: first, properties: { a: { x: 1 } } })
    const second = await nextThread(ann, chat_id)
    await ben.received()
    await ann.ok(action, { chat_id, thread_id: second, properties: { a: { y: 2 } } })
    expect(await ben.next(push)).toMatchObject({ thread_id: second, version: 1 })
    await ann.ok(action, { chat_id, thread_id: first, properties: { a: { z: 3 } } })
    expect(await ben.next(push)).toEqual({
      ...{ chat_id, thread_id: first },
      properties: { a: { z: { value: 3 } } },
      version: 2,
    })
    await ann.ok('close_thread', { chat_id })
    await ben.received()
    await ann.ok(action, { chat_id, thread_id: second, properties: { a: { y: null } } })
    expect(await ben.next(push)).toMatchObject({ properties: { a: { y: { value: null } } }, version: 2 })
    await ben.receivesNothing()
    expect((await held(ann, first)).thread).toEqual({ a: { x: { value: 1 }, z: { value: 3 } } })
    expect((await held(ann, second)).thread ?? {}).toEqual({})
  })

  test('is shown by get_chat_threads, login, get_filtered_chats, and to whoever gains access', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { chat } = await ann.ok('start_chat', { chat: { scopes: { agents: ['ann'] } } })
    const [chat_id, thread_id] = [chat.id, chat.thread.id]
    await ann.ok(action, { chat_id, thread_id, properties: { a: { x: 1 } } })
    const properties = { a: { x: { value: 1 } } }
    expect((await held(ann, thread_id)).thread).toEqual(properties)
    const summary = { id: chat_id, last_thread_summary: { id: thread_id, properties } }
    expect((await ann.ok('get_filtered_chats')).chats_summary).toMatchObject([summary])
    const again = await (await world.open()).ok('login', { token: await license.token('ann') })
    expect(again.chats_summary).toMatchObject([summary])
    await ann.ok('join_chat', { chat_id, agent_ids: ['ben'] })
    expect(await ben.next('incoming_chat_thread')).toMatchObject({ chat: { thread: { properties } } })
  })

  test('leaves the thread as it is otherwise: its users, its events, who may still be added', async () => {
    const { ann, ben, chat_id, thread_id } = await annAndBen()
    await ann.ok(action, { chat_id, thread_id, properties: { a: { x: 1 } } })
    await ann.ok('join_chat', { chat_id, agent_ids: ['ben'] })
    await ben.ok('send_event', { chat_id, event: message('hi') })
    await ben.ok(action, { chat_id, thread_id, properties: { a: { y: 2 } } })
    const { chat } = await ann.ok('get_chat_threads', { chat_id })
    expect(chat.threads[0].user_ids.toSorted()).toEqual(['ann', 'ben'])
    expect(chat.threads[0].events).toMatchObject([{ text: 'ben joined the chat' }, { text: 'hi', order: 2 }])
    expect(chat.threads[0].properties).toEqual({ a: { x: { value: 1 }, y: { value: 2 } } })
  })

  test('takes names that every object inherits, and refuses __proto__', async () => {
    const { ann, ben, chat_id, thread_id } = await annAndBen()
    const properties = { constructor: { constructor: 1, toString: 2 }, toString: { valueOf: true } }
    await ann.ok(action, { chat_id, thread_id, properties })
    const out = {
      constructor: { constructor: { value: 1 }, toString: { value: 2 } },
      toString: { valueOf: { value: true } },
    }
    expect(await ben.next(push)).toMatchObject({ properties: out })
    expect((await held(ben, thread_id)).thread).toEqual(out)
    ann.send(
      `{"action":"${action}","payload":{"chat_id":"${chat_id}","thread_id":"${thread_id}","properties":{"a":{"__proto__":1}}}}`,
    )
    expect(((await ann.response()).payload as any).error.details).toEqual([
      { path: 'payload.properties.a.__proto__', message: 'A name is 1-64 letters, digits, ., _ and -' },
    ])
    await ben.receivesNothing()
  })
})

/**
 * What certainly stored nothing is sent again: a machine with much else to do may take longer than the 12 s.
 */
const untilTaken = async (client: Client, payload: object): Promise<Response> => {
  for (;;) {
    const answer = await client.call(action, payload)
    if (errorOf(answer) !== 'too_many_requests') return answer
  }
}

describe('update_chat_thread_properties by many at once', () => {
  test(
    '50 changes of different names all survive beside joins and events, each pushed once',
    { tags: ['full'] },
    async () => {
      const { ann, ben, license, chat_id, thread_id } = await annAndBen({
        thread: { properties: { a: { kept: 1 } } },
      })
      const watcher = await license.login('ben')
      world.proxy.setDelay(3)
      const others = [
        ann.call('join_chat', { chat_id, agent_ids: ['ben'] }),
        ...Array.from({ length: 5 }, (_, i) => ann.call('send_event', { chat_id, event: message(`${i}`) })),
      ]
      const updates = Array.from({ length: 50 }, (_, i) =>
        untilTaken([ann, ben][i % 2]!, { chat_id, thread_id, properties: { a: { [`n${i}`]: i } } }),
      )
      const answers = await Promise.all([...updates, ...others])
      expect(answers.filter(({ success }) => !success)).toEqual([])
      world.proxy.setDelay(0)
      const names = Array.from({ length: 50 }, (_, i) => `n${i}`)
      const expected = Object.fromEntries(names.map((name, i) => [name, { value: i }]))
      const { chat } = await ann.ok('get_chat_threads', { chat_id })
      expect(chat.threads[0].properties).toEqual({ a: { kept: { value: 1 }, ...expected } })
      expect(chat.threads[0].user_ids.toSorted()).toEqual(['ann', 'ben'])
      expect(chat.threads[0].events).toHaveLength(6)
      for (const client of [ann, ben, watcher]) {
        const pushed = (await client.received()).flatMap((one) => (one.action === push ? [one.payload] : []))
        const payloads = pushed as PushPayload<typeof push>[]
        const versions = payloads.map(({ version }) => version).toSorted((x, y) => x - y)
        expect(versions).toEqual(versions.map((_, i) => versions[0]! + i))
        expect(payloads.flatMap(({ properties }) => Object.keys(properties['a']!)).toSorted()).toEqual(
          names.toSorted(),
        )
      }
    },
  )

  test(
    'of two threads do not get into the way of each other, nor of the chat',
    { tags: ['full'] },
    async () => {
      const { ann, ben, chat_id, thread_id: first } = await annAndBen()
      const second = await nextThread(ann, chat_id)
      await ben.received()
      const change = (i: number) => ({ properties: { a: { [`n${i}`]: i } } })
      await Promise.all(
        Array.from({ length: 8 }, (_, i) => [
          ann.ok(action, { chat_id, thread_id: first, ...change(i) }),
          ben.ok(action, { chat_id, thread_id: second, ...change(i) }),
          ann.ok('update_chat_properties', { chat_id, ...change(i) }),
        ]).flat(),
      )
      const all = { a: Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`n${i}`, { value: i }])) }
      expect(await held(ann, first)).toEqual({ thread: all, chat: all })
      expect(await held(ann, second)).toEqual({ thread: all, chat: all })
      expect(await ben.received()).toHaveLength(24)
    },
  )
})

describe('update_chat_thread_properties writes once, and pushes once,', () => {
  test.each<[string, Fault[]]>([
    ['through a connection that breaks', [{ reset: true }, { reset: true }]],
    ['through an answer that is lost', [{ reset: true, afterWrite: true }]],
    ['through an error after the write', [{ errorType: 'InternalServerError', afterWrite: true }]],
    ['through a transaction on the thread', Array.from({ length: 3 }, () => conflictOf(2))],
  ])('%s', async (_what, faults) => {
    const { ann, ben, chat_id, thread_id } = await annAndBen({ thread: { properties: { a: { x: 0 } } } })
    const left = [...faults]
    world.proxy.setFault(({ operation, request }) =>
      operation === 'TransactWriteItems' && JSON.stringify(request).includes(chat_id)
        ? left.shift()
        : undefined,
    )
    await ann.ok(action, { chat_id, thread_id, properties: { a: { x: 1 } } })
    expect(left).toEqual([])
    for (const client of [ann, ben]) {
      expect(await client.next(push)).toMatchObject({ thread_id, properties: { a: { x: { value: 1 } } } })
      await client.receivesNothing()
    }
    expect((await held(ann, thread_id)).thread).toEqual({ a: { x: { value: 1 } } })
  })
})

describe('update_chat_thread_properties is refused', () => {
  test('with not_found for a thread of another chat, one that is not there, and what is none', async () => {
    const { ann, ben, chat_id, thread_id } = await annAndBen()
    const { chat: other } = await ann.ok('start_chat')
    for (const client of [ann, ben]) await client.received()
    const ids = [
      ...[other.thread.id, `${chat_id}_2`, `${chat_id}_0`, `${chat_id}_01`, `${chat_id}_`, chat_id],
      ...[`${chat_id}_-1`, `${chat_id}_1_0`, `${chat_id}_1_1`, `${chat_id}_99999999`, `${chat_id}_999999999`],
      ...['nosuch', '_1', '1', `${thread_id} `, ` ${thread_id}`, `${thread_id}\n`, `${chat_id}_1e0`, '#'],
    ]
    for (const id of ids)
      expect([
        id,
        await ann.refused(action, { chat_id, thread_id: id, properties: { a: { x: 1 } } }),
      ]).toEqual([id, notFound])
    // nor for a change of nothing
    expect(await ann.refused(action, { chat_id, thread_id: `${chat_id}_2`, properties: {} })).toEqual(
      notFound,
    )
    await ben.receivesNothing()
    expect((await held(ann, thread_id)).thread).toBeUndefined()
    expect((await held(ann, other.thread.id)).thread).toBeUndefined()
    expect(await world.table.read.get(keys.thread(chat_id, 2), { strong: true })).toBeUndefined()
  })

  test('over a limit that merging with what the thread was started with goes over', async () => {
    const spaces = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`s${i}`, { x: 1 }]))
    const { ann, ben, chat_id, thread_id } = await annAndBen({ thread: { properties: spaces } })
    expect(await ann.refused(action, { chat_id, thread_id, properties: { more: { x: 1 } } })).toMatchObject({
      type: 'validation',
      details: [{ path: 'payload.properties', message: 'There would be 21 namespaces: at most 20' }],
    })
    await ben.receivesNothing()
    // the chat's are counted by themselves, and what makes room goes through
    await ann.ok('update_chat_properties', { chat_id, properties: { more: { x: 1 } } })
    await ann.ok(action, { chat_id, thread_id, properties: { s0: { x: null }, more: { x: 1 } } })
    await ben.next('chat_properties_updated')
    await ben.next(push)
  })
})
