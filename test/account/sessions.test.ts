import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { changeAgent, deleteAgent } from '../../infra/admin/change-agent.ts'
import { deleteGroup } from '../../infra/admin/change-group.ts'
import { changeLicense } from '../../infra/admin/change-license.ts'
import type { TokenScope } from '../../shared/protocol/action.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { activeChatChanged, chatChanged, readChat } from '../../shared/table/chats.ts'
import { readAgentSockets } from '../../shared/table/sockets.ts'
import type { Client } from '../support/client.ts'
import { type License, startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterEach(() => {
  vi.useRealTimers()
  world.proxy.setFault(undefined)
})

const nowS = () => Math.floor(Date.now() / 1000)
/** Moves the clock of all bundles. */
const secondsPass = (seconds: number) => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })
}
/** Lets the jobs of the delay queue be due. */
const jobsAreDue = async (): Promise<void> => {
  await world.settled()
  await world.queue.flush()
  await world.settled()
}
const message = (text: string) => ({ type: 'message', text })
const auth = { type: 'auth', code: 401, message: 'Invalid access token' }
const expired = { type: 'license_expired', code: 402, message: 'License expired' }
const shown = async (client: Client, chat_id: string) =>
  (await client.ok('get_chat_threads', { chat_id })).chat
const liveRows = (license: License, agent?: string) => readAgentSockets(world.table.read, license.id, agent)

describe('before a login', () => {
  test.each(agentActions.filter(({ session }) => session === 'required').map(({ name }) => name))(
    '%s answers Not logged in, whatever its payload',
    async (name) => {
      const client = await world.open()
      const event = message('x')
      for (const payload of [undefined, {}, { chat_id: 'x', event, agent_ids: ['ann'] }, { chat_id: 5 }])
        expect(await client.refused(name, payload)).toEqual({
          type: 'auth',
          code: 401,
          message: 'Not logged in',
        })
    },
  )

  test('that holds for every action but login and ping', () => {
    const open = agentActions.filter(({ session }) => session !== 'required')
    expect(open.map(({ name }) => name).toSorted()).toEqual(['login', 'ping'])
  })

  test('nothing is pushed', async () => {
    const license = await world.license({ ann: {} })
    const stranger = await world.open()
    const ann = await license.login('ann')
    await ann.ok('start_chat')
    await stranger.caughtUp()
    expect(stranger.frames).toEqual([])
  })
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

  test('answers auth, is told access_token_expired and is closed', async () => {
    const { ann, chat } = await scene()
    await ann.ok('get_chat_threads', { chat_id: chat.id })
    secondsPass(61)
    expect(await ann.refused('get_chat_threads', { chat_id: chat.id })).toEqual(auth)
    expect(await ann.refused('start_chat', [])).toEqual(auth)
    await jobsAreDue()
    expect(await ann.next('agent_disconnected')).toEqual({ reason: 'access_token_expired' })
    await ann.receivesNothing()
    await ann.closing()
  })

  test('answers ping until it is closed', async () => {
    const { ann } = await scene()
    secondsPass(61)
    expect(await ann.call('ping')).toMatchObject({ success: true })
  })

  test('gets no more pushes', async () => {
    const { ann, ben, chat } = await scene()
    secondsPass(61)
    await ben.ok('send_event', { chat_id: chat.id, event: message('secret') })
    await ben.ok('start_chat')
    await ann.receivesNothing()
  })

  test('is told and closed within a minute where it is idle, and no other is', async () => {
    const { license, ann, ben } = await scene()
    const second = await license.login('ann')
    await world.tick()
    await ann.receivesNothing()
    secondsPass(61)
    await world.tick()
    expect(await ann.next('agent_disconnected')).toEqual({ reason: 'access_token_expired' })
    await ann.closing()
    await world.settled()
    expect(await liveRows(license, 'ann')).toHaveLength(1)
    for (const client of [second, ben]) await client.ok('start_chat')
  })

  test('goes on where the same agent logs in again on its socket in time', async () => {
    const { license, ann, ben, chat } = await scene()
    secondsPass(61)
    expect(await ann.refused('start_chat')).toEqual(auth)
    await ann.ok('login', { token: await license.token('ann') })
    await jobsAreDue()
    await world.tick()
    await ann.receivesNothing()
    await ben.ok('send_event', { chat_id: chat.id, event: message('welcome back') })
    expect(await ann.next('incoming_event')).toMatchObject({ event: { text: 'welcome back' } })
    await ann.ok('get_chat_threads', { chat_id: chat.id })
  })

  test('is not renewed by an old token, nor by another agent’s', async () => {
    const { license, ann } = await scene()
    const old = await license.token('ann', { expiresInS: 60 })
    secondsPass(121)
    expect(await ann.refused('login', { token: old })).toEqual(auth)
    expect(await ann.refused('login', { token: await license.token('ben') })).toMatchObject({ type: 'auth' })
    expect(await ann.refused('start_chat')).toEqual(auth)
  })

  test('of which many requests are under way answers each of them, and is told once', async () => {
    const { ann } = await scene()
    secondsPass(61)
    const answers = await Promise.all(Array.from({ length: 8 }, () => ann.refused('start_chat')))
    for (const answer of answers) expect(answer).toEqual(auth)
    await jobsAreDue()
    await ann.closing()
    expect(await ann.received()).toEqual([
      { action: 'agent_disconnected', payload: { reason: 'access_token_expired' } },
    ])
  })
})

describe('a session whose licence has run out', () => {
  const scene = async (expiresInS = 60) => {
    const license = await world.license({ ann: {}, ben: {} }, { expiresAt: nowS() + expiresInS })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { chat } = await ben.ok('start_chat')
    await ann.next('incoming_chat_thread')
    await ben.next('incoming_chat_thread')
    return { license, ann, ben, chat }
  }

  test('answers license_expired, is told so and is closed', async () => {
    const { ann, ben, chat } = await scene()
    secondsPass(61)
    expect(await ann.refused('get_chat_threads', { chat_id: chat.id })).toEqual(expired)
    expect(await ann.refused('send_event', {})).toEqual(expired)
    await jobsAreDue()
    expect(await ann.next('agent_disconnected')).toEqual({ reason: 'license_expired' })
    await ann.closing()
    // the other one has asked for nothing yet
    expect(await ben.refused('start_chat')).toEqual(expired)
  })

  test('is told and closed within a minute where it is idle, and no other licence’s is', async () => {
    const { ann, ben } = await scene()
    const other = await world.license({ ann: {} })
    const stranger = await other.login('ann')
    secondsPass(61)
    await world.tick()
    for (const client of [ann, ben]) {
      expect(await client.next('agent_disconnected')).toEqual({ reason: 'license_expired' })
      await client.closing()
    }
    await stranger.ok('start_chat')
  })

  test('answers auth where its token has run out too', async () => {
    const license = await world.license({ ann: {} }, { expiresAt: nowS() + 60 })
    const ann = await license.login('ann', {}, { expiresInS: 60 })
    secondsPass(61)
    expect(await ann.refused('start_chat')).toEqual(auth)
    await jobsAreDue()
    expect(await ann.next('agent_disconnected')).toEqual({ reason: 'access_token_expired' })
  })

  test('cannot log in again', async () => {
    const { license, ann } = await scene()
    secondsPass(61)
    expect(await ann.refused('login', { token: await license.token('ann') })).toEqual(expired)
  })

  test('goes on once the licence is renewed', async () => {
    const { license, ann, ben, chat } = await scene()
    secondsPass(61)
    expect(await ann.refused('start_chat')).toEqual(expired)
    await changeLicense(world.table, license.id, { expires_at: nowS() + 3600 })
    await world.settled()
    await ben.ok('send_event', { chat_id: chat.id, event: message('paid') })
    expect(await ann.next('incoming_event')).toMatchObject({ event: { text: 'paid' } })
    await jobsAreDue()
    await world.tick()
    await ann.receivesNothing()
    await ann.ok('get_chat_threads', { chat_id: chat.id })
  })

  test('by a change of the licence is told and closed at once, and no other licence’s is', async () => {
    const { license, ann, ben } = await scene(3600)
    const other = await world.license({ ann: {} })
    const stranger = await other.login('ann')
    await changeLicense(world.table, license.id, { expires_at: nowS() - 1 })
    await world.settled()
    for (const client of [ann, ben]) {
      expect(await client.next('agent_disconnected')).toEqual({ reason: 'license_expired' })
      await client.closing()
    }
    expect(await liveRows(license)).toEqual([])
    await stranger.ok('start_chat')
    await stranger.next('incoming_chat_thread')
    await stranger.receivesNothing()
  })

  test('a change of its plan alone disturbs nobody', async () => {
    const { license, ann } = await scene(3600)
    await changeLicense(world.table, license.id, { plan: 'enterprise' })
    await world.settled()
    await ann.receivesNothing()
    await ann.ok('start_chat')
  })
})

describe('a suspended agent', () => {
  /** ann and ben in a chat that nobody else may see, ben on two sockets. */
  const scene = async () => {
    const license = await world.license({ ann: {}, ben: { name: 'Ben' }, cleo: {} })
    const ann = await license.login('ann')
    const bens = [await license.login('ben'), await license.login('ben')]
    const cleo = await license.login('cleo')
    const start = async (): Promise<string> => {
      const { chat } = await ann.ok('start_chat', { chat: { scopes: { agents: ['ann'] } } })
      await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      return chat.id
    }
    const [chat, closed] = [await start(), await start()]
    await ann.ok('close_thread', { chat_id: closed })
    for (const client of [ann, cleo, ...bens]) await client.received()
    const suspend = () => changeAgent(world.table, license.id, 'ben', { suspended: true })
    return { license, ann, bens, cleo, chat, closed, suspend }
  }

  test('is told access_token_revoked on each of its sockets, which are closed', async () => {
    const { license, ann, bens, suspend } = await scene()
    await suspend()
    for (const ben of bens) {
      expect(await ben.eventually('agent_disconnected')).toEqual({ reason: 'access_token_revoked' })
      await ben.closing()
    }
    await world.settled()
    expect(await liveRows(license, 'ben')).toEqual([])
    await ann.ok('start_chat')
  })

  test('answers auth from then on, before its sockets are closed', async () => {
    const { bens, chat, suspend } = await scene()
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
      expect(await ben?.refused(action, { chat_id: chat })).toEqual(auth)
    expect(await ben?.call('ping')).toMatchObject({ success: true })
    mayClose.resolve()
    await ben?.eventually('agent_disconnected')
    await ben?.closing()
  })

  test('is out of its active chats, and those who see them are told', async () => {
    const { ann, cleo, chat, closed, suspend } = await scene()
    await suspend()
    await world.settled()
    expect(await ann.next('incoming_event')).toMatchObject({
      chat_id: chat,
      event: { type: 'system_message', system_message_type: 'agent_left', text: 'Ben left the chat' },
    })
    expect(await ann.next('chat_users_updated')).toEqual({
      chat_id: chat,
      updated_users: {
        customers: { added: [], removed_ids: [] },
        agents: { added: [], removed_ids: ['ben'] },
        supervisors: { added: [], removed_ids: [] },
      },
    })
    await ann.receivesNothing()
    await cleo.receivesNothing()
    expect((await shown(ann, chat)).users).toMatchObject([
      { id: 'ann', present: true },
      { id: 'ben', present: false },
    ])
    expect((await shown(ann, chat)).threads[0].active).toBe(true)
    expect((await shown(ann, closed)).threads[0].events).toHaveLength(2)
  })

  test('is out of all of them, a supervised one for agents alone', async () => {
    const { ann, chat, suspend } = await scene()
    const { chat: second } = await ann.ok('start_chat')
    const found = await readChat(world.table.read, second.id)
    if (found === undefined) throw new Error('There is no such chat')
    const users = [...found.users, { id: 'ben', type: 'supervisor' as const, present: true }]
    const supervised = { ...found, users, version: found.version + 1 }
    for (const op of [chatChanged(supervised), activeChatChanged(supervised)])
      expect((await world.table.write.write(op)).done).toBe(true)
    await ann.received()
    await suspend()
    await world.settled()
    const left = (await ann.received()).filter(({ action }) => action === 'incoming_event')
    expect(left.map(({ payload }) => payload)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ chat_id: chat, event: expect.objectContaining({ recipients: 'all' }) }),
        expect.objectContaining({
          ...{ chat_id: second.id, event: expect.objectContaining({ recipients: 'agents' }) },
        }),
      ]),
    )
    expect(left).toHaveLength(2)
  })

  test('who is not connected is out of them as well', async () => {
    const { ann, bens, chat, suspend } = await scene()
    await Promise.all(bens.map((ben) => ben.close()))
    await world.settled()
    await suspend()
    await world.settled()
    expect(await ann.next('incoming_event')).toMatchObject({
      chat_id: chat,
      event: { text: 'Ben left the chat' },
    })
  })

  test('gets no push that follows', async () => {
    const { ann, bens, chat, suspend } = await scene()
    await suspend()
    await world.settled()
    await ann.ok('send_event', { chat_id: chat, event: message('secret') })
    for (const ben of bens) {
      await ben.closing()
      for (const frame of ben.frames) expect(frame).not.toContain('secret')
    }
  })

  test('may log in on a new socket once it is no longer suspended', async () => {
    const { license, bens, chat, suspend } = await scene()
    await suspend()
    await Promise.all(bens.map((ben) => ben.closing()))
    const again = await world.open()
    expect(await again.refused('login', { token: await license.token('ben') })).toEqual(auth)
    await changeAgent(world.table, license.id, 'ben', { suspended: false })
    await world.settled()
    const { chats_summary } = await again.ok('login', { token: await license.token('ben') })
    expect(chats_summary).toEqual([])
    expect(await again.refused('get_chat_threads', { chat_id: chat })).toMatchObject({
      type: 'authorization',
    })
  })
})

describe('a deleted agent', () => {
  test('is told agent_disconnected_by_server, closed, and out of its active chats', async () => {
    const license = await world.license({ ann: {}, ben: { name: 'Ben', email: 'ben@example.com' } })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { chat } = await ann.ok('start_chat')
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await ann.received()
    await deleteAgent(world.table, license.id, 'ben')
    expect(await ben.eventually('agent_disconnected')).toEqual({ reason: 'agent_disconnected_by_server' })
    await ben.closing()
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
})

describe('a change of an agent reaches its live sessions', () => {
  const scene = async () => {
    const license = await world.license({ ann: {}, ben: { name: 'Ben' } }, { groups: ['Sales', 'Support'] })
    const ann = await license.login('ann')
    const bens = [await license.login('ben'), await license.login('ben')]
    const start = async (scopes: object): Promise<string> =>
      (await ann.ok('start_chat', { chat: { scopes }, initial_events: [message('hello')] })).chat.id
    const chats = {
      open: await start({}),
      closed: await start({ groups: [1] }),
      sales: await start({ groups: [1] }),
      anns: await start({ agents: ['ann'] }),
    }
    await ann.ok('close_thread', { chat_id: chats.closed })
    for (const client of [ann, ...bens]) await client.received()
    const change = async (changes: Parameters<typeof changeAgent>[3]) => {
      await changeAgent(world.table, license.id, 'ben', changes)
      await world.settled()
    }
    const send = (chat_id: string) => ann.ok('send_event', { chat_id, event: message('news') })
    return { license, ann, bens, ben: bens[0] as Client, chats, change, send }
  }

  test('its name, in what it does next', async () => {
    const { ann, ben, chats, change } = await scene()
    await change({ name: 'Benjamin' })
    await ben.receivesNothing()
    await ben.ok('join_chat', { chat_id: chats.open, agent_ids: ['ben'] })
    expect(await ann.next('incoming_event')).toMatchObject({ event: { text: 'Benjamin joined the chat' } })
    expect(await ann.next('chat_users_updated')).toMatchObject({
      updated_users: { agents: { added: [{ id: 'ben', name: 'Benjamin' }] } },
    })
  })

  test('a group: the active chats that it opens are shown to each socket, and their news from then on', async () => {
    const { ann, bens, chats, change, send } = await scene()
    await change({ groups: [1, 2] })
    for (const ben of bens) {
      expect(await ben.next('incoming_chat_thread')).toMatchObject({
        chat: {
          id: chats.sales,
          users: [{ id: 'ann' }],
          thread: { active: true, events: [{ text: 'hello' }] },
        },
      })
      await ben.receivesNothing()
    }
    await ann.receivesNothing()
    await send(chats.sales)
    for (const ben of bens) {
      expect(await ben.next('incoming_event')).toMatchObject({ chat_id: chats.sales })
      await ben.ok('get_chat_threads', { chat_id: chats.closed })
      expect(await ben.refused('get_chat_threads', { chat_id: chats.anns })).toMatchObject({
        type: 'authorization',
      })
    }
  })

  test('a group taken away: what it opened is hidden, and its pushes stop', async () => {
    const { license, bens, ben, chats, change, send } = await scene()
    await change({ groups: [1] })
    for (const socket of bens) await socket.next('incoming_chat_thread')
    await change({ groups: [2] })
    await send(chats.sales)
    for (const socket of bens) await socket.receivesNothing()
    expect(await ben.refused('get_chat_threads', { chat_id: chats.sales })).toMatchObject({
      type: 'authorization',
    })

    await change({ groups: [1] })
    for (const socket of bens) await socket.next('incoming_chat_thread')
    await deleteGroup(world.table, license.id, 1, { evenWithAgents: true })
    await world.settled()
    await send(chats.sales)
    for (const socket of bens) await socket.receivesNothing()
  })

  test('a permission: what it opens is shown, and hidden again with it', async () => {
    const { bens, chats, change, send } = await scene()
    await change({ permission: 'administrator' })
    for (const ben of bens) {
      const gained = [await ben.next('incoming_chat_thread'), await ben.next('incoming_chat_thread')]
      expect(gained.map(({ chat }) => chat.id).toSorted()).toEqual([chats.anns, chats.sales].toSorted())
      await ben.receivesNothing()
    }
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
    await change({ permission: 'owner' })
    await bens[0]?.ok('close_thread', { chat_id: chats.anns })
  })

  test('nothing that a restricted token may not read is shown', async () => {
    const { license, chats, change, send } = await scene()
    const mine = await license.login('ben', {}, { scope: 'chats--my:read' })
    const all = await license.login('ben', {}, { scope: 'chats--all:read' })
    const visible = await license.login('ben', {}, { scope: 'chats--chat_scopes:read' })
    await change({ groups: [1] })
    expect(await visible.next('incoming_chat_thread')).toMatchObject({ chat: { id: chats.sales } })
    await send(chats.sales)
    expect(await visible.next('incoming_event')).toMatchObject({ chat_id: chats.sales })
    for (const client of [mine, all, visible]) await client.receivesNothing()
  })

  test('anything else disturbs nobody', async () => {
    const { ann, bens, change } = await scene()
    await change({ email: 'ben@example.com', avatar: 'https://example.com/b.png' })
    await change({ default_status: 'not_accepting_chats' })
    await change({ groups: [] })
    for (const client of [ann, ...bens]) await client.receivesNothing()
    for (const ben of bens) await ben.ok('start_chat')
  })

  test('and not those of its colleagues, nor of an agent of this name in another licence', async () => {
    const { ann, chats, change, send } = await scene()
    const other = await world.license({ ben: {} }, { groups: ['Sales'] })
    const stranger = await other.login('ben')
    await change({ permission: 'owner', groups: [1] })
    await send(chats.sales)
    await stranger.receivesNothing()
    expect(await ann.next('incoming_event')).toMatchObject({ chat_id: chats.sales })
    await ann.receivesNothing()
    expect(await stranger.refused('get_chat_threads', { chat_id: chats.sales })).toMatchObject({
      type: 'not_found',
    })
  })
})

describe('an agent of another licence', () => {
  test('can see and do nothing here, even an owner of the same name', async () => {
    const license = await world.license({ ann: {} })
    const other = await world.license({ ann: { permission: 'owner' }, eve: { permission: 'owner' } })
    const ann = await license.login('ann')
    const eves = [await other.login('ann'), await other.login('eve')]
    const { chat } = await ann.ok('start_chat', { initial_events: [message('secret')] })
    await ann.received()
    const payload = {
      chat_id: chat.id,
      event: message('x'),
      agent_ids: ['ann'],
      thread_ids: [chat.thread.id],
    }
    for (const eve of eves) {
      for (const action of [
        'get_chat_threads',
        'send_event',
        'join_chat',
        'remove_from_chat',
        'close_thread',
      ])
        expect(await eve.refused(action, payload)).toEqual({
          type: 'not_found',
          code: 404,
          message: 'Not found',
        })
      const own = await eve.ok('start_chat')
      expect(
        await eve.refused('get_chat_threads', { chat_id: own.chat.id, thread_ids: [chat.thread.id] }),
      ).toMatchObject({ type: 'not_found' })
      expect(
        await eve.refused('close_thread', { chat_id: own.chat.id, thread_id: chat.thread.id }),
      ).toMatchObject({ type: expect.stringMatching(/^(not_found|chat_inactive)$/) })
    }
    expect(await eves[0]?.refused('start_chat', { chat: { scopes: { agents: ['nosuch'] } } })).toMatchObject({
      type: 'not_found',
    })
    await ann.receivesNothing()
    await ann.ok('close_thread', { chat_id: chat.id })
    for (const eve of eves) {
      await eve.caughtUp()
      for (const frame of eve.frames) {
        expect(frame).not.toContain('secret')
        expect(frame).not.toContain(license.id)
        expect(frame).not.toContain('"incoming_event"')
      }
    }
  })
})

describe("a token's scopes", () => {
  const sentences: Record<string, string> = {
    start_chat: 'You do not have permission to perform this action.',
    send_event: 'You cannot send event in this chat.',
    join_chat: 'You do not have permission to perform this action.',
    remove_from_chat: 'You do not have permission to perform this action.',
    close_thread: 'You are not allowed to close this chat.',
    get_chat_threads: 'Authorization error',
  }
  // each call leaves the chat as the next one needs it: `x` where it is let through
  const calls: [string, object][] = [
    ['start_chat', {}],
    ['get_chat_threads', {}],
    ['send_event', { event: { type: 'annotation', annotation_type: 'note' } }],
    ['join_chat', { agent_ids: ['ann'] }],
    ['join_chat', { agent_ids: ['ben'] }],
    ['remove_from_chat', { agent_ids: ['ben'] }],
    ['close_thread', {}],
    ['remove_from_chat', {}],
  ]
  const allowed = async (client: Client, chat_id: string): Promise<string> => {
    let marks = ''
    for (const [action, payload] of calls) {
      const answer = await client.call(action, { chat_id, ...payload })
      if (!answer.success)
        expect(answer.payload).toEqual({
          error: { type: 'authorization', code: 403, message: sentences[action] },
        })
      marks += answer.success ? 'x' : '.'
    }
    return marks
  }

  test.each<[TokenScope | '', string]>([
    // start, get, send, join oneself, join another, remove another, close, leave
    ['', 'xxxxxxxx'],
    ['chats--all:read', '........'],
    ['chats--chat_scopes:read', '.x......'],
    ['chats--my:read', '.x......'],
    ['chats.conversation--chat_scopes:write', '..xx...x'],
    ['chats.conversation--my:write', '..x....x'],
    ['chats.meta--chat_scopes:write', 'x..xxxxx'],
    ['chats.meta--my:write', '...xxxxx'],
    ['customers.ban:write', '........'],
    ['broadcast:write', '........'],
    ['agents--my:write', '........'],
    ['agents--all:write', '........'],
  ])('%s, in a chat that its agent is in', async (scope, expected) => {
    const license = await world.license({ ann: {}, ben: {} })
    const free = await license.login('ann')
    const chatOf = async (): Promise<string> => (await free.ok('start_chat')).chat.id
    const options = scope === '' ? {} : { scope: `openid ${scope}` }
    expect(await allowed(await license.login('ann', {}, options), await chatOf())).toBe(expected)
    if (scope === '') return
    const prefixed = await license.login('ann', {}, { scope: `agent-chat/${scope}` })
    expect(await allowed(prefixed, await chatOf())).toBe(expected)
  })

  test.each<[TokenScope, string]>([
    ['chats--all:read', '.x......'],
    ['chats--chat_scopes:read', '.x......'],
    ['chats--my:read', '........'],
    ['chats.conversation--chat_scopes:write', '...x...x'],
    ['chats.conversation--my:write', '........'],
    ['chats.meta--chat_scopes:write', 'x..xxxxx'],
    ['chats.meta--my:write', '........'],
  ])('%s, of an administrator that is not in the chat', async (scope, expected) => {
    const license = await world.license({ ann: { permission: 'administrator' }, ben: {}, cleo: {} })
    const cleo = await license.login('cleo')
    const { chat } = await cleo.ok('start_chat', { chat: { scopes: { agents: ['cleo'] } } })
    // once it has joined, `send` comes before in the list
    expect(await allowed(await license.login('ann', {}, { scope }), chat.id)).toBe(expected)
  })

  test('unknown names with a colon grant nothing; without any colon nothing is restricted', async () => {
    const license = await world.license({ ann: { permission: 'owner' }, ben: {} })
    const free = await license.login('ann')
    for (const scope of [
      'some:thing',
      'chats--my:write openid',
      'https://issuer.test/all',
      'xchats--my:read',
    ]) {
      const { chat } = await free.ok('start_chat')
      expect(await allowed(await license.login('ann', {}, { scope }), chat.id)).toBe('........')
    }
    const { chat } = await free.ok('start_chat')
    const unrestricted = await license.login(
      'ann',
      {},
      { scope: 'openid profile aws.cognito.signin.user.admin' },
    )
    expect(await allowed(unrestricted, chat.id)).toBe('xxxxxxxx')
  })

  test('several scopes add up', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const { chat } = await (await license.login('ann')).ok('start_chat')
    const scope = 'chats--my:read chats.conversation--my:write'
    expect(await allowed(await license.login('ann', {}, { scope }), chat.id)).toBe('.xx....x')
  })

  test('pushes about chats need one of the read scopes, and one that reaches', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ben = await license.login('ben')
    const clients: Record<string, Client> = {}
    for (const scope of ['chats--all:read', 'chats--chat_scopes:read', 'chats--my:read'])
      clients[scope] = await license.login('ann', {}, { scope })
    for (const scope of [
      'chats.conversation--chat_scopes:write',
      'chats.meta--chat_scopes:write',
      'some:thing',
    ])
      clients[scope] = await license.login('ann', {}, { scope })
    const heard = async () => {
      const counts: Record<string, string[]> = {}
      for (const [scope, client] of Object.entries(clients)) {
        const pushes = (await client.received()).map(({ action }) => action)
        if (pushes.length > 0) counts[scope] = pushes
      }
      return counts
    }
    const { chat } = await ben.ok('start_chat')
    await ben.ok('send_event', { chat_id: chat.id, event: message('hi') })
    expect(await heard()).toEqual({ 'chats--chat_scopes:read': ['incoming_chat_thread', 'incoming_event'] })

    await ben.ok('join_chat', { chat_id: chat.id, agent_ids: ['ann'] })
    await ben.ok('close_thread', { chat_id: chat.id })
    expect(await heard()).toEqual({
      'chats--chat_scopes:read': ['incoming_event', 'chat_users_updated', 'incoming_event', 'thread_closed'],
      // it may read this chat from now on, and so is shown it first
      'chats--my:read': [
        ...['incoming_chat_thread', 'incoming_event', 'chat_users_updated'],
        ...['incoming_event', 'thread_closed'],
      ],
    })
  })

  test('chats--all:read gets the pushes of an administrator', async () => {
    const license = await world.license({ ann: { permission: 'owner' }, ben: {} })
    const ann = await license.login('ann', {}, { scope: 'chats--all:read' })
    const ben = await license.login('ben')
    await ben.ok('start_chat', { chat: { scopes: { agents: ['ben'] } } })
    await ann.next('incoming_chat_thread')
  })
})
