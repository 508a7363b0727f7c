import { beforeAll, describe, expect, test } from 'vitest'
import { startWorld, type World } from '../support/world.ts'
import { bare, invalid, names, openReception, type Reception, refusesAsAll, next } from './reception.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ delayScale: 1000 })
})

const sentence = 'You are not allowed to set chat properties.'
const set = ({ carl, chat_id }: Reception, properties: object) =>
  carl.ok('update_chat_properties', { chat_id, properties })
/** A chat's properties but the server's own. */
const propertiesOf = async ({ carl, chat_id }: Reception) => {
  const { chat } = await carl.ok('get_chat_threads', { chat_id })
  const { routing: _, ...properties } = chat.properties
  return properties
}

describe('update_chat_properties', () => {
  test('by a customer tells everyone with access and its tabs what changed', async () => {
    const reception = await openReception(world)
    const { carl, tab, chat_id, watching, silence } = reception
    const answer = await carl.call('update_chat_properties', {
      chat_id,
      properties: { rating: { score: { value: 5 }, comment: 'good', again: true } },
    })
    expect(answer).toEqual(bare('update_chat_properties'))
    const rating = { score: { value: 5 }, comment: { value: 'good' }, again: { value: true } }
    for (const client of [...watching, carl, tab])
      expect(await next(client, 'chat_properties_updated')).toEqual({
        ...{ chat_id, properties: { rating } },
        version: expect.any(Number),
      })
    await silence()
    expect(await propertiesOf(reception)).toEqual({ rating })
  })

  test('merges by name; null removes, and is told as null; the version grows', async () => {
    const reception = await openReception(world)
    const { carl, staff, chat_id } = reception
    await set(reception, { a: { one: 1, two: 2 }, b: { x: 'y' } })
    const first = await carl.next('chat_properties_updated')
    await staff.ann.ok('update_chat_properties', { chat_id, properties: { a: { one: null }, c: { z: 1 } } })
    const second = await carl.next('chat_properties_updated')
    expect(second.properties).toEqual({ a: { one: { value: null } }, c: { z: { value: 1 } } })
    await set(reception, { a: { two: 3 }, b: { x: { value: null } }, c: { z: 1 } })
    const third = await carl.next('chat_properties_updated')
    expect(third.properties).toEqual({ a: { two: { value: 3 } }, b: { x: { value: null } } })
    expect(first.version).toBeLessThan(second.version)
    expect(second.version).toBeLessThan(third.version)
    expect(await propertiesOf(reception)).toEqual({ a: { two: { value: 3 } }, c: { z: { value: 1 } } })
  })

  test.each([
    ['nothing', {}],
    ['an empty namespace', { rating: {} }],
    ['what is so already', { rating: { score: 5 } }],
    ['the removal of what is not there', { rating: { other: null }, none: { x: null } }],
  ])('of %s tells nobody', async (_what, properties) => {
    const reception = await openReception(world)
    await set(reception, { rating: { score: 5 } })
    await reception.forget()
    await set(reception, properties)
    await reception.silence()
    expect(await propertiesOf(reception)).toEqual({ rating: { score: { value: 5 } } })
  })

  test('works where no thread is active', async () => {
    const reception = await openReception(world)
    await reception.carl.ok('close_thread', { chat_id: reception.chat_id })
    await reception.forget()
    await set(reception, { rating: { score: 1 } })
    expect(await names(reception.tab)).toEqual(['chat_properties_updated'])
    expect(await propertiesOf(reception)).toEqual({ rating: { score: { value: 1 } } })
  })

  test('of both tabs at once keeps every name that either sets', async () => {
    const reception = await openReception(world)
    const { carl, tab, chat_id } = reception
    await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        (i % 2 === 0 ? carl : tab).ok('update_chat_properties', {
          chat_id,
          properties: { ns: { [`n${i}`]: i } },
        }),
      ),
    )
    expect(Object.keys((await propertiesOf(reception)).ns)).toHaveLength(12)
    const versions = (await reception.staff.gus.received()).map(({ payload }: any) => payload.version)
    expect(new Set(versions).size).toBe(12)
  })

  test('holds 8 KiB and 20 namespaces after merging, those of the server not counted', async () => {
    const reception = await openReception(world)
    const { carl, chat_id, forget, silence } = reception
    const text = 'x'.repeat(4000)
    await set(reception, { a: { one: text }, b: { two: text } })
    await forget()
    const refused = (properties: object) => carl.refused('update_chat_properties', { chat_id, properties })
    expect(await refused({ c: { three: 'x'.repeat(200) } })).toEqual(invalid('payload.properties'))
    await silence()
    const spaces = Object.fromEntries(Array.from({ length: 18 }, (_, i) => [`n${i}`, { x: 1 }]))
    await set(reception, { a: { one: null }, ...spaces, z: { x: 1 } })
    expect(await refused({ more: { x: 1 } })).toEqual(invalid('payload.properties'))
    expect(Object.keys(await propertiesOf(reception))).toHaveLength(20)
  })

  test.each([
    ['no properties', undefined, 'payload.properties'],
    ['null', null, 'payload.properties'],
    ['a list', [], 'payload.properties'],
    ["the server's namespace", { routing: { idle: false } }, 'payload.properties.routing'],
    ['its removal', { routing: { idle: null } }, 'payload.properties.routing'],
    ['a namespace with a dot', { 'a.b': { x: 1 } }, 'payload.properties.a.b'],
    ['a name with a space', { a: { 'x y': 1 } }, 'payload.properties.a.x y'],
    ['a fraction', { a: { x: 1.5 } }, 'payload.properties.a.x'],
    ['an integer beyond 2^53', { a: { x: 2 ** 53 } }, 'payload.properties.a.x'],
    ['a list for a value', { a: { x: [1] } }, 'payload.properties.a.x'],
    ['text of more than 4 KiB', { a: { x: 'x'.repeat(4097) } }, 'payload.properties.a.x'],
  ])('is refused with validation for %s', async (_what, properties, path) => {
    const { client } = await (await world.license({})).visit()
    expect(await client.refused('update_chat_properties', { chat_id: 'x', properties })).toEqual(
      invalid(path),
    )
  })

  test('is refused as every action on a chat is', () =>
    refusesAsAll(
      world,
      'update_chat_properties',
      (chat_id) => ({ chat_id, properties: { a: { x: 1 } } }),
      sentence,
    ))
})

test("an agent's change of a chat's properties is told to the customer, though the agent is hidden from it", async () => {
  const { carl, tab, chat_id, staff } = await openReception(world)
  await staff.sue.ok('update_chat_properties', { chat_id, properties: { crm: { lead: true } } })
  for (const client of [carl, tab]) {
    expect(await client.next('chat_properties_updated')).toMatchObject({
      ...{ chat_id, properties: { crm: { lead: { value: true } } } },
    })
    await client.receivesNothing()
  }
})
