import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { PushPayload } from '../../shared/protocol/pushes.ts'
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

const action = 'update_chat_properties'
const push = 'chat_properties_updated'

/** Starts a chat and forgets its pushes. */
const startChat = async (starter: Client, chat: object = {}, ...others: Client[]) => {
  const answer = await starter.ok('start_chat', { chat })
  for (const client of [starter, ...others]) await client.received()
  return answer.chat
}
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
/** A chat of `ann`'s, whose pushes are forgotten, and another agent who sees it. */
const annAndBen = async (chat?: object) => {
  const { ann, ben } = office
  const started = await startChat(ann, chat, ben)
  return { ...office, chat: started, chat_id: started.id as string }
}
const held = async (client: Client, chat_id: string) =>
  (await client.ok('get_chat_threads', { chat_id })).chat.properties
const numbered = <T>(count: number, value: T, name = 'n') =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${name}${i}`, value]))

describe('update_chat_properties', () => {
  test('sets properties; everyone with access is told what changed, under a version', async () => {
    const license = await world.license({ ann: {}, ben: {}, cleo: { permission: 'owner' } })
    const [ann, ben, cleo] = [
      await license.login('ann'),
      await license.login('ben'),
      await license.login('cleo'),
    ]
    const { id: chat_id } = await startChat(ann, { scopes: { agents: ['ann'] } }, cleo)
    const answer = await ann.call(action, { chat_id, properties: { rating: { score: 2, comment: 'good' } } })
    expect(answer).toEqual({ request_id: answer.request_id, action, type: 'response', success: true })
    const properties = { rating: { score: { value: 2 }, comment: { value: 'good' } } }
    for (const client of [ann, cleo]) {
      expect(await client.next(push)).toEqual({ chat_id, properties, version: 1 })
      await client.receivesNothing()
    }
    await ben.receivesNothing()
    expect(await held(ann, chat_id)).toEqual(properties)
  })

  test('takes both forms, mixed as one likes', async () => {
    const { ann, ben, chat_id } = await annAndBen()
    await ann.ok(action, { chat_id, properties: { a: { x: { value: true } }, b: { 'y.z': 'text', n: -1 } } })
    const properties = { a: { x: { value: true } }, b: { 'y.z': { value: 'text' }, n: { value: -1 } } }
    expect(await ben.next(push)).toEqual({ chat_id, properties, version: 1 })
    expect(await held(ben, chat_id)).toEqual(properties)
  })

  test('merges by name: others stay, in its namespace and beside it, and only what changed is pushed', async () => {
    const { ann, ben, chat_id } = await annAndBen()
    await ann.ok(action, { chat_id, properties: { a: { x: 1, y: 2 }, b: { x: 3 } } })
    await ben.next(push)
    await ann.ok(action, { chat_id, properties: { a: { x: 1, y: 20, z: 30 }, b: {} } })
    expect(await ben.next(push)).toEqual({
      chat_id,
      properties: { a: { y: { value: 20 }, z: { value: 30 } } },
      version: 2,
    })
    expect(await held(ann, chat_id)).toEqual({
      a: { x: { value: 1 }, y: { value: 20 }, z: { value: 30 } },
      b: { x: { value: 3 } },
    })
  })

  test('removes what is null, in either form, and pushes it as {"value": null}', async () => {
    const { ann, ben, chat_id } = await annAndBen()
    await ann.ok(action, { chat_id, properties: { a: { x: 1, y: 2, z: 3 } } })
    await ben.next(push)
    await ann.ok(action, { chat_id, properties: { a: { x: null, y: { value: null }, none: null } } })
    expect(await ben.next(push)).toEqual({
      chat_id,
      properties: { a: { x: { value: null }, y: { value: null } } },
      version: 2,
    })
    expect(await held(ann, chat_id)).toEqual({ a: { z: { value: 3 } } })
    await ann.ok(action, { chat_id, properties: { a: { z: null } } })
    expect(await ben.next(push)).toMatchObject({ properties: { a: { z: { value: null } } }, version: 3 })
    // a removed name can be set again, and versions go on
    expect((await held(ann, chat_id)) ?? {}).toEqual({})
    await ann.ok(action, { chat_id, properties: { a: { z: 4 } } })
    expect(await ben.next(push)).toMatchObject({ version: 4 })
    await ben.receivesNothing()
  })

  test('that changes nothing pushes nothing and raises no version', async () => {
    const { ann, ben, chat_id } = await annAndBen()
    for (const properties of [{}, { a: {} }, { a: { x: null } }, { a: { x: { value: null } } }])
      await ann.ok(action, { chat_id, properties })
    await ben.receivesNothing()
    await ann.ok(action, { chat_id, properties: { a: { x: 1 } } })
    expect(await ben.next(push)).toMatchObject({ version: 1 })
    for (const properties of [{ a: { x: 1 } }, { a: { x: { value: 1 }, y: null } }, {}])
      await ann.ok(action, { chat_id, properties })
    for (const client of [ben]) await client.receivesNothing()
    // type and value: "1" is not 1
    await ann.ok(action, { chat_id, properties: { a: { x: '1' } } })
    expect(await ben.next(push)).toEqual({ chat_id, properties: { a: { x: { value: '1' } } }, version: 2 })
  })

  test('goes on from the properties and the version that the chat was started with', async () => {
    const { ann, ben, chat, chat_id } = await annAndBen({ properties: { a: { x: 1, y: 2 } } })
    expect(chat.properties).toEqual({ a: { x: { value: 1 }, y: { value: 2 } } })
    await ann.ok(action, { chat_id, properties: { a: { y: null }, b: { z: true } } })
    expect(await ben.next(push)).toEqual({
      chat_id,
      properties: { a: { y: { value: null } }, b: { z: { value: true } } },
      version: 2,
    })
    expect(await held(ben, chat_id)).toEqual({ a: { x: { value: 1 } }, b: { z: { value: true } } })
  })

  test('ignores fields that it does not know, thread_id too', async () => {
    const { ann, ben, chat, chat_id } = await annAndBen()
    const more = { thread_id: chat.thread.id, version: 7, author_id: 'ben', scopes: { agents: ['x'] } }
    await ann.ok(action, { chat_id, properties: { a: { x: { value: 1, version: 3 } } }, ...more })
    expect(await ben.next(push)).toEqual({ chat_id, properties: { a: { x: { value: 1 } } }, version: 1 })
    await ben.receivesNothing()
    const shown = (await ben.ok('get_chat_threads', { chat_id })).chat
    expect(shown.properties).toEqual({ a: { x: { value: 1 } } })
    expect(shown.threads[0].properties).toBeUndefined()
    // not even one that could not be
    await ann.ok(action, { chat_id, thread_id: 5, properties: { a: { x: 2 } } })
    expect(await ben.next(push)).toMatchObject({ version: 2 })
  })

  test('on a chat without an active thread; nothing is appended to it', async () => {
    const { ann, ben, chat_id } = await annAndBen()
    await ann.ok('close_thread', { chat_id })
    await ben.received()
    await ann.ok(action, { chat_id, properties: { rating: { score: 1 } } })
    expect(await ben.next(push)).toMatchObject({ properties: { rating: { score: { value: 1 } } } })
    await ben.receivesNothing()
    const { chat } = await ann.ok('get_chat_threads', { chat_id })
    expect(chat.threads).toMatchObject([{ active: false, events: [{ order: 1 }] }])
    expect(chat.threads[0].events).toHaveLength(1)
  })

  test('is shown by get_chat_threads, get_filtered_chats, login, and to whoever gains access', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { id: chat_id } = await startChat(ann, { scopes: { agents: ['ann'] } })
    await ann.ok(action, { chat_id, properties: { a: { x: 1 } } })
    const properties = { a: { x: { value: 1 } } }
    expect(await held(ann, chat_id)).toEqual(properties)
    expect((await ann.ok('get_filtered_chats')).chats_summary).toMatchObject([{ id: chat_id, properties }])
    const again = await (await world.open()).ok('login', { token: await license.token('ann') })
    expect(again.chats_summary).toMatchObject([{ id: chat_id, properties }])
    await ann.ok('join_chat', { chat_id, agent_ids: ['ben'] })
    expect(await ben.next('incoming_chat_thread')).toMatchObject({ chat: { id: chat_id, properties } })
  })

  test('takes names that every object inherits for names like any other', async () => {
    const { ann, ben, chat_id } = await annAndBen()
    const inherited = ['constructor', 'toString', 'hasOwnProperty', 'valueOf']
    const given = Object.fromEntries(
      inherited.map((space) => [space, Object.fromEntries(inherited.map((name) => [name, 1]))]),
    )
    const out = Object.fromEntries(
      inherited.map((space) => [space, Object.fromEntries(inherited.map((name) => [name, { value: 1 }]))]),
    )
    await ann.ok(action, { chat_id, properties: { constructor: { toString: null } } })
    await ben.receivesNothing()
    await ann.ok(action, { chat_id, properties: given })
    expect(await ben.next(push)).toEqual({ chat_id, properties: out, version: 1 })
    await ann.ok(action, { chat_id, properties: given })
    await ben.receivesNothing()
    expect(await held(ben, chat_id)).toEqual(out)
    const filtered = await ben.ok('get_filtered_chats', {
      filters: { properties: { 'constructor.toString': { values: [1] } } },
    })
    expect(filtered.chats_summary).toMatchObject([{ id: chat_id, properties: out }])
    await ann.ok(action, { chat_id, properties: { constructor: { constructor: null } } })
    expect(await ben.next(push)).toMatchObject({
      properties: { constructor: { constructor: { value: null } } },
      version: 2,
    })
  })

  test('keeps strings as they came', async () => {
    const { ann, ben, chat_id } = await annAndBen()
    const texts = { empty: '', nul: '\u0000', wide: '🙂é', quote: '"\\\n', long: 'é'.repeat(2048) }
    await ann.ok(action, { chat_id, properties: { t: texts, n: { max: 2 ** 53 - 1, min: -(2 ** 53) + 1 } } })
    const { properties } = await ben.next(push)
    expect(properties).toEqual({
      t: Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, { value }])),
      n: { max: { value: 2 ** 53 - 1 }, min: { value: -(2 ** 53) + 1 } },
    })
    expect(await held(ben, chat_id)).toEqual(properties)
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

describe('update_chat_properties by many at once', () => {
  test.each([
    ['as fast as the table is', 0],
    ['on a slow table', 15],
  ])(
    '%s: 30 changes of different names all survive, each pushed once under a version of its own',
    { tags: ['full'] },
    async (_how, delayMs) => {
      const license = await world.license({ ann: {}, ben: {} })
      const [ann, ben, watcher] = [
        await license.login('ann'),
        await license.login('ben'),
        await license.login('ben'),
      ]
      const { id: chat_id } = await startChat(ann, { properties: { a: { kept: true } } }, ben, watcher)
      world.proxy.setDelay(delayMs)
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, i) =>
          untilTaken([ann, ben][i % 2]!, {
            chat_id,
            properties: { a: { [`n${i}`]: i }, [`s${i % 5}`]: { [`m${i}`]: i } },
          }),
        ),
      )
      expect(answers.filter(({ success }) => !success)).toEqual([])
      world.proxy.setDelay(0)
      const expected: Record<string, Record<string, { value: unknown }>> = { a: { kept: { value: true } } }
      for (let i = 0; i < 30; i += 1) {
        expected['a']![`n${i}`] = { value: i }
        ;(expected[`s${i % 5}`] ??= {})[`m${i}`] = { value: i }
      }
      expect(await held(ann, chat_id)).toEqual(expected)

      // on a slow machine some are put off
      await calm(world)
      for (const client of [ann, ben, watcher]) {
        const pushed = await client.received()
        expect(pushed.filter((one) => one.action !== push)).toEqual([])
        const payloads = pushed.map(({ payload }) => payload as PushPayload<typeof push>)
        expect(payloads.map(({ version }) => version).toSorted((x, y) => x - y)).toEqual(
          Array.from({ length: 30 }, (_, i) => i + 2),
        )
        const told = payloads.flatMap(({ properties }) => Object.keys(properties['a']!))
        expect(told.toSorted()).toEqual(Array.from({ length: 30 }, (_, i) => `n${i}`).toSorted())
      }
    },
  )

  test('of one name: the push with the highest version says what is stored', async () => {
    const { ann, ben, chat_id } = await annAndBen()
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        untilTaken([ann, ben][i % 2]!, { chat_id, properties: { a: { x: i } } }),
      ),
    )
    expect(answers.filter(({ success }) => !success)).toEqual([])
    await calm(world)
    const pushed = (await ben.received()).map(({ payload }) => payload as PushPayload<typeof push>)
    const newest = pushed.toSorted((x, y) => y.version - x.version)[0]!
    expect(await held(ann, chat_id)).toEqual(newest.properties)
    expect(new Set(pushed.map(({ version }) => version)).size).toBe(pushed.length)
    expect(pushed).toHaveLength(8)
  })

  test('that set one name to the same value: one changes it, the others push nothing', async () => {
    const { ann, ben, chat_id } = await annAndBen()
    world.proxy.setDelay(10)
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        untilTaken([ann, ben][i % 2]!, { chat_id, properties: { a: { x: 1 } } }),
      ),
    )
    expect(answers.filter(({ success }) => !success)).toEqual([])
    expect(await ben.next(push)).toEqual({ chat_id, properties: { a: { x: { value: 1 } } }, version: 1 })
    await ben.receivesNothing()
  })

  test('cannot fill it over a limit together', { tags: ['full'] }, async () => {
    const { ann, ben, chat_id } = await annAndBen()
    const answers = await Promise.all(
      Array.from({ length: 24 }, (_, i) =>
        untilTaken([ann, ben][i % 2]!, { chat_id, properties: { [`s${i}`]: { x: 1 } } }),
      ),
    )
    expect(answers.filter(({ success }) => success)).toHaveLength(20)
    expect(Object.keys(await held(ann, chat_id))).toHaveLength(20)
  })
})

describe('update_chat_properties writes once, and pushes once,', () => {
  const spoil = (id: string, faults: Fault[]) => {
    const left = [...faults]
    world.proxy.setFault(({ operation, request }) =>
      operation === 'TransactWriteItems' && JSON.stringify(request).includes(id) ? left.shift() : undefined,
    )
    return () => left.length
  }

  test.each<[string, Fault[]]>([
    ['through a connection that breaks', [{ reset: true }, { reset: true }]],
    ['through an answer that is lost', [{ reset: true, afterWrite: true }]],
    ['through an error after the write', [{ errorType: 'InternalServerError', afterWrite: true }]],
    ['through a transaction on the item', Array.from({ length: 3 }, () => conflictOf(2))],
  ])('%s', async (_what, faults) => {
    const { ann, ben, chat_id } = await annAndBen()
    const left = spoil(chat_id, faults)
    await ann.ok(action, { chat_id, properties: { a: { x: 1 } } })
    expect(left()).toBe(0)
    for (const client of [ann, ben]) {
      expect(await client.next(push)).toEqual({ chat_id, properties: { a: { x: { value: 1 } } }, version: 1 })
      await client.receivesNothing()
    }
    expect(await held(ann, chat_id)).toEqual({ a: { x: { value: 1 } } })
  })

  /** The first write is done and its answer lost; `meanwhile` runs before the SDK repeats it. */
  const loseAnswer = (id: string, meanwhile: () => Promise<unknown>) => {
    let calls = 0
    world.proxy.setFault(async ({ operation, request }): Promise<Fault | undefined> => {
      if (operation !== 'TransactWriteItems' || !JSON.stringify(request).includes(id)) return undefined
      calls += 1
      if (calls === 1) return { reset: true, afterWrite: true }
      if (calls === 2) await meanwhile()
      return undefined
    })
  }

  test('though its answer is lost and another change comes before it is repeated', async () => {
    const { ann, ben, chat_id } = await annAndBen()
    loseAnswer(chat_id, () => ben.ok(action, { chat_id, properties: { a: { y: 2 } } }))
    await ann.ok(action, { chat_id, properties: { a: { x: 1 } } })
    const pushed = (await ben.received()).map(({ payload }) => payload as PushPayload<typeof push>)
    expect(pushed.toSorted((x, y) => x.version - y.version)).toEqual([
      { chat_id, properties: { a: { x: { value: 1 } } }, version: 1 },
      { chat_id, properties: { a: { y: { value: 2 } } }, version: 2 },
    ])
    expect(await held(ann, chat_id)).toEqual({ a: { x: { value: 1 }, y: { value: 2 } } })
  })

  test('though another change undoes a part of it before it is repeated, which comes to nothing', async () => {
    const { ann, ben, chat_id } = await annAndBen()
    loseAnswer(chat_id, () => ben.ok(action, { chat_id, properties: { a: { y: 3 } } }))
    await ann.ok(action, { chat_id, properties: { a: { x: 1, y: 2 } } })
    const pushed = (await ben.received()).map(({ payload }) => payload as PushPayload<typeof push>)
    expect(pushed.toSorted((x, y) => x.version - y.version)).toEqual([
      { chat_id, properties: { a: { x: { value: 1 }, y: { value: 2 } } }, version: 1 },
      { chat_id, properties: { a: { y: { value: 3 } } }, version: 2 },
    ])
    expect(await held(ann, chat_id)).toEqual({ a: { x: { value: 1 }, y: { value: 3 } } })
  })

  test('and tells only those who still have access when a lost race is over', async () => {
    const license = await world.license({ ann: { permission: 'owner' }, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { id: chat_id } = await startChat(ann, { scopes: { agents: ['ben'] } }, ben)
    let isHeld = false
    world.proxy.setFault(async ({ operation, request }) => {
      if (operation !== 'TransactWriteItems' || isHeld || !JSON.stringify(request).includes(chat_id))
        return undefined
      isHeld = true
      await ann.ok(action, { chat_id, properties: { a: { x: 1 } } })
      await ann.ok('update_chat_scopes', {
        chat_id,
        add_scopes: { agents: ['ann'] },
        remove_scopes: { agents: ['ben'] },
      })
      return undefined
    })
    await ann.ok(action, { chat_id, properties: { a: { y: 2 } } })
    expect(isHeld).toBe(true)
    expect((await ben.received()).map(({ action: name }) => name)).toEqual([push, 'chat_scopes_updated'])
    expect((await ann.received()).map(({ action: name }) => name)).toEqual([
      push,
      'chat_scopes_updated',
      push,
    ])
  })
})

describe('update_chat_properties is refused', () => {
  test('over a limit that merging goes over, saying which; what makes room goes through', async () => {
    const { ann, ben, chat_id } = await annAndBen()
    const refuse = async (properties: object) => (await ann.refused(action, { chat_id, properties })).details
    await ann.ok(action, { chat_id, properties: numbered(19, { x: 1 }, 's') })
    await ann.ok(action, { chat_id, properties: { full: numbered(100, 1), s0: { u: 'x'.repeat(4000) } } })
    await ben.received()
    expect(await refuse({ one: { more: 1 } })).toEqual([
      { path: 'payload.properties', message: 'There would be 21 namespaces: at most 20' },
    ])
    expect(await refuse({ full: { more: 1 } })).toEqual([
      { path: 'payload.properties.full', message: 'There would be 101 names: at most 100' },
    ])
    const bytes = Buffer.byteLength(JSON.stringify(await held(ann, chat_id)))
    const room = 8192 - bytes - Buffer.byteLength(JSON.stringify({ t: { value: '' } }).slice(1, -1)) - 1
    expect(await refuse({ s0: { t: 'x'.repeat(room + 1) } })).toEqual([
      { path: 'payload.properties', message: 'There would be 8193 bytes after merging: at most 8192' },
    ])
    await ben.receivesNothing()
    // exactly full, then one goes and another comes in the same request
    await ann.ok(action, { chat_id, properties: { s0: { t: 'x'.repeat(room) } } })
    expect(Buffer.byteLength(JSON.stringify(await held(ann, chat_id)))).toBe(8192)
    await ann.ok(action, { chat_id, properties: { full: { n0: null, more: 1 }, s0: { t: null } } })
    await ann.ok(action, { chat_id, properties: { s1: { x: null }, one: { more: 1 } } })
    expect((await ben.received()).map(({ payload }: any) => payload.version)).toEqual([3, 4, 5])
  })
})
