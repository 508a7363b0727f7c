import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { PostFault } from '../../infra/local/gateway/settings.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import type { Client } from '../support/client.ts'
import { testFirst } from '../support/sample.ts'
import { type License, startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterEach(() => world.gateway.setFaults({}))

const message = (text: string) => ({ type: 'message', text })

interface Office {
  license: License
  ann: Client
  ben: Client
  benId: string
  chat_id: string
}

const openOffice = async (): Promise<Office> => {
  const license = await world.license({ ann: {}, ben: {}, cleo: {} })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  const { chat } = await ann.ok('start_chat')
  await world.settled()
  await world.queue.flush()
  for (const client of [ann, ben]) await client.received()
  const [row] = await readAgentSockets(world.table.read, license.id, 'ben')
  return { license, ann, ben, benId: row!.connection, chat_id: chat.id }
}

/** Counts the posts to each connection, and spoils those to one of them as told. */
const countPosts = (spoilt?: string, fault: () => PostFault | undefined = () => undefined) => {
  const posts: { to: string; event: string | undefined }[] = []
  world.gateway.setFaults({
    post: ({ connectionId, body }) => {
      posts.push({ to: connectionId, event: JSON.parse(String(body)).payload.event?.text })
      return connectionId === spoilt ? fault() : undefined
    },
  })
  return posts
}

/** Resolves to how long the answer took, in ms. */
const send = async ({ ann, chat_id }: Office, text: string): Promise<number> => {
  await ann.ok('send_event', { chat_id, event: message(text) })
  return world.requests.findLast(({ route }) => route === 'send_event')!.ms
}

const texts = async (client: Client) =>
  (await client.received()).map(({ payload }: any) => payload.event.text)

describe('a hanging peer', () => {
  test('is waited for once, and then pushed to by the later worker', async () => {
    const office = await openOffice()
    await send(office, 'warm')
    await office.ben.received()
    const posts = countPosts(office.benId, () => ({ hang: true }))
    const toBen = () => posts.filter(({ to }) => to === office.benId).map(({ event }) => event)

    // it would hang for good: that there is an answer says that it is given up on
    expect(await send(office, 'one')).toBeGreaterThan(900)
    expect(toBen()).toEqual(['one'])
    for (const text of ['two', 'three']) await send(office, text)
    expect(toBen()).toEqual(['one'])
    expect(await texts(office.ann)).toEqual(['warm', 'one', 'two', 'three'])

    world.gateway.setFaults({})
    await world.queue.flush()
    expect((await texts(office.ben)).toSorted()).toEqual(['one', 'three', 'two'])
  })

  test('does not hold back the others', { tags: ['full'] }, async () => {
    const office = await openOffice()
    const { ann, benId } = office
    const cleo = await office.license.login('cleo')
    await cleo.received()
    countPosts(benId, () => ({ hang: true }))
    const before = world.requests.length
    const answer = send(office, 'one')
    expect((await cleo.next('incoming_event')).event).toMatchObject({ text: 'one' })
    expect((await ann.eventually('incoming_event')).event).toMatchObject({ text: 'one' })
    // both have it while the answer still waits for ben
    expect(world.requests.length).toBe(before)
    await answer
    expect(world.requests.length).toBe(before + 1)
  })
})

describe('a post that is refused', () => {
  const refusals: [string, PostFault][] = [
    ['429', { status: 429, errorType: 'LimitExceededException' }],
    ['500', { status: 500, errorType: 'InternalServerError' }],
    ['503', { status: 503 }],
  ]
  testFirst(
    'with %s is tried twice more by the later worker, and never beside the answer',
    refusals,
    async (_, fault) => {
      const office = await openOffice()
      const posts = countPosts(office.benId, () => fault)
      const toBen = () => posts.filter(({ to }) => to === office.benId).length
      await send(office, 'one')
      expect(toBen()).toBe(1)
      await world.queue.flush()
      expect(toBen()).toBe(2)
      await world.queue.flush()
      expect(toBen()).toBe(3)
      await world.queue.flush()
      expect(toBen()).toBe(3)
      expect(world.queue.pending()).toBe(0)
      expect(world.queue.deadLetters()).toEqual([])
      await office.ben.receivesNothing()
      // the connection is not taken for slow, nor for gone
      world.gateway.setFaults({})
      await send(office, 'two')
      expect(await texts(office.ben)).toEqual(['two'])
    },
  )

  test('arrives with the first try that goes through, once', async () => {
    const office = await openOffice()
    let refused = 0
    const posts = countPosts(office.benId, () =>
      (refused += 1) <= 2 ? { status: 429, errorType: 'LimitExceededException' } : undefined,
    )
    await send(office, 'one')
    await world.queue.flush()
    await office.ben.receivesNothing()
    await world.queue.flush()
    expect(await texts(office.ben)).toEqual(['one'])
    expect(posts.filter(({ to }) => to === office.benId)).toHaveLength(3)
  })
})

describe('the pushes of one request', () => {
  test(
    'arrive at each connection in their order, however long each post takes',
    { tags: ['full'] },
    async () => {
      const office = await openOffice()
      const { license, ann, ben, chat_id } = office
      const clients = [ann, ben, await license.login('cleo'), await license.login('cleo')]
      world.gateway.setFaults({ post: () => ({ delayMs: Math.random() * 30 }) })
      for (let turn = 0; turn < 5; turn += 1) {
        for (const client of clients) await client.received()
        await ann.ok('join_chat', { chat_id, agent_ids: ['ben', 'cleo'] })
        await ann.ok('remove_from_chat', { chat_id, agent_ids: ['ben', 'cleo'] })
        await ann.ok('close_thread', { chat_id })
        await ann.ok('send_event', { chat_id, event: message('again') })
        for (const client of clients) {
          const pushes = await client.received()
          expect(pushes.map(({ action }) => action)).toEqual([
            'incoming_event',
            'incoming_event',
            'chat_users_updated',
            'incoming_event',
            'incoming_event',
            'chat_users_updated',
            'incoming_event',
            'thread_closed',
            'incoming_chat_thread',
          ])
          const orders = pushes.flatMap((push) =>
            push.action === 'incoming_event' ? push.payload.event.order : [],
          )
          expect(orders).toEqual(orders.toSorted((a, b) => a - b))
        }
      }
    },
  )

  test('are one post each to each live connection, and none to any other', async () => {
    const office = await openOffice()
    const { license, ann, ben, chat_id } = office
    const second = await license.login('ben')
    const gone = await license.login('cleo')
    const hidden = await world.license({ dan: {} })
    await hidden.login('dan')
    await world.open() // connected, not logged in
    await gone.close()
    await world.settled()
    const live = (await readAgentSockets(world.table.read, license.id)).map(({ connection }) => connection)
    expect(live).toHaveLength(3)
    const posts = countPosts()
    await ann.ok('send_event', { chat_id, event: message('one') })
    expect(posts.map(({ to }) => to).toSorted()).toEqual(live.toSorted())
    posts.splice(0)
    await ann.ok('join_chat', { chat_id, agent_ids: ['ben'] })
    expect(posts.map(({ to }) => to).toSorted()).toEqual([...live, ...live].toSorted())
    for (const client of [ben, second])
      expect((await client.received()).map(({ action }) => action)).toEqual([
        'incoming_event',
        'incoming_event',
        'chat_users_updated',
      ])
  })
})
