import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { denied, notFound } from '../support/wire-errors.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(async () => {
  world.proxy.setFault(undefined)
  await calm(world)
})

const action = 'untag_thread'
const push = 'thread_untagged'

/** A chat that is tagged, and three agents: one without access to it. */
const tagged = async (...tags: string[]) => {
  const license = await world.license({ ann: {}, ben: {}, cleo: { permission: 'owner' } })
  const [ann, ben, cleo] = [
    await license.login('ann'),
    await license.login('ben'),
    await license.login('cleo'),
  ]
  await calm(world)
  const { chat } = await ann.ok('start_chat', { chat: { scopes: { agents: ['ann'] } } })
  const at = { chat_id: chat.id as string, thread_id: chat.thread.id as string }
  for (const tag of tags) await ann.ok('tag_thread', { ...at, tag })
  for (const client of [ann, ben, cleo]) await client.received()
  return { ann, ben, cleo, at }
}
const tagsOf = async (client: Client, { chat_id }: { chat_id: string }) =>
  (await client.ok('get_chat_threads', { chat_id })).chat.threads[0].tags

describe('untag_thread', () => {
  test('takes the tag from the thread; everyone with access is told, and nobody else', async () => {
    const { ann, ben, cleo, at } = await tagged('one', 'two', 'Two')
    const answer = await ann.call(action, { ...at, tag: 'two' })
    expect(answer).toEqual({ request_id: answer.request_id, action, type: 'response', success: true })
    for (const client of [ann, cleo]) {
      expect(await client.next(push)).toEqual({ ...at, tag: 'two', tags: ['one', 'Two'], version: 4 })
      await client.receivesNothing()
    }
    await ben.receivesNothing()
    expect(await tagsOf(cleo, at)).toEqual(['one', 'Two'])
  })

  test('of the last tag leaves the thread without any', async () => {
    const { ann, cleo, at } = await tagged('one')
    await cleo.ok(action, { ...at, tag: 'one' })
    expect(await ann.next(push)).toEqual({ ...at, tag: 'one', tags: [], version: 2 })
    const [thread] = (await ann.ok('get_chat_threads', { chat_id: at.chat_id })).chat.threads
    expect(thread).not.toHaveProperty('tags')
    await ann.ok('tag_thread', { ...at, tag: 'one' })
    expect(await tagsOf(ann, at)).toEqual(['one'])
  })

  test('of a tag that is not there changes and pushes nothing', async () => {
    const { ann, cleo, at } = await tagged('one')
    for (const tag of ['One', 'one ', 'two', 'toString']) await ann.ok(action, { ...at, tag })
    for (const client of [ann, cleo]) await client.receivesNothing()
    expect(await tagsOf(ann, at)).toEqual(['one'])
  })

  test('works on a closed thread', async () => {
    const { ann, at } = await tagged('one', 'two')
    await ann.ok('close_thread', { chat_id: at.chat_id })
    await ann.received()
    await ann.ok(action, { ...at, tag: 'one' })
    expect(await ann.next(push)).toEqual({ ...at, tag: 'one', tags: ['two'], version: 3 })
    expect(await tagsOf(ann, at)).toEqual(['two'])
  })

  test('of different tags at once takes each, and tells of each once', async () => {
    const tags = Array.from({ length: 8 }, (_, i) => `tag ${i}`)
    const { ann, cleo, at } = await tagged(...tags, 'kept')
    await Promise.all(
      tags.flatMap((tag) => [ann.ok(action, { ...at, tag }), cleo.ok(action, { ...at, tag })]),
    )
    expect(await tagsOf(ann, at)).toEqual(['kept'])
    for (const client of [ann, cleo])
      expect((await client.received()).map(({ payload }: any) => payload.tag).toSorted()).toEqual(tags)
  })

  test('writes once, and pushes once, through an answer that is lost', async () => {
    const { ann, cleo, at } = await tagged('one', 'two')
    const left = [{ reset: true, afterWrite: true }]
    world.proxy.setFault(({ operation, request }) =>
      operation === 'TransactWriteItems' && JSON.stringify(request).includes(at.chat_id)
        ? left.shift()
        : undefined,
    )
    await ann.ok(action, { ...at, tag: 'one' })
    expect(left).toEqual([])
    expect(await cleo.next(push)).toEqual({ ...at, tag: 'one', tags: ['two'], version: 3 })
    await cleo.receivesNothing()
    expect(await tagsOf(ann, at)).toEqual(['two'])
  })

  test('is refused with authorization without access, and not_found for a thread that is not there', async () => {
    const { ann, ben, cleo, at } = await tagged('one')
    expect(await ben.refused(action, { ...at, tag: 'one' })).toEqual(
      denied('You are not allowed to untag this thread.'),
    )
    const thread_id = `${at.chat_id}_2`
    expect(await ann.refused(action, { ...at, thread_id, tag: 'one' })).toEqual(notFound)
    const stranger = await (await world.license({ eve: { permission: 'owner' } })).login('eve')
    expect(await stranger.refused(action, { ...at, tag: 'one' })).toEqual(notFound)
    await cleo.receivesNothing()
    expect(await tagsOf(ann, at)).toEqual(['one'])
  })
})
