import { beforeAll, describe, expect, test, vi } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { type Answered, catchUp } from '../../shared/account/catch-up.ts'
import { listActiveChat, readChat } from '../../shared/table/chat/chats.ts'
import { keys } from '../../shared/table/keys.ts'
import { putEntry, nextEntries } from '../../shared/table/chat/log-entries.ts'
import type { WorkCtx } from '../../shared/delivery/worker-context.ts'
import { logOf } from '../races/stored.ts'
import { message } from '../support/events.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  // the jobs of these logins stay out: each test has one of its own
  world = await sharedWorld({ delayScale: 1000 })
})

const hidden = { scopes: { agents: ['ann'] } }

/** Ann, and lea, who logs in; `catchUp` gives what the job of a login that answered so much pushes to lea. */
const annAndLea = async () => {
  const license = await world.license({ ann: {}, lea: {} })
  const ann = await license.login('ann')
  const before = world.gateway.connections()
  await license.login('lea')
  const [connection = ''] = world.gateway.connections().filter((id) => !before.includes(id))
  const missedBy = async (chats: Answered['chats'], read: WorkCtx['read'] = world.table.read) => {
    const pushed: [string, any][] = []
    const answered = { connection, chats, since: Date.now() - 60_000, until: Date.now() + 60_000 }
    await catchUp(
      {
        ...{
          read,
          write: world.table.write,
          signal: new AbortController().signal,
          nonce: 'n',
          endsAt: Infinity,
        },
        push: (_to, name, payload) => void pushed.push([name, payload]),
        prefetchAudience: () => {},
        hasConnected: async () => true,
        awaitAudience: async () => {},
        flush: async () => true,
        now: () => Date.now(),
        enqueue: async () => {},
        pause: async () => {},
      },
      answered,
    )
    return pushed
  }
  return { license, ann, missedBy }
}

describe('what a login may have missed', () => {
  test('a thread that was closed comes with who closed it, also where annotations followed', async () => {
    const { ann, missedBy } = await annAndLea()
    const { chat } = await ann.ok('start_chat', { initial_events: [message('1')] })
    await ann.ok('close_thread', { chat_id: chat.id })
    const note = { type: 'annotation', annotation_type: 'note', text: 'later' }
    await ann.ok('send_event', { chat_id: chat.id, event: note })
    for (const order of [1, 2])
      expect(await missedBy({ [chat.id]: [1, order, 2] })).toContainEqual([
        'thread_closed',
        { chat_id: chat.id, thread_id: chat.thread.id, user_id: 'ann' },
      ])
  })

  test('of many events the first hundred come, without a gap', async () => {
    const { ann, missedBy } = await annAndLea()
    const { chat } = await ann.ok('start_chat', { initial_events: [message('first')] })
    const [last] = await logOf(world, chat.id)
    const texts = Array.from({ length: 120 }, (_, i) => ({
      ...{ type: 'message' as const, text: `${i}`, author_id: 'ann' },
    }))
    const entries = nextEntries({ n: 1, m: 1, last: last! }, texts, {
      nonce: 'n',
      version: 1,
      at: Date.now(),
    })
    for (const half of [entries.slice(0, 60), entries.slice(60)])
      await world.table.write.transact(half.map((entry) => putEntry(chat.id, entry)))
    const orders = (await missedBy({ [chat.id]: [1, 5, 1] })).map(([, { event }]) => event.order)
    expect(orders).toEqual(Array.from({ length: 100 }, (_, i) => i + 6))
  })

  test('a chat that cannot be read takes no other along', async () => {
    const { license, ann, missedBy } = await annAndLea()
    const start = async () =>
      (await ann.ok('start_chat', { initial_events: [message('1'), message('2')] })).chat
    const chats = [await start(), await start(), await start()]
    const answered: Answered['chats'] = Object.fromEntries(chats.map(({ id }) => [id, [1, 1, 1]]))
    const started = await start()
    await world.table.write.write({ Put: { Item: { ...keys.chat(chats[1].id), id: 7 } } })
    const broken = { ...(await readChat(world.table.read, chats[0].id))!, id: 'broken' }
    await world.table.write.write(listActiveChat({ ...broken, started_at: Date.now() }))
    await world.table.write.write({ Put: { Item: { ...keys.chat('broken'), license_id: license.id } } })
    const pushed = await missedBy(answered)
    // those of one chat come in their order, the chats in any
    expect(pushed.map(([name, { chat_id, chat }]) => `${name} ${chat_id ?? chat.id}`).toSorted()).toEqual(
      [
        `incoming_chat_thread ${started.id}`,
        `incoming_event ${chats[0].id}`,
        `incoming_event ${chats[2].id}`,
      ].toSorted(),
    )
  })

  test('nothing comes of a chat that the agent was removed from while it was read', async () => {
    const { ann, missedBy } = await annAndLea()
    const { chat } = await ann.ok('start_chat', { chat: hidden })
    const lea = { chat_id: chat.id, agent_ids: ['lea'] }
    const { read } = world.table
    // as a chat of the answer, and as one that started meanwhile
    for (const answered of [{ [chat.id]: [1, 0, 1] as [number, number, number] }, {}]) {
      await ann.ok('join_chat', lea)
      let isRemoved = false
      const chatRead = Promise.withResolvers<void>()
      const racing: WorkCtx['read'] = {
        ...read,
        get: async (key, options) => {
          const item = await read.get(key, options)
          if (key.sk === 'CHAT') chatRead.resolve()
          return item
        },
        query: async (range) => {
          if (!range.pk.startsWith('CHAT#') || isRemoved) return read.query(range)
          isRemoved = true
          // the chat is read before lea is removed, where it is read beside the log at all
          await Promise.race([chatRead.promise, read.query(range)])
          await ann.ok('remove_from_chat', lea)
          await ann.ok('send_event', { chat_id: chat.id, event: message('secret') })
          return read.query(range)
        },
      }
      expect(await missedBy(answered, racing)).toEqual([])
      expect(isRemoved).toBe(true)
    }
  })
})

test('a chat gained by a new group is shown as of one moment, whatever happens while it is read', async () => {
  const license = await world.license({ ann: {}, ben: {} }, { groups: ['Sales'] })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  const { chat } = await ann.ok('start_chat', { chat: { scopes: { groups: [1], agents: ['ann'] } } })
  await world.settled()
  const [reached, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<undefined>()]
  const before = world.proxy.calls.length
  let isFirst = true
  world.proxy.setFault(({ operation, request }: any) => {
    const isTail = operation === 'Query' && request.ExpressionAttributeValues[':prefix']?.S === 'LOG#'
    if (!isTail || !isFirst) return undefined
    isFirst = false
    reached.resolve()
    return closed.promise
  })
  try {
    await changeAgent(world.table, license.id, 'ben', { groups: [1] })
    await reached.promise
    await vi.waitUntil(() =>
      world.proxy.calls
        .slice(before)
        .some(({ operation, request }: any) => operation === 'GetItem' && request.Key.sk.S === 'CHAT'),
    )
    await ann.ok('close_thread', { chat_id: chat.id })
    closed.resolve(undefined)
    const shown = await ben.eventually('incoming_chat_thread')
    expect(shown.chat.thread.active).toBe(false)
    expect(shown.chat.thread.events).toMatchObject([{ system_message_type: 'manual_archived' }])
  } finally {
    closed.resolve(undefined)
    world.proxy.setFault(undefined)
  }
})
