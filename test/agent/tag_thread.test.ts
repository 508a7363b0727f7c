import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { conflictOf, type Fault } from '../support/engine-proxy.ts'
import { notFound } from '../support/wire-errors.ts'
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

const action = 'tag_thread'
const push = 'thread_tagged'
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
const annAndBen = async () => {
  const { ann, ben } = office
  const started = (await ann.ok('start_chat')).chat
  for (const client of [ann, ben]) {
    await client.eventually('incoming_chat_thread', ({ chat: { id } }) => id === started.id)
    await client.received()
  }
  const [chat_id, thread_id] = [started.id as string, started.thread.id as string]
  return { ...office, chat_id, thread_id, at: { chat_id, thread_id } }
}
const tagsOf = async (client: Client, thread_id: string): Promise<string[] | undefined> => {
  const chat_id = thread_id.split('_')[0]
  const { chat } = await client.ok('get_chat_threads', { chat_id, thread_ids: [thread_id] })
  return chat.threads[0].tags
}
const several = (count: number) => Array.from({ length: count }, (_, i) => `tag ${i}`)

describe('tag_thread', () => {
  test('gives the thread a tag; everyone with access is told, and nobody else', async () => {
    const license = await world.license({ ann: {}, ben: {}, cleo: { permission: 'owner' } })
    const [ann, ben, cleo] = [
      await license.login('ann'),
      await license.login('ben'),
      await license.login('cleo'),
    ]
    const { chat } = await ann.ok('start_chat', { chat: { scopes: { agents: ['ann'] } } })
    const at = { chat_id: chat.id, thread_id: chat.thread.id }
    for (const client of [ann, cleo]) await client.received()
    const answer = await ann.call(action, { ...at, tag: 'Refund' })
    expect(answer).toEqual({ request_id: answer.request_id, action, type: 'response', success: true })
    for (const client of [ann, cleo]) {
      expect(await client.next(push)).toEqual({ ...at, tag: 'Refund', tags: ['Refund'], version: 1 })
      await client.receivesNothing()
    }
    await ben.receivesNothing()
    expect(await tagsOf(ann, chat.thread.id)).toEqual(['Refund'])
  })

  test('keeps letter case and order; a tag that is there changes and pushes nothing', async () => {
    const { ann, ben, thread_id, at } = await annAndBen()
    const tags = ['vip', 'VIP', ' ', '#1', 'é'.repeat(32), 'constructor', '__proto__']
    for (const [i, tag] of tags.entries()) {
      await ann.ok(action, { ...at, tag })
      const told = { ...at, tag, tags: tags.slice(0, i + 1), version: i + 1 }
      expect(await ben.next(push)).toEqual(told)
    }
    for (const tag of tags) await ben.ok(action, { ...at, tag })
    await ben.receivesNothing()
    expect(await tagsOf(ben, thread_id)).toEqual(tags)
  })

  test('each thread has its own, a closed one too; the next one begins without any', async () => {
    const { ann, ben, chat_id, thread_id: first } = await annAndBen()
    await ann.ok(action, { chat_id, thread_id: first, tag: 'one' })
    await ann.ok('close_thread', { chat_id })
    const { thread_id: second } = await ann.ok('send_event', { chat_id, event: message('again') })
    expect(await tagsOf(ann, second)).toBeUndefined()
    await ann.ok(action, { chat_id, thread_id: second, tag: 'two' })
    await ben.received()
    await ben.ok(action, { chat_id, thread_id: first, tag: 'late' })
    const told = { chat_id, thread_id: first, tag: 'late', tags: ['one', 'late'], version: 2 }
    expect(await ben.next(push)).toEqual(told)
    expect(await tagsOf(ann, first)).toEqual(['one', 'late'])
    expect(await tagsOf(ann, second)).toEqual(['two'])
  })

  test('is shown to agents by get_chat_threads, login, get_filtered_chats, and to whoever gains access', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { chat } = await ann.ok('start_chat', { chat: { scopes: { agents: ['ann'] } } })
    const [chat_id, thread_id] = [chat.id, chat.thread.id]
    await ann.ok(action, { chat_id, thread_id, tag: 'Refund' })
    const tagged = { tags: ['Refund'], tags_version: 1 }
    const summary = { id: chat_id, last_thread_summary: { id: thread_id, ...tagged } }
    expect((await ann.ok('get_filtered_chats')).chats_summary).toMatchObject([summary])
    const again = await (await world.open()).ok('login', { token: await license.token('ann') })
    expect(again.chats_summary).toMatchObject([summary])
    await ann.ok('join_chat', { chat_id, agent_ids: ['ben'] })
    expect(await ben.next('incoming_chat_thread')).toMatchObject({ chat: { thread: tagged } })
  })

  test('is never shown to the customer, nor told to it', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const { client } = await license.visit({ customer: { name: 'Carl' } })
    const { chat } = await client.ok('start_chat')
    const at = { chat_id: chat.id, thread_id: chat.thread.id }
    await client.received()
    await ann.ok(action, { ...at, tag: 'difficult' })
    await ann.eventually(push)
    await client.receivesNothing()
    // the client parses each frame strictly by its contract, and so would not take tags
    await client.ok('get_chat_threads', { chat_id: chat.id })
    await client.ok('get_chats_summary', {})
    await ann.ok('close_thread', { chat_id: chat.id })
    await client.ok('start_chat')
    const { chat: own } = await client.ok('get_chat_threads', {
      chat_id: chat.id,
      thread_ids: [chat.thread.id],
    })
    expect(JSON.stringify([own, await client.received()])).not.toContain('difficult')
    expect(await client.refused(action, { ...at, tag: 'nice' })).toMatchObject({ type: 'validation' })
  })

  test('leaves the thread as it is otherwise', async () => {
    const { ann, ben, chat_id, at } = await annAndBen()
    const properties = { a: { x: 1 } }
    await ann.ok('update_chat_thread_properties', { ...at, properties })
    await ann.ok(action, { ...at, tag: 'Refund' })
    await ann.ok('join_chat', { chat_id, agent_ids: ['ben'] })
    await ben.ok('update_chat_thread_properties', { ...at, properties: { a: { y: 2 } } })
    const [thread] = (await ann.ok('get_chat_threads', { chat_id })).chat.threads
    expect(thread).toMatchObject({
      ...{ tags: ['Refund'], properties: { a: { x: { value: 1 }, y: { value: 2 } } } },
      events: [{ text: 'ben joined the chat', order: 1 }],
    })
    expect(thread.user_ids.toSorted()).toEqual(['ann', 'ben'])
  })

  test('twenty tags a thread may have, and no more', async () => {
    const { ann, ben, thread_id, at } = await annAndBen()
    for (const tag of several(20)) await ann.ok(action, { ...at, tag })
    await ben.received()
    expect(await ann.refused(action, { ...at, tag: 'one more' })).toEqual({
      ...{ type: 'validation', code: 400, message: 'Wrong format of request' },
      details: [{ path: 'payload.tag', message: 'There would be 21 tags: a thread has at most 20' }],
    })
    // one that is there is none more
    await ann.ok(action, { ...at, tag: 'tag 7' })
    await ben.receivesNothing()
    expect(await tagsOf(ben, thread_id)).toEqual(several(20))
    await ann.ok('untag_thread', { ...at, tag: 'tag 7' })
    await ann.ok(action, { ...at, tag: 'one more' })
    expect(await tagsOf(ben, thread_id)).toHaveLength(20)
  })
})

describe('tag_thread by many at once', () => {
  test('keeps each tag, and tells of each once', async () => {
    const { ann, ben, thread_id, at } = await annAndBen()
    world.proxy.setDelay(3)
    const tags = several(8)
    // of each twice: one of them finds it there
    const all = tags.flatMap((tag) => [ann.ok(action, { ...at, tag }), ben.ok(action, { ...at, tag })])
    await Promise.all(all)
    world.proxy.setDelay(0)
    expect((await tagsOf(ann, thread_id))?.toSorted()).toEqual(tags)
    for (const client of [ann, ben]) {
      const told = (await client.received()).map(({ payload }: any) => payload)
      expect(told.map(({ tag }: any) => tag).toSorted()).toEqual(tags)
      // the one of the highest version has them all
      const last = told.toSorted((a: any, b: any) => a.version - b.version).at(-1)
      expect([last.version, last.tags]).toEqual([8, await tagsOf(ann, thread_id)])
    }
  })

  test('keeps to twenty', async () => {
    const { ann, ben, thread_id, at } = await annAndBen()
    for (const tag of several(17)) await ann.ok(action, { ...at, tag })
    const more = ['a', 'b', 'c', 'd', 'e'].map((tag, i) => [ann, ben][i % 2]!.call(action, { ...at, tag }))
    const answers = await Promise.all(more)
    expect(answers.filter(({ success }) => success)).toHaveLength(3)
    expect(await tagsOf(ann, thread_id)).toHaveLength(20)
  })
})

describe('tag_thread writes once, and pushes once,', () => {
  test.each<[string, Fault[]]>([
    ['through a connection that breaks', [{ reset: true }, { reset: true }]],
    ['through an answer that is lost', [{ reset: true, afterWrite: true }]],
    ['through an error after the write', [{ errorType: 'InternalServerError', afterWrite: true }]],
    ['through a transaction on the thread', Array.from({ length: 3 }, () => conflictOf(2))],
  ])('%s', async (_what, faults) => {
    const { ann, ben, chat_id, thread_id, at } = await annAndBen()
    const left = [...faults]
    world.proxy.setFault(({ operation, request }) =>
      operation === 'TransactWriteItems' && JSON.stringify(request).includes(chat_id)
        ? left.shift()
        : undefined,
    )
    await ann.ok(action, { ...at, tag: 'Refund' })
    expect(left).toEqual([])
    for (const client of [ann, ben]) {
      expect(await client.next(push)).toEqual({ ...at, tag: 'Refund', tags: ['Refund'], version: 1 })
      await client.receivesNothing()
    }
    expect(await tagsOf(ann, thread_id)).toEqual(['Refund'])
  })
})

test('tag_thread finds no thread of another chat, none that is not there, and none of another license', async () => {
  const { ann, ben, chat_id, thread_id } = await annAndBen()
  const { chat: other } = await ann.ok('start_chat')
  for (const client of [ann, ben]) await client.received()
  const ids = [
    other.thread.id,
    `${chat_id}_2`,
    `${chat_id}_0`,
    `${chat_id}_01`,
    `${chat_id}_1_1`,
    chat_id,
    '#',
  ]
  for (const id of ids)
    expect([id, await ann.refused(action, { chat_id, thread_id: id, tag: 'x' })]).toEqual([id, notFound])
  const stranger = await (await world.license({ eve: { permission: 'owner' } })).login('eve')
  expect(await stranger.refused(action, { chat_id, thread_id, tag: 'x' })).toEqual(notFound)
  await ben.receivesNothing()
})
