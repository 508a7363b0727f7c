import { gzipSync } from 'node:zlib'
import { describe, expect, expectTypeOf, onTestFinished, test } from 'vitest'
import { buildClient } from '../../infra/build.ts'
import type { AgentEndpoint, CustomerEndpoint } from '../../shared/client/client.ts'
import { Chats } from '../../shared/client/chats.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { clientOf } from './environment.ts'

const eventOf = (order: number) => ({ id: `e${order}`, order })
const threadOf = (chat: string, n: number, orders: number[]) => ({
  ...{ id: `${chat}_${n}`, active: true, timestamp: n, user_ids: [] },
  events: orders.map(eventOf),
})

describe('the store of chats', () => {
  test('forgets scopes, properties and tags that a chat or a thread is shown without', () => {
    const chats = new Chats({ chats: 1, threadsPerChat: 1, eventsPerThread: 10 })
    const properties = { order: { number: { value: 1 } } }
    const thread = threadOf('c', 1, [1])
    chats.show({
      id: 'c',
      users: [],
      properties,
      scopes: {},
      threads: [{ ...thread, properties, tags: ['vip'] }],
    })
    chats.show({ id: 'c', users: [], threads: [thread] })
    expect(chats.get('c')).toEqual({ id: 'c', users: [], threads: [{ ...thread, upTo: 1 }] })
  })

  test('keeps older events that were asked for until more are said, and what a bare thread does not show', () => {
    const chats = new Chats({ chats: 1, threadsPerChat: 1, eventsPerThread: 2 })
    const properties = { a: { b: { value: 1 } } }
    const own = { properties, tags: ['vip'], user_ids: ['ann'] }
    const shown = { ...threadOf('c', 1, [4, 5]), ...own, has_more: true }
    chats.show({ id: 'c', users: [], threads: [shown] })
    const thread = () => chats.get('c')?.threads[0]
    const orders = () => thread()?.events.map(({ order }) => order)
    chats.showThread('c', { ...threadOf('c', 1, [1, 2, 3]), ...own }, true)
    expect([orders(), thread()?.has_more]).toEqual([[1, 2, 3, 4, 5], undefined])
    chats.append('c', 'c_1', eventOf(6))
    expect([orders(), thread()?.has_more]).toEqual([[5, 6], true])
    chats.showThread('c', { ...threadOf('c', 1, []), has_more: true })
    expect(thread()).toMatchObject({ ...own, has_more: true })
    // one without news is not bare
    chats.showThread('c', { ...threadOf('c', 1, []), user_ids: ['ben'], has_more: true })
    expect(thread()).toMatchObject({ user_ids: ['ben'], has_more: true })
    expect([thread()?.properties, thread()?.tags]).toEqual([undefined, undefined])
  })

  test('drops repeats, and takes nothing behind a gap', () => {
    const chats = new Chats({ chats: 1, threadsPerChat: 1, eventsPerThread: 10 })
    const states: unknown[] = []
    chats.subscribe('c', (chat) => states.push(chat?.threads[0]?.events.map(({ order }) => order)))
    chats.show({ id: 'c', users: [], threads: [threadOf('c', 1, [1, 2])] })
    expect(chats.append('c', 'c_1', eventOf(2))).toBe('known')
    expect(chats.append('c', 'c_1', eventOf(4))).toBe('gap')
    expect(chats.append('x', 'x_1', eventOf(1))).toBe('gap')
    expect(chats.append('c', 'c_1', eventOf(3))).toBe('added')
    chats.remove('c')
    expect(states).toEqual([[1, 2], [1, 2, 3], undefined])
  })
})

test('a thread of which the end alone was read says that there is more before it', () => {
  const chats = new Chats({ chats: 1, threadsPerChat: 1, eventsPerThread: 10 })
  chats.show({ id: 'c', users: [], threads: [{ ...threadOf('c', 1, [3, 4]), has_more: true }] }, true)
  expect(chats.get('c')?.threads[0]).toMatchObject({ has_more: true, upTo: 4 })
})

describe('what a client sends', () => {
  const refused = (type: string, details?: object[]) => ({
    success: false,
    payload: { error: { type, code: 429, message: type, details } },
  })
  const typing = { chat_id: 'c', is_typing: true }

  test('waits as long as it is told where it asks for too much', async () => {
    const { client, network } = clientOf((_, turn) =>
      turn === 1
        ? refused('too_many_requests', [{ path: '', message: 'Try again in 47 s' }])
        : { success: true },
    )
    const asked = client.request('send_typing_indicator', typing)
    const sends = () => network.sent.filter(({ action }) => action === 'send_typing_indicator').length
    await expect.poll(sends).toBe(1)
    network.pass(46_000)
    expect(sends()).toBe(1)
    network.pass(1500)
    await asked
    expect(sends()).toBe(2)
    client.close()
  })

  test('is sent again where its outcome is unknown, a few times, and then fails', async () => {
    const { client, network } = clientOf(() => refused('request_timeout'))
    const asked = client.request('send_typing_indicator', typing)
    const failed = expect(asked).rejects.toMatchObject({ type: 'request_timeout' })
    const waiting = setInterval(() => network.pass(40_000), 5)
    await failed
    clearInterval(waiting)
    expect(network.sent.filter(({ action }) => action === 'send_typing_indicator').length).toBeGreaterThan(3)
    client.close()
  })

  test('syncs again from where it was, until it knows what it missed', async () => {
    const chats = [{ id: 'c', active: true }]
    const synced = { success: true, payload: { recovered: true, cursor: 'later', has_more: false, chats } }
    const read = {
      success: true,
      payload: { chat: { id: 'c', users: [], threads: [], threads_summary: [] } },
    }
    const answers: Record<string, object[]> = {
      sync: [refused('internal'), synced, synced],
      get_chat_threads: [refused('internal'), read, read],
    }
    const pong = { success: true, payload: { cursor: 'much later' } }
    const { client, network, cut } = clientOf(({ action }) => answers[action]?.shift() ?? pong)
    await expect.poll(() => client.state).toBe('online')
    const recovered: boolean[] = []
    client.on('recovered', (told) => recovered.push(told.recovered))
    cut()
    network.comeBack()
    const sent = (name: string) => network.sent.filter(({ action }) => action === name)
    await expect.poll(() => sent('sync').length).toBe(1)
    // each ping tries again what failed: the sync, and then the chat that it named
    const pinged = () => {
      network.comeBack()
      return recovered
    }
    await expect.poll(pinged).toEqual([true])
    expect(sent('sync').map(({ payload }) => payload.cursor)).toEqual(['c', 'c', 'c'])
    client.close()
  })

  test('keeps the tags of a thread as the newest push tells of them, in whatever order they come', async () => {
    const { client, push } = clientOf(() => ({ success: true }))
    await expect.poll(() => client.state).toBe('online')
    const first = { ...threadOf('c', 1, [1]), tags: ['vip'], tags_version: 1 }
    const show = (thread: object) => push('incoming_chat_thread', { chat: { id: 'c', users: [], thread } })
    show(first)
    const at = { chat_id: 'c', thread_id: 'c_1' }
    const told: (string[] | undefined)[] = []
    const tell = (name: string, tag: string, tags: string[], version: number) => {
      push(name, { ...at, tag, tags, version })
      told.push(client.chats.get('c')?.threads[0]?.tags)
    }
    tell('thread_tagged', 'refund', ['vip', 'refund'], 2)
    // one that takes a tag overtakes the one that gave it, and another
    tell('thread_untagged', 'new', ['vip', 'refund', 'other'], 5)
    tell('thread_tagged', 'new', ['vip', 'refund', 'new'], 3)
    tell('thread_tagged', 'other', ['vip', 'refund', 'new', 'other'], 4)
    // a chat that was read before is shown after
    show(first)
    tell('thread_tagged', 'refund', ['vip', 'refund'], 2)
    tell('thread_untagged', 'all', [], 6)
    // without tags by now
    show({ ...threadOf('c', 1, [1]), tags_version: 7 })
    tell('thread_tagged', 'vip', ['vip'], 6)
    const five = ['vip', 'refund', 'other']
    expect(told).toEqual([['vip', 'refund'], five, five, five, five, undefined, undefined])
    client.close()
  })

  test('forgets the e-mail and the properties that a customer has no more', async () => {
    const { client, push } = clientOf(() => ({ success: true }))
    await expect.poll(() => client.state).toBe('online')
    const carl = { id: 'carl', type: 'customer', name: 'Carl', present: true, banned: false, online: true }
    const known = { ...carl, last_seen_timestamp: 5, email: 'c@example.com', properties: { a: '1' } }
    push('incoming_chat_thread', { chat: { id: 'c', users: [known], thread: threadOf('c', 1, [1]) } })
    push('customer_updated', { chat_id: 'c', customer: { ...carl, name: 'Customer' } })
    expect(client.chats.get('c')?.users).toEqual([{ ...carl, name: 'Customer', last_seen_timestamp: 5 }])
    client.close()
  })

  test('follows bans of customers, also where a read that is under way, or a sync, knows better', async () => {
    const carl = { id: 'carl', type: 'customer', name: 'Carl', present: true, banned: false, online: true }
    const stored = { banned: false }
    let overtake = () => {}
    const { client, push, network, cut } = clientOf(({ action }) => {
      if (action === 'sync') {
        const banned_customers = [{ customer_id: 'carl', ban: { days: 1 } }]
        const payload = { recovered: true, cursor: 'd', has_more: false, chats: [], banned_customers }
        return { success: true, payload }
      }
      if (action !== 'get_chat_threads') return { success: true }
      const users = [{ ...carl, ...stored }]
      overtake()
      const threads_summary = [{ thread_id: 'c_1', order: 1 }]
      return {
        success: true,
        payload: { chat: { id: 'c', users, threads: [threadOf('c', 1, [1])], threads_summary } },
      }
    })
    await expect.poll(() => client.state).toBe('online')
    const banned = () => client.chats.get('c')?.users.map((user) => 'banned' in user && user.banned)
    push('incoming_chat_thread', { chat: { id: 'c', users: [carl], thread: threadOf('c', 1, [1]) } })
    push('incoming_chat_thread', { chat: { id: 'x', users: [], thread: threadOf('x', 1, [1]) } })
    push('customer_banned', { customer_id: 'carl', ban: { days: 1 } })
    expect(banned()).toEqual([true])
    push('customer_unbanned', { customer_id: 'carl' })
    expect(banned()).toEqual([false])
    expect(client.chats.get('x')?.users).toEqual([])
    overtake = () => {
      if (stored.banned) return
      stored.banned = true
      push('customer_banned', { customer_id: 'carl', ban: { days: 1 } })
    }
    await client.request('get_chat_threads', { chat_id: 'c' })
    await expect.poll(banned).toEqual([true])
    push('customer_unbanned', { customer_id: 'carl' })
    cut()
    network.comeBack()
    await expect.poll(banned).toEqual([true])
    client.close()
  })

  test('reads properties where a push overtook another: each tells of its own names alone', async () => {
    const value = (of: number) => ({ value: of })
    const stored = { a: { x: value(1), y: value(2) } }
    const { client, push, network } = clientOf(({ action }) => {
      if (action !== 'get_chat_threads') return { success: true }
      const threads = [{ ...threadOf('c', 1, [1]), properties: stored }]
      const threads_summary = [{ thread_id: 'c_1', order: 1 }]
      const chat = { id: 'c', users: [], properties: stored, properties_version: 3, threads, threads_summary }
      return { success: true, payload: { chat } }
    })
    await expect.poll(() => client.state).toBe('online')
    const reads = () => network.sent.filter(({ action }) => action === 'get_chat_threads').length
    push('incoming_chat_thread', { chat: { id: 'c', users: [], thread: threadOf('c', 1, [1]) } })
    const chat = (version: number, properties: object) =>
      push('chat_properties_updated', { chat_id: 'c', properties: { a: properties }, version })
    chat(1, {})
    chat(3, { x: value(1) })
    chat(2, { y: value(2) })
    await expect.poll(() => client.chats.get('c')?.properties).toEqual(stored)
    expect(reads()).toBeGreaterThan(0)
    const thread = (version: number, properties: object) =>
      push('chat_thread_properties_updated', {
        ...{ chat_id: 'c', thread_id: 'c_1' },
        ...{ properties: { a: properties }, version },
      })
    push('incoming_chat_thread', { chat: { id: 'c', users: [], thread: threadOf('c', 1, [1]) } })
    thread(2, { x: value(1) })
    thread(1, { y: value(2) })
    await expect.poll(() => client.chats.get('c')?.threads[0]?.properties).toEqual(stored)
    client.close()
  })

  test('reads the threads that it holds alone, however many there were before', async () => {
    const asked: unknown[] = []
    const { client, push } = clientOf(({ action, payload: { thread_ids } }) => {
      if (action !== 'get_chat_threads') return { success: true }
      asked.push(...thread_ids)
      return { success: true, payload: { chat: { id: 'c', users: [], threads: [], threads_summary: [] } } }
    })
    await expect.poll(() => client.state).toBe('online')
    for (let n = 1; n <= 10; n += 1) {
      const thread = { ...threadOf('c', n, [1]), active: false }
      push('incoming_chat_thread', { chat: { id: 'c', users: [], thread } })
    }
    push('chat_scopes_updated', { chat_id: 'c' })
    await expect.poll(() => asked.toSorted()).toEqual(['c_10', 'c_8', 'c_9'])
    client.close()
  })

  test('reads how a thread ended whose end was missed, and one that began and ended meanwhile', async () => {
    const stored = [threadOf('c', 1, [1, 2]), threadOf('c', 2, [1]), threadOf('c', 3, [1])]
    const threads = stored.map((thread, index) => ({ ...thread, active: index === 2 }))
    const threads_summary = threads.map(({ id }) => ({ thread_id: id, order: 1 }))
    const { client, push } = clientOf(({ payload: { thread_ids: [id] = [''], after_order: after = 0 } }) => {
      const found = threads.filter((thread) => thread.id === id)
      const pages = found.map((one) => ({ ...one, events: one.events.filter(({ order }) => order > after) }))
      return { success: true, payload: { chat: { id: 'c', users: [], threads: pages, threads_summary } } }
    })
    await expect.poll(() => client.state).toBe('online')
    const heard: string[] = []
    client.on('incoming_event', ({ thread_id, event }) => heard.push(`${thread_id} ${event.order}`))
    push('incoming_chat_thread', { chat: { id: 'c', users: [], thread: threadOf('c', 1, [1]) } })
    push('incoming_chat_thread', { chat: { id: 'c', users: [], thread: threads[2] } })
    const held = () => client.chats.get('c')?.threads.map(({ upTo: _, has_more: __, ...thread }) => thread)
    await expect.poll(held).toEqual(threads)
    expect(heard).toEqual(['c_1 1', 'c_3 1', 'c_1 2', 'c_2 1'])
    client.close()
  })
})

describe('the place of a chat that waits', () => {
  const thread_id = 'c_1'
  const waiting = { routing: { unassigned: { value: true } } }
  const at = (position: number) => ({ position, queued_at: 1 })
  /** A client that holds a chat that waits, and a server that says how it is where it is asked. */
  const openWaiting = async (properties: object = waiting) => {
    const now: { queue?: object } = {}
    const login: { chats_summary: object[] } = { chats_summary: [] }
    const answer = ({ action }: { action: string }) => {
      if (action !== 'get_chat_threads') return undefined
      const threads = [{ ...threadOf('c', 1, []), queue: now.queue }]
      const threads_summary = [{ thread_id, order: 1 }]
      return {
        success: true,
        payload: { chat: { id: 'c', users: [], properties, threads, threads_summary } },
      }
    }
    const opened = clientOf(answer, login)
    const { client, push, network } = opened
    await expect.poll(() => client.state).toBe('online')
    const chat = { id: 'c', users: [], properties, thread: { ...threadOf('c', 1, [1]), queue: at(3) } }
    push('incoming_chat_thread', { chat })
    const place = () => client.chats.get('c')?.threads.at(-1)?.queue
    const reads = () => network.sent.filter(({ action }) => action === 'get_chat_threads').length
    const tell = (action: string, payload: object) => push(action, { chat_id: 'c', thread_id, ...payload })
    const transfer = (agent_ids: string[], queue?: object) =>
      tell('chat_transferred', { reason: 'manual', transferred_to: { agent_ids, group_ids: [] }, queue })
    onTestFinished(client.close)
    return { ...opened, now, login, place, reads, tell, transfer }
  }

  test('is the one that was told last, to agents and to customers', async () => {
    const { push, tell, place, transfer, client, reads } = await openWaiting()
    expect(place()).toEqual(at(3))
    const others = { chat_id: 'x', thread_id: 'x_1', queue: at(1) }
    push('queue_positions_updated', [others, { chat_id: 'c', thread_id, queue: at(2) }])
    expect(place()).toEqual(at(2))
    expect(client.chats.get('x')).toBeUndefined()
    tell('queue_position_updated', { queue: at(1) })
    expect(place()).toEqual(at(1))
    transfer([], at(7))
    expect(place()).toEqual(at(7))
    expect(reads()).toBe(0)
  })

  test('goes as it is assigned, somebody joins it, it is shown without, or it is closed', async () => {
    const unassigned = { routing: { unassigned: { value: false } } }
    const goes: ((chat: Awaited<ReturnType<typeof openWaiting>>) => void)[] = [
      ({ tell }) => tell('chat_properties_updated', { properties: unassigned, version: 2 }),
      ({ push }) =>
        push('incoming_chat_thread', { chat: { id: 'c', users: [], thread: threadOf('c', 1, [1]) } }),
      ({ tell }) => tell('thread_closed', {}),
    ]
    for (const change of goes) {
      const chat = await openWaiting()
      change(chat)
      expect([chat.place(), chat.reads()]).toEqual([undefined, 0])
    }
    // nothing else is known of whether it waits
    const { transfer, place, reads } = await openWaiting({})
    transfer(['ann'])
    expect([place(), reads()]).toEqual([undefined, 0])
  })

  test('is read where a push comes late, or before another that belongs to it', async () => {
    const { push, tell, now, place, reads, transfer } = await openWaiting({
      routing: { unassigned: { value: false } },
    })
    const tellPlace = () => push('queue_positions_updated', [{ chat_id: 'c', thread_id, queue: at(2) }])
    tellPlace()
    await expect.poll(place).toBeUndefined()
    expect(reads()).toBe(1)
    now.queue = at(4)
    tellPlace()
    await expect.poll(place).toEqual(at(4))
    expect(reads()).toBe(2)
    tell('thread_closed', {})
    transfer([], at(1))
    await expect.poll(reads).toBe(3)
  })

  test('is what a new login shows: no sync names it', async () => {
    const { client, network, cut, login, place } = await openWaiting()
    login.chats_summary = [
      { id: 'c', users: [], last_thread_summary: { ...threadOf('c', 1, []), queue: at(1) } },
    ]
    cut()
    network.comeBack()
    await expect.poll(place).toEqual(at(1))
    expect(client.chats.get('c')?.threads[0]?.events).toHaveLength(1)
  })
})

test('the client has 12 KB at most, minified and gzipped, and imports nothing', async () => {
  const { text, imports } = await buildClient()
  expect(imports).toEqual([])
  expect(gzipSync(text).length).toBeLessThanOrEqual(12 * 1024)
})

test('the client knows every action of both endpoints', () => {
  const agents = agentActions.map(({ name }) => name)
  const customers = customerActions.map(({ name }) => name)
  type Known<E extends { actions: object }> = keyof E['actions']
  expectTypeOf<Known<AgentEndpoint>>().toExtend<string>()
  const named: Record<Known<AgentEndpoint>, true> = {
    ...{ logout: true, list_group_statuses: true },
    ...{ login: true, ping: true, start_chat: true, send_event: true, join_chat: true, supervise_chat: true },
    ...{
      remove_from_chat: true,
      close_thread: true,
      transfer_chat: true,
      list_agents_for_transfer: true,
      follow_chat: true,
      unfollow_chat: true,
      get_chat_threads: true,
      get_filtered_chats: true,
    },
    ...{ get_archives: true, sync: true, mark_event_as_seen: true, update_last_seen_timestamp: true },
    ...{ send_typing_indicator: true, send_broadcast: true, update_chat_scopes: true },
    ...{ update_chat_properties: true, update_chat_thread_properties: true, update_agent: true },
    ...{ change_push_notifications: true, ban_customer: true, unban_customer: true },
    ...{ tag_thread: true, untag_thread: true, get_customer: true, update_customer: true },
  }
  const named2: Record<Known<CustomerEndpoint>, true> = {
    ...{ login: true, ping: true, get_chats_summary: true, get_chat_threads: true },
    list_group_statuses: true,
    ...{ get_chat_threads_summary: true, start_chat: true, send_event: true, send_sneak_peek: true },
    ...{ send_typing_indicator: true, close_thread: true, update_chat_scopes: true, update_customer: true },
    ...{ update_chat_properties: true, update_chat_thread_properties: true, mark_event_as_seen: true },
    update_last_seen_timestamp: true,
  }
  expect(Object.keys(named).toSorted()).toEqual(agents.toSorted())
  expect(Object.keys(named2).toSorted()).toEqual(customers.toSorted())
})
