import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { changeAgent, deleteAgent } from '../../shared/provisioning/change-agent.ts'
import { deleteGroup } from '../../shared/provisioning/change-group.ts'
import { changeLicense } from '../../shared/provisioning/change-license.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import type { Client } from '../support/client.ts'
import { message } from '../support/events.ts'
import { denied, invalidToken, licenseExpired, notFound } from '../support/wire-errors.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(() => {
  vi.useRealTimers()
  world.proxy.setFault(undefined)
})

const nowS = () => Math.floor(Date.now() / 1000)
/** Moves the clock of all functions. */
const secondsPass = (seconds: number) => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })
}
/** Lets the jobs of the delay queue be due. */
const jobsAreDue = async (): Promise<void> => {
  await world.settled()
  await world.queue.flush()
  await world.settled()
}
const shown = async (client: Client, chat_id: string) =>
  (await client.ok('get_chat_threads', { chat_id })).chat
const liveRows = (license: License, agent?: string) => readAgentSockets(world.table.read, license.id, agent)
/** Fails unless this is the last that the client is told, and then its end. */
const isEnded = async (client: Client, reason: string) => {
  expect(await client.eventually('agent_disconnected')).toEqual({ reason })
  await client.closing()
  await client.receivesNothing()
}

test('before a login nothing is pushed', async () => {
  const license = await world.license({ ann: {} })
  const stranger = await world.open()
  const ann = await license.login('ann')
  await ann.ok('start_chat')
  await stranger.caughtUp()
  expect(stranger.frames).toEqual([])
})

describe('a session whose token has run out', () => {
  const scene = async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ann = await license.login('ann', {}, { expiresInS: 60 })
    const ben = await license.login('ben')
    const { chat } = await ben.ok('start_chat')
    await ann.next('incoming_chat_thread')
    return { license, ann, ben, chat }
  }

  test('answers auth to all but ping, gets no more pushes, is told access_token_expired once and is closed', async () => {
    const { ann, ben, chat } = await scene()
    await ann.ok('get_chat_threads', { chat_id: chat.id })
    secondsPass(61)
    const answers = await Promise.all(Array.from({ length: 8 }, () => ann.refused('start_chat', [])))
    for (const answer of answers) expect(answer).toEqual(invalidToken)
    expect(await ann.call('ping')).toMatchObject({ success: true })
    await ben.ok('send_event', { chat_id: chat.id, event: message('secret') })
    await ben.ok('start_chat')
    await ann.receivesNothing()
    await jobsAreDue()
    await isEnded(ann, 'access_token_expired')
  })

  test(
    'is told and closed within a minute where it is idle, and no other is',
    { tags: ['full'] },
    async () => {
      const { license, ann, ben } = await scene()
      const second = await license.login('ann')
      await world.tick()
      // what a login left to the queue looks at sessions as well
      await jobsAreDue()
      await ann.receivesNothing()
      secondsPass(61)
      await world.tick()
      await isEnded(ann, 'access_token_expired')
      await world.settled()
      expect(await liveRows(license, 'ann')).toHaveLength(1)
      for (const client of [second, ben]) await client.ok('start_chat')
    },
  )

  test(
    'goes on where the same agent logs in again on its socket in time, with a newer token',
    { tags: ['full'] },
    async () => {
      const { license, ann, ben, chat } = await scene()
      const old = await license.token('ann', { expiresInS: 60 })
      secondsPass(121)
      expect(await ann.refused('start_chat')).toEqual(invalidToken)
      for (const token of [old, await license.token('ben')])
        expect(await ann.refused('login', { token })).toMatchObject({ type: 'auth' })
      await ann.ok('login', { token: await license.token('ann') })
      await jobsAreDue()
      await world.tick()
      await ann.receivesNothing()
      await ben.ok('send_event', { chat_id: chat.id, event: message('welcome back') })
      expect(await ann.next('incoming_event')).toMatchObject({ event: { text: 'welcome back' } })
      await ann.ok('get_chat_threads', { chat_id: chat.id })
    },
  )
})

describe('a session whose license has run out', () => {
  const scene = async (expiresInS = 60) => {
    const license = await world.license({ ann: {}, ben: {}, cleo: {} }, { expiresAt: nowS() + expiresInS })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { chat } = await ben.ok('start_chat')
    for (const client of [ann, ben]) await client.next('incoming_chat_thread')
    const stranger = await (await world.license({ ann: {} })).login('ann')
    return { license, ann, ben, chat, stranger }
  }

  test('answers license_expired, or auth where its token has run out too, is told so and is closed', async () => {
    const { license, ann, ben, chat } = await scene()
    const cleo = await license.login('cleo', {}, { expiresInS: 60 })
    secondsPass(61)
    expect(await ann.refused('get_chat_threads', { chat_id: chat.id })).toEqual(licenseExpired)
    expect(await ann.refused('send_event', {})).toEqual(licenseExpired)
    expect(await ann.refused('login', { token: await license.token('ann') })).toEqual(licenseExpired)
    expect(await cleo.refused('start_chat')).toEqual(invalidToken)
    await jobsAreDue()
    await isEnded(ann, 'license_expired')
    await isEnded(cleo, 'access_token_expired')
    // this one has asked for nothing yet
    expect(await ben.refused('start_chat')).toEqual(licenseExpired)
  })

  test(
    'is told and closed within a minute where it is idle, and no other license’s is',
    { tags: ['full'] },
    async () => {
      const { ann, ben, stranger } = await scene()
      secondsPass(61)
      await world.tick()
      for (const client of [ann, ben]) await isEnded(client, 'license_expired')
      await stranger.ok('start_chat')
    },
  )

  test('goes on once the license is renewed', { tags: ['full'] }, async () => {
    const { license, ann, ben, chat } = await scene()
    secondsPass(61)
    expect(await ann.refused('start_chat')).toEqual(licenseExpired)
    await changeLicense(world.table, license.id, { expires_at: nowS() + 3600 })
    await world.settled()
    await ben.ok('send_event', { chat_id: chat.id, event: message('paid') })
    expect(await ann.next('incoming_event')).toMatchObject({ event: { text: 'paid' } })
    await jobsAreDue()
    await world.tick()
    await ann.receivesNothing()
    await ann.ok('get_chat_threads', { chat_id: chat.id })
  })

  test('by a change of the license is told and closed at once; a change of its plan alone disturbs nobody', async () => {
    const { license, ann, ben, stranger } = await scene(3600)
    await changeLicense(world.table, license.id, { plan: 'enterprise' })
    await world.settled()
    await ann.receivesNothing()
    await changeLicense(world.table, license.id, { expires_at: nowS() - 1 })
    await world.settled()
    for (const client of [ann, ben]) await isEnded(client, 'license_expired')
    expect(await liveRows(license)).toEqual([])
    await stranger.ok('start_chat')
    await stranger.next('incoming_chat_thread')
    await stranger.receivesNothing()
  })
})

describe('a suspended agent', () => {
  /**
   * ann and ben in a chat that nobody else may see; ben supervises another, and was in one whose thread is
   * closed.
   */
  const scene = async (sockets: number) => {
    const license = await world.license({ ann: {}, ben: { name: 'Ben' }, cleo: {} })
    const [ann, cleo] = [await license.login('ann'), await license.login('cleo')]
    const bens: Client[] = []
    for (let i = 0; i < sockets; i += 1) bens.push(await license.login('ben'))
    const start = async (action: string): Promise<string> => {
      const { chat } = await ann.ok('start_chat', { chat: { scopes: { agents: ['ann'] } } })
      await ann.ok(action, { chat_id: chat.id, agent_ids: ['ben'] })
      return chat.id
    }
    const chat = await start('join_chat')
    const chats = { chat, closed: await start('join_chat'), supervised: await start('supervise_chat') }
    await ann.ok('close_thread', { chat_id: chats.closed })
    for (const client of [ann, cleo, ...bens]) await client.received()
    const suspend = () => changeAgent(world.table, license.id, 'ben', { suspended: true })
    return { license, ann, bens, cleo, ...chats, suspend }
  }

  test('is told access_token_revoked on each of its sockets, is out of its active chats, and those who see them are told', async () => {
    const { license, ann, bens, cleo, chat, closed, supervised, suspend } = await scene(2)
    await suspend()
    for (const ben of bens) await isEnded(ben, 'access_token_revoked')
    await world.settled()
    expect(await liveRows(license, 'ben')).toEqual([])
    const none = { added: [], removed_ids: [] }
    const gone = { added: [], removed_ids: ['ben'] }
    const left = (chat_id: string, recipients: string, updated_users: object) => [
      {
        action: 'incoming_event',
        payload: {
          chat_id,
          event: { system_message_type: 'agent_left', text: 'Ben left the chat', recipients },
        },
      },
      { action: 'chat_users_updated', payload: { chat_id, updated_users } },
    ]
    // the chats in any order
    const told = await ann.received()
    expect(told).toHaveLength(4)
    const of = (id: string) => told.filter(({ payload }: any) => payload.chat_id === id)
    expect(of(chat)).toMatchObject(left(chat, 'all', { customers: none, agents: gone, supervisors: none }))
    expect(of(supervised)).toMatchObject(
      left(supervised, 'agents', { customers: none, agents: none, supervisors: gone }),
    )
    await cleo.receivesNothing()
    const { users, threads } = await shown(ann, chat)
    expect(users).toMatchObject([
      { id: 'ann', present: true },
      { id: 'ben', present: false },
    ])
    expect(threads[0].active).toBe(true)
    expect((await shown(ann, closed)).threads[0].events).toHaveLength(2)

    await ann.ok('send_event', { chat_id: chat, event: message('secret') })
    for (const ben of bens) for (const frame of ben.frames) expect(frame).not.toContain('secret')
    // on a new socket, once it is no longer suspended
    const again = await world.open()
    expect(await again.refused('login', { token: await license.token('ben') })).toEqual(invalidToken)
    await changeAgent(world.table, license.id, 'ben', { suspended: false })
    await world.settled()
    expect(await again.ok('login', { token: await license.token('ben') })).toMatchObject({
      chats_summary: [],
    })
    expect(await again.refused('get_chat_threads', { chat_id: chat })).toEqual(denied())
  })

  test('answers auth from then on, before its sockets are closed', async () => {
    const { bens, chat, suspend } = await scene(1)
    const [ben] = bens
    const closing = Promise.withResolvers<void>()
    const mayClose = Promise.withResolvers<void>()
    world.proxy.setFault(async ({ operation, request }) => {
      if (operation !== 'UpdateItem' || !JSON.stringify(request).includes('closing_at')) return undefined
      closing.resolve()
      await mayClose.promise
      return undefined
    })
    await suspend()
    await closing.promise
    for (const action of ['get_chat_threads', 'close_thread', 'remove_from_chat'])
      expect(await ben?.refused(action, { chat_id: chat })).toEqual(invalidToken)
    expect(await ben?.call('ping')).toMatchObject({ success: true })
    mayClose.resolve()
    await ben?.eventually('agent_disconnected')
    await ben?.closing()
  })

  test('who is not connected is out of its chats as well', { tags: ['full'] }, async () => {
    const { ann, chat, suspend } = await scene(0)
    await suspend()
    await world.settled()
    expect(await ann.eventually('incoming_event', ({ chat_id }) => chat_id === chat)).toMatchObject({
      event: { text: 'Ben left the chat' },
    })
  })
})

test('a deleted agent is told agent_disconnected_by_server, closed, and out of its active chats', async () => {
  const license = await world.license({ ann: {}, ben: { name: 'Ben', email: 'ben@example.com' } })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  const { chat } = await ann.ok('start_chat')
  await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
  for (const client of [ann, ben]) await client.received()
  await deleteAgent(world.table, license.id, 'ben')
  await isEnded(ben, 'agent_disconnected_by_server')
  await world.settled()
  expect(await ann.next('incoming_event')).toMatchObject({
    event: { system_message_type: 'agent_left', text: 'Ben left the chat' },
  })
  expect(await ann.next('chat_users_updated')).toMatchObject({
    updated_users: { agents: { removed_ids: ['ben'] } },
  })
  await ann.receivesNothing()
  expect((await shown(ann, chat.id)).users).toEqual([
    expect.objectContaining({ id: 'ann', present: true }),
    { id: 'ben', type: 'agent', name: 'Ben', present: false, deleted: true },
  ])
})

describe('a change of an agent reaches its live sessions', () => {
  // no job that a login leaves tells again, in the middle of it, what has changed
  let world: World
  let license: License
  let ann: Client
  let bens: Client[]
  let stranger: Client
  let chats: Record<'open' | 'closed' | 'sales' | 'anns', string>
  beforeAll(async () => {
    world = await sharedWorld({ delayScale: 1000 })
    license = await world.license({ ann: {}, ben: { name: 'Ben' } }, { groups: ['Sales', 'Support'] })
    const other = await world.license({ ben: {} }, { groups: ['Sales'] })
    ann = await license.login('ann')
    bens = [await license.login('ben'), await license.login('ben')]
    stranger = await other.login('ben')
    const start = async (scopes: object): Promise<string> =>
      (await ann.ok('start_chat', { chat: { scopes }, initial_events: [message('hello')] })).chat.id
    const open = await start({})
    const [closed, sales] = [await start({ groups: [1] }), await start({ groups: [1] })]
    chats = { open, closed, sales, anns: await start({ agents: ['ann'] }) }
    await ann.ok('close_thread', { chat_id: chats.closed })
    for (const client of [ann, ...bens]) await client.received()
  })
  const change = async (changes: Parameters<typeof changeAgent>[3]) => {
    await changeAgent(world.table, license.id, 'ben', changes)
    await world.settled()
  }
  const send = (chat_id: string) => ann.ok('send_event', { chat_id, event: message('news') })
  const gains = async (client: Client, ...ids: string[]) => {
    const gained = (await client.received()).map(({ action, payload }: any) => [action, payload.chat?.id])
    expect(gained.toSorted()).toEqual(ids.map((id) => ['incoming_chat_thread', id]).toSorted())
  }

  test('a group: the active chats that it opens are shown to each socket that may read them, and their news from then on, until it is taken away', async () => {
    const login = (scope: string) => license.login('ben', {}, { scope })
    const [mine, all] = [await login('chats--my:read'), await login('chats--all:read')]
    const visible = await login('chats--chat_scopes:read')
    await change({ groups: [1, 2] })
    const shownTo = [...bens, visible]
    expect(await visible.next('incoming_chat_thread')).toMatchObject({
      chat: {
        id: chats.sales,
        users: [{ id: 'ann' }],
        thread: { active: true, events: [{ text: 'hello' }] },
      },
    })
    for (const ben of bens) await gains(ben, chats.sales)
    await ann.receivesNothing()
    await send(chats.sales)
    for (const ben of shownTo)
      expect(await ben.next('incoming_event')).toMatchObject({ chat_id: chats.sales })
    for (const ben of bens) {
      await ben.ok('get_chat_threads', { chat_id: chats.closed })
      expect(await ben.refused('get_chat_threads', { chat_id: chats.anns })).toEqual(denied())
    }
    for (const client of [mine, all, visible]) {
      await client.receivesNothing()
      await client.close()
    }
    await stranger.receivesNothing()
    expect(await stranger.refused('get_chat_threads', { chat_id: chats.sales })).toEqual(notFound)

    await change({ groups: [2] })
    await send(chats.sales)
    for (const ben of bens) {
      await ben.receivesNothing()
      expect(await ben.refused('get_chat_threads', { chat_id: chats.sales })).toEqual(denied())
    }
  })

  test('a permission: what it opens is shown, and hidden again with it', async () => {
    await change({ permission: 'administrator' })
    for (const ben of bens) await gains(ben, chats.anns, chats.sales)
    await send(chats.anns)
    for (const ben of bens) await ben.next('incoming_event')
    await change({ permission: 'normal' })
    await send(chats.anns)
    for (const ben of bens) {
      await ben.receivesNothing()
      expect(await ben.refused('close_thread', { chat_id: chats.anns })).toMatchObject({
        type: 'authorization',
      })
    }
    await stranger.receivesNothing()
  })

  test('a name, in what it does next; anything else disturbs nobody', async () => {
    const [ben] = bens
    await ann.received()
    await change({ email: 'ben@example.com', avatar: 'https://example.com/b.png' })
    await change({ default_status: 'not_accepting_chats' })
    await change({ groups: [] })
    await change({ name: 'Benjamin' })
    for (const client of [ann, ...bens]) await client.receivesNothing()
    await ben?.ok('join_chat', { chat_id: chats.open, agent_ids: ['ben'] })
    expect(await ann.next('incoming_event')).toMatchObject({ event: { text: 'Benjamin joined the chat' } })
    expect(await ann.next('chat_users_updated')).toMatchObject({
      updated_users: { agents: { added: [{ id: 'ben', name: 'Benjamin' }] } },
    })
  })

  test('a group that is deleted: what named it alone is open to all', async () => {
    for (const ben of bens) await ben.received()
    await deleteGroup(world.table, license.id, 1, { evenWithAgents: true })
    await world.settled()
    for (const ben of bens) {
      expect(await ben.next('incoming_chat_thread')).toMatchObject({ chat: { id: chats.sales } })
      expect(await ben.next('chat_scopes_updated')).toMatchObject({ scopes_removed: { groups: [1] } })
    }
    await send(chats.sales)
    for (const ben of bens) await ben.eventually('incoming_event')
  })
})
