import { beforeAll, describe, expect, test } from 'vitest'
import { startWorld, type World } from '../support/world.ts'
import {
  bare,
  denied,
  invalid,
  message,
  notFound,
  openReception,
  type Reception,
  refusesAsAll,
  next,
} from './reception.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ delayScale: 1000 })
})

const sentence = 'You are not allowed to set chat thread properties.'
const set = ({ carl, chat_id }: Reception, thread_id: string, properties: object) =>
  carl.ok('update_chat_thread_properties', { chat_id, thread_id, properties })
/** A thread's properties but the server's own. */
const propertiesOf = async ({ carl, chat_id }: Reception, thread_id: string) => {
  const { chat } = await carl.ok('get_chat_threads', { chat_id, thread_ids: [thread_id] })
  const { routing: _, ...properties } = chat.threads[0].properties
  return properties
}

describe('update_chat_thread_properties', () => {
  test('by a customer tells everyone with access and its tabs what changed', async () => {
    const reception = await openReception(world)
    const { carl, tab, chat_id, thread_id, watching, silence } = reception
    const answer = await carl.call('update_chat_thread_properties', {
      ...{ chat_id, thread_id },
      properties: { rating: { score: 5, comment: { value: 'good' } } },
    })
    expect(answer).toEqual(bare('update_chat_thread_properties'))
    const rating = { score: { value: 5 }, comment: { value: 'good' } }
    for (const client of [...watching, carl, tab])
      expect(await next(client, 'chat_thread_properties_updated')).toEqual({
        ...{ chat_id, thread_id, properties: { rating } },
        version: expect.any(Number),
      })
    await silence()
    expect(await propertiesOf(reception, thread_id)).toEqual({ rating })
    const { chat } = await carl.ok('get_chat_threads', { chat_id })
    expect(chat.properties).not.toHaveProperty('rating')
  })

  test('merges by name; null removes, and is told as null; what changes nothing is not told', async () => {
    const reception = await openReception(world)
    const { carl, thread_id, forget, silence } = reception
    await set(reception, thread_id, { a: { one: 1, two: 2 } })
    const first = await carl.next('chat_thread_properties_updated')
    await set(reception, thread_id, { a: { one: null, two: 2 } })
    const second = await carl.next('chat_thread_properties_updated')
    expect(second.properties).toEqual({ a: { one: { value: null } } })
    expect(second.version).toBeGreaterThan(first.version)
    await forget()
    await set(reception, thread_id, { a: { one: null, two: 2 } })
    await silence()
  })

  test('changes a closed thread, and an earlier one, each for itself', async () => {
    const reception = await openReception(world)
    const { carl, chat_id, thread_id, forget, staff } = reception
    await carl.ok('close_thread', { chat_id })
    await set(reception, thread_id, { rating: { score: 1 } })
    const { thread_id: next } = await carl.ok('send_event', { chat_id, event: message('again') })
    await set(reception, next, { rating: { score: 2 } })
    await forget()
    await set(reception, thread_id, { rating: { score: 3 } })
    expect(await staff.gus.next('chat_thread_properties_updated')).toMatchObject({ thread_id })
    expect(await propertiesOf(reception, thread_id)).toEqual({ rating: { score: { value: 3 } } })
    expect(await propertiesOf(reception, next)).toEqual({ rating: { score: { value: 2 } } })
  })

  test('is refused with not_found for a thread that is not in this chat', async () => {
    const { license, carl, id, chat_id, staff, forget, silence } = await openReception(world)
    const { client } = await license.visit({ customer: { name: 'Other' } })
    const { chat: other } = await client.ok('start_chat')
    await forget()
    const properties = { a: { x: 1 } }
    const ids = [other.thread.id, `${chat_id}_2`, `${chat_id}_0`, `${chat_id}_01`, `${chat_id}_1_1`, chat_id]
    for (const thread_id of ids)
      expect(await carl.refused('update_chat_thread_properties', { chat_id, thread_id, properties })).toEqual(
        notFound,
      )
    await silence()
    // to who may not change any of it, each of them is the same
    await staff.ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
    for (const thread_id of [...ids, `${chat_id}_1`])
      expect(await carl.refused('update_chat_thread_properties', { chat_id, thread_id, properties })).toEqual(
        denied(sentence),
      )
  })

  test('holds 8 KiB after merging', async () => {
    const reception = await openReception(world)
    const { carl, chat_id, thread_id } = reception
    const text = 'x'.repeat(4000)
    await set(reception, thread_id, { a: { one: text }, b: { two: text } })
    const properties = { c: { three: 'x'.repeat(200) } }
    expect(await carl.refused('update_chat_thread_properties', { chat_id, thread_id, properties })).toEqual(
      invalid('payload.properties'),
    )
  })

  test.each([
    ['no properties', { thread_id: 'x_1' }, 'payload.properties'],
    ['no thread', { properties: {} }, 'payload.thread_id'],
    ['null for a thread', { thread_id: null, properties: {} }, 'payload.thread_id'],
    ['a thread of 129 bytes', { thread_id: 'x'.repeat(129), properties: {} }, 'payload.thread_id'],
    [
      "the server's namespace",
      { thread_id: 'x_1', properties: { routing: { unassigned: false } } },
      'payload.properties.routing',
    ],
    [
      'a value that is none',
      { thread_id: 'x_1', properties: { a: { x: { value: {} } } } },
      'payload.properties.a.x',
    ],
  ])('is refused with validation for %s', async (_what, payload, path) => {
    const { client } = await (await world.license({})).visit()
    expect(await client.refused('update_chat_thread_properties', { chat_id: 'x', ...payload })).toEqual(
      invalid(path),
    )
  })

  test('is refused as every action on a chat is', () =>
    refusesAsAll(
      world,
      'update_chat_thread_properties',
      (chat_id) => ({ chat_id, thread_id: `${chat_id}_1`, properties: { a: { x: 1 } } }),
      sentence,
    ))
})
