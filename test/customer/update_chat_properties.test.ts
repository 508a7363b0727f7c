import { beforeAll, describe, expect, test } from 'vitest'
import { message } from '../support/events.ts'
import { denied, invalid, notFound } from '../support/wire-errors.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { bare, names, next, openReception, type Reception } from './reception.ts'

// update_chat_properties and update_chat_thread_properties

let world: World
beforeAll(async () => {
  world = await sharedWorld({ delayScale: 1000 })
})

const text = 'x'.repeat(4000)
const withoutRouting = ({ routing: _, ...properties }: any) => properties

const twins = [
  {
    action: 'update_chat_properties',
    push: 'chat_properties_updated',
    of: ({ chat_id }: Reception) => ({ chat_id }),
    /** The properties but the server's own. */
    shown: async ({ carl, chat_id }: Reception) =>
      withoutRouting((await carl.ok('get_chat_threads', { chat_id })).chat.properties),
  },
  {
    action: 'update_chat_thread_properties',
    push: 'chat_thread_properties_updated',
    of: ({ chat_id, thread_id }: Reception) => ({ chat_id, thread_id }),
    shown: async ({ carl, chat_id, thread_id }: Reception) => {
      const { chat } = await carl.ok('get_chat_threads', { chat_id, thread_ids: [thread_id] })
      return withoutRouting(chat.threads[0].properties)
    },
  },
] as const

describe.each(twins)('$action', ({ action, push, of, shown }) => {
  const set = (reception: Reception, properties: object, by: 'carl' | 'tab' = 'carl') =>
    reception[by].ok(action, { ...of(reception), properties })

  test('by a customer tells everyone with access and its tabs what changed', async () => {
    const reception = await openReception(world)
    const { carl, tab, watching, forget, silence } = reception
    const rating = { score: { value: 5 }, comment: { value: 'good' }, again: { value: true } }
    expect(
      await carl.call(action, {
        ...of(reception),
        properties: { rating: { score: { value: 5 }, comment: 'good', again: true } },
      }),
    ).toEqual(bare(action))
    for (const client of [...watching, carl, tab])
      expect(await next(client, push)).toEqual({
        ...{ ...of(reception), properties: { rating } },
        version: expect.any(Number),
      })
    await silence()
    expect(await shown(reception)).toEqual({ rating })
    // of the chat, or of the thread alone
    for (const other of twins.filter((twin) => twin.action !== action))
      expect(await other.shown(reception)).toEqual({})

    // what changes nothing is told to nobody
    for (const properties of [
      {},
      { rating: {} },
      { rating: { score: 5 } },
      { rating: { other: null }, none: { x: null } },
    ])
      await set(reception, properties)
    await silence()

    // without an active thread it is the same
    await carl.ok('close_thread', { chat_id: reception.chat_id })
    await forget()
    await set(reception, { rating: { score: 1 } })
    expect(await names(tab)).toEqual([push])
    expect(await shown(reception)).toEqual({ rating: { ...rating, score: { value: 1 } } })
  })

  test('merges by name; null removes, and is told as null; the version grows', async () => {
    const reception = await openReception(world)
    const { carl, staff } = reception
    await set(reception, { a: { one: 1, two: 2 }, b: { x: 'y' } })
    const first = await carl.next(push)
    await staff.ann.ok(action, { ...of(reception), properties: { a: { one: null }, c: { z: 1 } } })
    const second = await carl.next(push)
    expect(second.properties).toEqual({ a: { one: { value: null } }, c: { z: { value: 1 } } })
    // also by an agent who is hidden from the customer
    await staff.sue.ok(action, {
      ...of(reception),
      properties: { a: { two: 3 }, b: { x: { value: null } }, c: { z: 1 } },
    })
    const third = await carl.next(push)
    expect(third.properties).toEqual({ a: { two: { value: 3 } }, b: { x: { value: null } } })
    expect(first.version).toBeLessThan(second.version)
    expect(second.version).toBeLessThan(third.version)
    await carl.receivesNothing()
    expect(await shown(reception)).toEqual({ a: { two: { value: 3 } }, c: { z: { value: 1 } } })
  })

  test('of both tabs at once keeps every name that either sets', { tags: ['full'] }, async () => {
    const reception = await openReception(world)
    await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        set(reception, { ns: { [`n${i}`]: i } }, i % 2 === 0 ? 'carl' : 'tab'),
      ),
    )
    expect(Object.keys((await shown(reception)).ns)).toHaveLength(12)
    const versions = (await reception.staff.gus.received()).map(({ payload }: any) => payload.version)
    expect(new Set(versions).size).toBe(12)
  })

  test('holds 8 KiB and 20 namespaces after merging, those of the server not counted', async () => {
    const reception = await openReception(world)
    const { carl, forget, silence } = reception
    await set(reception, { a: { one: text }, b: { two: text } })
    await forget()
    const refused = (properties: object) => carl.refused(action, { ...of(reception), properties })
    expect(await refused({ c: { three: 'x'.repeat(200) } })).toEqual(invalid('payload.properties'))
    await silence()
    const spaces = Object.fromEntries(Array.from({ length: 18 }, (_, i) => [`n${i}`, { x: 1 }]))
    await set(reception, { a: { one: null }, ...spaces, z: { x: 1 } })
    expect(await refused({ more: { x: 1 } })).toEqual(invalid('payload.properties'))
    expect(Object.keys(await shown(reception))).toHaveLength(20)
  })
})

describe('update_chat_thread_properties', () => {
  const action = 'update_chat_thread_properties'

  test('changes each thread for itself, an earlier one too', async () => {
    const reception = await openReception(world)
    const { carl, chat_id, thread_id, forget, staff } = reception
    const set = (thread: string, score: number) =>
      carl.ok(action, { chat_id, thread_id: thread, properties: { rating: { score } } })
    await carl.ok('close_thread', { chat_id })
    const { thread_id: second } = await carl.ok('send_event', { chat_id, event: message('again') })
    await set(second, 2)
    await forget()
    await set(thread_id, 3)
    expect(await staff.gus.next('chat_thread_properties_updated')).toMatchObject({ thread_id })
    expect(await twins[1].shown(reception)).toEqual({ rating: { score: { value: 3 } } })
    expect(await twins[1].shown({ ...reception, thread_id: second })).toEqual({
      rating: { score: { value: 2 } },
    })
  })

  test('is refused with not_found for a thread that is not in this chat', async () => {
    const { license, carl, id, chat_id, staff, forget, silence } = await openReception(world)
    const { client } = await license.visit({ customer: { name: 'Other' } })
    const { chat: other } = await client.ok('start_chat')
    await forget()
    const properties = { a: { x: 1 } }
    const ids = [other.thread.id, `${chat_id}_2`, `${chat_id}_0`, `${chat_id}_01`, `${chat_id}_1_1`, chat_id]
    for (const thread_id of ids)
      expect(await carl.refused(action, { chat_id, thread_id, properties })).toEqual(notFound)
    await silence()
    // to who may not change any of it, each of them is the same
    await staff.ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
    for (const thread_id of [...ids, `${chat_id}_1`])
      expect(await carl.refused(action, { chat_id, thread_id, properties })).toEqual(
        denied('You are not allowed to set chat thread properties.'),
      )
  })
})
