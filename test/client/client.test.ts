import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  type AgentClient,
  type AgentOptions,
  ChatError,
  createAgentClient,
  createCustomerClient,
} from '../../shared/client/client.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'
import { openNetwork } from './environment.ts'
import { openStage, playHere, scenarioTests, testFlood } from './scenario-tests.ts'
import { message, next, stored, texts, until } from './scenarios.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
  world.gateway.setJitter(undefined)
})

const agentOf = async (license: License, id: string, options: Partial<AgentOptions> = {}) => {
  const network = openNetwork()
  const client = createAgentClient({
    ...{ url: world.agentUrl, token: () => license.token(id), environment: network },
    ...options,
  })
  closing.push(client.close)
  await until(() => client.state === 'online')
  return { client, network }
}
const customerOf = async (license: License, storage?: any) => {
  const network = openNetwork()
  const client = createCustomerClient({
    ...{ url: world.customerUrl, licenseId: license.id, environment: network },
    ...(storage && { storage }),
  })
  closing.push(client.close)
  await until(() => client.state === 'online')
  return { client, network }
}
/** Ann's app and Ben's, in a chat of both. */
const annAndBen = async () => {
  const license = await world.license({ ann: {}, ben: {} })
  const [ann, ben] = [await agentOf(license, 'ann'), await agentOf(license, 'ben')]
  const { chat } = await ann.client.request('start_chat', { initial_events: [message('hello')] })
  await ben.client.request('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
  return { license, ann, ben, chat_id: chat.id }
}
const ordersOf = (client: AgentClient, chat_id: string) =>
  client.chats
    .get(chat_id)
    ?.threads.at(-1)
    ?.events.map(({ order }) => order)

test('a client that has logged out is closed for good, and its agent offline', async () => {
  const license = await world.license({ ann: {}, ben: {} })
  const [ann, ben] = [await agentOf(license, 'ann'), await agentOf(license, 'ben')]
  const offline = new Promise<void>((resolve) => {
    ben.client.on('agent_updated', ({ agent_id, routing_status }) => {
      if (agent_id === 'ann' && routing_status === 'offline') resolve()
    })
  })
  await ann.client.request('logout', {})
  expect(ann.client.state).toBe('closed')
  await offline
  await expect(ann.client.request('start_chat', {})).rejects.toMatchObject({ type: 'closed' })
})

describe('a client', () => {
  test.for(Object.keys(scenarioTests))('%s', async (name) =>
    scenarioTests[name]!(await openStage(world), playHere),
  )
  test('is bounded in memory, whatever comes', { tags: ['full'] }, async () =>
    testFlood(await openStage(world), playHere),
  )

  test('asks and is answered, and throws what the server refuses', async () => {
    const { ann, ben, chat_id } = await annAndBen()
    const { event } = await ann.client.request('send_event', { chat_id, event: message('one') })
    expect(event).toMatchObject({ text: 'one', custom_id: expect.any(String) })
    const error = await ben.client
      .request('close_thread', { chat_id, thread_id: `${chat_id}_9` })
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ChatError)
    expect(error).toMatchObject({ type: 'chat_inactive', code: 409, message: 'Chat is inactive' })
    const wrong = ben.client.request('send_event', { chat_id: '', event: message('x') })
    await expect(wrong).rejects.toMatchObject({ type: 'validation', details: [{ path: 'payload.chat_id' }] })
  })

  test('tells listeners, and loops, until they stop', async () => {
    const { ann, ben, chat_id } = await annAndBen()
    const heard: string[] = []
    const stop = ben.client.on('incoming_event', ({ event }) => heard.push(...texts([event])))
    const looped: string[] = []
    const loop = (async () => {
      for await (const { event } of ben.client.each('incoming_event')) {
        looped.push(...texts([event]))
        if (looped.length === 2) return
      }
    })()
    await ann.client.request('send_event', { chat_id, event: message('one') })
    await until(() => heard.length === 1)
    stop()
    await ann.client.request('send_event', { chat_id, event: message('two') })
    await loop
    expect([heard, looped]).toEqual([['one'], ['one', 'two']])
  })

  test('keeps the order of what is asked about one chat, whatever the gateway does', async () => {
    const { ann, chat_id } = await annAndBen()
    world.gateway.setJitter(() => Math.random() * 20)
    const sent = Array.from({ length: 20 }, (_, i) => String(i))
    await Promise.all(sent.map((text) => ann.client.request('send_event', { chat_id, event: message(text) })))
    expect(texts(await stored(ann.client, chat_id))).toEqual(['hello', ...sent])
  })

  test('sends everything once over cuts, and misses nothing of others', { tags: ['full'] }, async () => {
    const { ann, ben, chat_id } = await annAndBen()
    await until(() => ordersOf(ben.client, chat_id)?.length)
    const heard: number[] = []
    ben.client.on('incoming_event', ({ event }) => heard.push(event.order))
    const from = ordersOf(ben.client, chat_id)!.at(-1)!
    const sent = Array.from({ length: 60 }, (_, i) => String(i))
    let isOver = false
    const cutting = (async () => {
      for (let turn = 0; !isOver; turn += 1) {
        const { client, network } = turn % 2 === 0 ? ann : ben
        network.cut()
        await until(() => client.state !== 'online')
        network.comeBack()
        const sentBefore = ann.network.sent.length
        await until(() => isOver || (client.state === 'online' && ann.network.sent.length > sentBefore + 3))
      }
    })()
    await Promise.all(sent.map((text) => ann.client.request('send_event', { chat_id, event: message(text) })))
    isOver = true
    await cutting
    const events = await stored(ann.client, chat_id)
    expect(texts(events)).toEqual(['hello', ...sent])
    const last = events.at(-1)!.order
    await until(() => heard.at(-1) === last)
    expect(heard).toEqual(Array.from({ length: last - from }, (_, i) => from + 1 + i))
    expect(ben.client.chats.get(chat_id)?.threads.at(-1)?.events).toEqual(
      ann.client.chats.get(chat_id)?.threads.at(-1)?.events,
    )
  })

  test('that slept for an hour finds what it missed, closed chats and lost ones included', async () => {
    const { ann, ben, chat_id, license } = await annAndBen()
    const hidden = await ann.client.request('start_chat', { chat: { scopes: { agents: ['ben'] } } })
    const other = await ann.client.request('start_chat', { initial_events: [message('x')] })
    await until(() => ben.client.chats.get(other.chat.id) && ben.client.chats.get(hidden.chat.id))
    ben.network.setSilent(true)
    for (const text of ['one', 'two'])
      await ann.client.request('send_event', { chat_id, event: message(text) })
    await ann.client.request('close_thread', { chat_id })
    await ann.client.request('send_event', { chat_id, event: message('again') })
    await ann.client.request('close_thread', { chat_id: other.chat.id })
    const scopes = { add_scopes: { agents: ['ann'] }, remove_scopes: { agents: ['ben'] } }
    await ann.client.request('update_chat_scopes', { chat_id: hidden.chat.id, ...scopes })
    const heard: string[] = []
    ben.client.on('incoming_event', ({ event }) => heard.push(...texts([event])))
    const recovered = next(ben.client, 'recovered')
    ben.network.pass(3_600_000)
    ben.network.pass(11_000)
    ben.network.setSilent(false)
    ben.network.comeBack()
    expect(await recovered).toEqual({ recovered: true })
    expect(heard).toEqual(['one', 'two', 'again'])
    expect(ben.client.chats.get(hidden.chat.id)).toBeUndefined()
    expect(ben.client.chats.get(other.chat.id)?.threads.at(-1)).toMatchObject({ active: false })
    const threads = ben.client.chats.get(chat_id)!.threads
    expect(threads.map(({ id, active }) => [id, active])).toEqual([
      [`${chat_id}_1`, false],
      [`${chat_id}_2`, true],
    ])
    expect(license.id).toBeDefined()
  })

  test('gives back as failed what must not be done twice', async () => {
    const { ann } = await annAndBen()
    const starts = () => ann.network.sent.filter(({ action }) => action === 'start_chat').length
    const before = starts()
    const recovered = next(ann.client, 'recovered')
    ann.network.setSilent('in')
    const started = ann.client.request('start_chat', { chat: { properties: { own: { number: '4711' } } } })
    await until(() => starts() > before)
    await world.settled()
    ann.network.setSilent(false)
    ann.network.cut()
    await expect(started).rejects.toMatchObject({ type: 'connection_lost', code: 0 })
    ann.network.comeBack()
    await recovered
    expect(starts()).toBe(before + 1)
    // it was done, and an app can find that out
    const filters = { properties: { own: { number: { values: ['4711'] } } } }
    const { chats_summary: found } = await ann.client.request('get_filtered_chats', { filters })
    expect(found).toHaveLength(1)
    const waiting =
      (ann.network.cut(true), ann.client.request('ban_customer', { customer_id: 'x', ban: { days: 1 } }))
    ann.client.close()
    await expect(waiting).rejects.toMatchObject({ type: 'closed' })
  })

  test('ends where its license does', async () => {
    const { ben } = await annAndBen()
    const ended = next(ben.client, 'ended')
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 49 * 3_600_000 })
    try {
      ben.network.cut()
      ben.network.comeBack()
      expect(await ended).toMatchObject({
        error: { type: 'license_expired', code: 402 },
      })
    } finally {
      vi.useRealTimers()
    }
  })
})

describe("customers' clients", () => {
  test('ten tabs of one customer see the same, each event once', { tags: ['full'] }, async () => {
    const license = await world.license({ ann: {} })
    const held = new Map<string, string>()
    const storage = {
      getItem: (key: string) => held.get(key) ?? null,
      setItem: (key: string, value: string) => void held.set(key, value),
      removeItem: (key: string) => void held.delete(key),
    }
    const ann = await agentOf(license, 'ann')
    const tabs = []
    for (let i = 0; i < 10; i += 1) tabs.push(await customerOf(license, storage))
    const { chat } = await tabs[0]!.client.request('start_chat', {
      chat: { thread: { events: [message('hi')] } },
    })
    await Promise.all(
      tabs.map(({ client }, i) =>
        client.request('send_event', { chat_id: chat.id, event: message(`tab ${i}`) }),
      ),
    )
    await ann.client.request('send_event', {
      chat_id: chat.id,
      event: { ...message('note'), recipients: 'agents' },
    })
    const { event } = await ann.client.request('send_event', { chat_id: chat.id, event: message('bye') })
    for (const { client } of tabs) {
      const events = () => client.chats.get(chat.id)?.threads.at(-1)?.events ?? []
      await until(() => events().at(-1)?.order === event.order)
      const all = texts(events())
      expect(all.toSorted()).toEqual(['bye', 'hi', ...tabs.map((_, i) => `tab ${i}`)].toSorted())
    }
  })

  test('a customer is the same after a cut, and a new one where its token is not taken', async () => {
    const license = await world.license({ ann: {} })
    const held = new Map<string, string>([[`agent-chat:${license.id}`, 'broken']])
    const storage = {
      getItem: (key: string) => held.get(key) ?? null,
      setItem: (key: string, value: string) => void held.set(key, value),
      removeItem: (key: string) => void held.delete(key),
    }
    const { client, network } = await customerOf(license, storage)
    const { chat } = await client.request('start_chat', { chat: { thread: { events: [message('hi')] } } })
    const recovered = next(client as never, 'recovered')
    network.cut()
    network.comeBack()
    expect(await recovered).toEqual({ recovered: true })
    expect(texts(client.chats.get(chat.id)!.threads.at(-1)!.events)).toEqual(['hi'])
    const other = await customerOf(license, storage)
    await until(() => other.client.chats.get(chat.id))
  })
})
