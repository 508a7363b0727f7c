import { beforeAll, describe, expect, test } from 'vitest'
import { changeAgent, deleteAgent } from '../../shared/provisioning/change-agent.ts'
import { createGroup, deleteGroup } from '../../shared/provisioning/change-group.ts'
import { activePk, chatsPk } from '../../shared/table/keys.ts'
import type { Client } from '../support/client.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  // delayed jobs stay out of these tests: what a login may have missed is tested with login
  world = await sharedWorld({ delayScale: 1000 })
})

const denied = {
  type: 'authorization',
  code: 403,
  message: 'You do not have permission to perform this action.',
}
const notFound = { type: 'not_found', code: 404, message: 'Not found' }
const invalid = (...paths: string[]) => ({
  type: 'validation',
  code: 400,
  message: 'Wrong format of request',
  details: paths.map((path) => ({ path, message: expect.any(String) })),
})
const message = (text: string, more: object = {}) => ({ type: 'message', text, ...more })

const annAlone = async (options?: { groups?: string[] }) => {
  const license = await world.license({ ann: {} }, options)
  return { license, ann: await license.login('ann') }
}
let shared: Client
beforeAll(async () => {
  shared = (await annAlone({ groups: ['Sales'] })).ann
})
/** The agent of a license that tests share which do not ask how many chats it has. */
const sameAnn = async () => {
  await shared.received()
  return { ann: shared }
}

/** How many chats of a license are listed, and how many of them as active. */
const written = async ({ id }: License) => {
  const [all, active] = await Promise.all(
    [chatsPk(id), activePk(id)].map((pk) => world.table.read.query({ pk, strong: true })),
  )
  return [all!.length, active!.length]
}

/** The chat as a later reader finds it. */
const found = async (client: Client, chat: { id: string }) =>
  (await client.ok('get_chat_threads', { chat_id: chat.id })).chat

describe('start_chat', () => {
  test('starts a chat with the requester in it, and every agent with access gets it', async () => {
    const license = await world.license({
      ann: { name: 'Ann Doe', email: 'ann@example.com', avatar: 'https://example.com/ann.png' },
      ben: {},
    })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const before = Math.floor(Date.now() / 1000)
    const { chat } = await ann.ok('start_chat')
    expect(chat).toEqual({
      id: expect.stringMatching(/^[0-9a-z]+$/),
      users: [
        {
          ...{ id: 'ann', type: 'agent', name: 'Ann Doe', email: 'ann@example.com' },
          ...{ avatar: 'https://example.com/ann.png', routing_status: 'accepting_chats', present: true },
        },
      ],
      thread: {
        id: `${chat.id}_1`,
        timestamp: expect.any(Number),
        active: true,
        user_ids: ['ann'],
        order: 1,
        events: [],
      },
    })
    expect(chat.thread.timestamp).toBeGreaterThanOrEqual(before)
    expect(await ann.next('incoming_chat_thread')).toEqual({ chat })
    expect(await ben.next('incoming_chat_thread')).toEqual({ chat })
    // the starter gets no agent_joined
    await ann.receivesNothing()
    await ben.receivesNothing()
    expect((await found(ben, chat)).threads).toEqual([chat.thread])
    expect(await written(license)).toEqual([1, 1])
  })

  test('a payload, a chat and a thread may be absent or null', async () => {
    const { license, ann } = await annAlone()
    const nothing = { initial_events: null, chat: null }
    const hollow = { chat: { properties: null, scopes: null, thread: null } }
    const hollowThread = { chat: { thread: { events: null, properties: null, scopes: null } } }
    const scopeless = { chat: { scopes: { groups: null, agents: null }, properties: {} } }
    const starts = [undefined, null, {}, nothing, hollow, hollowThread, scopeless]
    for (const payload of starts) {
      const { chat } = await ann.ok('start_chat', payload)
      expect(Object.keys(chat).toSorted()).toEqual(['id', 'thread', 'users'])
      expect(chat.thread.events).toEqual([])
    }
    expect(await written(license)).toEqual([starts.length, starts.length])
  })

  test('each chat has an id of its own', async () => {
    const { ann } = await sameAnn()
    const chats = await Promise.all(Array.from({ length: 10 }, () => ann.ok('start_chat')))
    expect(new Set(chats.map(({ chat }) => chat.id)).size).toBe(10)
  })

  test('shows in the login of an agent with access, and of no other', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ann = await license.login('ann')
    const { chat } = await ann.ok('start_chat', {
      initial_events: [message('hello')],
      chat: {
        scopes: { agents: ['ann'] },
        properties: { a: { b: 1 } },
        thread: { properties: { c: { d: true } } },
      },
    })
    const summaries = async (agent: string) => {
      const client = await world.open()
      return (await client.ok('login', { token: await license.token(agent) })).chats_summary
    }
    expect(await summaries('ann')).toEqual([
      {
        id: chat.id,
        users: chat.users,
        properties: { a: { b: { value: 1 } } },
        scopes: { agents: ['ann'] },
        last_thread_summary: {
          id: chat.thread.id,
          timestamp: chat.thread.timestamp,
          active: true,
          user_ids: ['ann'],
          last_event_per_type: chat.thread.events,
          order: 1,
          events_count: 1,
          properties: { c: { d: { value: true } } },
        },
      },
    ])
    expect(await summaries('ben')).toEqual([])
  })

  describe('initial events', () => {
    const events = [
      message('hello there', { custom_id: '12312.301231238591134', recipients: 'all' }),
      {
        ...{ type: 'system_message', custom_id: '12312.301231238591135', text: 'hello there' },
        recipients: 'agents',
      },
      { type: 'annotation', annotation_type: 'note', text: 'a' },
      { type: 'filled_form', fields: [{ type: 'email', name: 'n', label: 'l', required: 'true' }] },
      { type: 'custom', content: { any: [{ thing: null }] }, properties: { a: { b: 1 } } },
      { type: 'system_message', text: 'imported', system_message_type: 'my.import' },
    ]

    test('come in the thread, or as initial_events, in their order', async () => {
      const license = await world.license({ ann: {}, ben: {} })
      const [ann, ben] = [await license.login('ann'), await license.login('ben')]
      for (const payload of [{ chat: { thread: { events } } }, { initial_events: events }]) {
        const { chat } = await ann.ok('start_chat', payload)
        const at = (order: number) => ({
          id: `${chat.id}_1_${order}`,
          order,
          timestamp: chat.thread.timestamp,
          recipients: 'all',
        })
        expect(chat.thread.events).toEqual([
          {
            ...{ ...at(1), type: 'message', text: 'hello there', author_id: 'ann' },
            custom_id: '12312.301231238591134',
          },
          // no author: a system message is no one's
          {
            ...{ ...at(2), type: 'system_message', text: 'hello there', recipients: 'agents' },
            ...{ system_message_type: 'custom', custom_id: '12312.301231238591135' },
          },
          { ...at(3), type: 'annotation', annotation_type: 'note', text: 'a', author_id: 'ann' },
          {
            ...{ ...at(4), type: 'filled_form', author_id: 'ann' },
            fields: [{ type: 'email', name: 'n', label: 'l', required: true }],
          },
          {
            ...{ ...at(5), type: 'custom', author_id: 'ann', content: { any: [{ thing: null }] } },
            properties: { a: { b: { value: 1 } } },
          },
          { ...at(6), type: 'system_message', text: 'imported', system_message_type: 'my.import' },
        ])
        // they come with the thread and not once more by themselves
        expect(await ben.next('incoming_chat_thread')).toEqual({ chat })
        await ben.receivesNothing()
        expect((await found(ben, chat)).threads).toEqual([chat.thread])
      }
    })

    test('that are an empty list in one place are those of the other', async () => {
      const { ann } = await sameAnn()
      const events = [message('hello')]
      for (const payload of [
        { initial_events: [], chat: { thread: { events } } },
        { initial_events: events, chat: { thread: { events: [] } } },
      ]) {
        const { chat } = await ann.ok('start_chat', payload)
        expect(chat.thread.events).toMatchObject([{ text: 'hello', order: 1 }])
      }
    })

    test('the next event follows them', async () => {
      const { ann } = await sameAnn()
      const { chat } = await ann.ok('start_chat', { initial_events: [message('1'), message('2')] })
      const { event } = await ann.ok('send_event', { chat_id: chat.id, event: message('3') })
      expect(event.order).toBe(3)
    })

    test('a system message has a type outside the server\'s own, and "custom" without one', async () => {
      const { license, ann } = await annAlone()
      const system = (system_message_type?: unknown) => ({
        type: 'system_message',
        text: 'a',
        system_message_type,
      })
      const at = 'payload.chat.thread.events.1.system_message_type'
      for (const type of [
        ...['agent_joined', 'agent_left', 'customer_left', 'manual_archived', 'customer_banned'],
        ...['routing.assigned', 'routing.unassigned', 'routing.idle', 'routing.archived'],
        ...['', 1, 'é'.repeat(129)],
      ]) {
        const thread = { events: [message('a'), system(type)] }
        expect(await ann.refused('start_chat', { chat: { thread } }), String(type)).toEqual(invalid(at))
      }
      expect(await written(license)).toEqual([0, 0])
      const types = [undefined, null, 'Agent_Joined', 'routing', 'custom', 'é'.repeat(128)]
      const { chat } = await ann.ok('start_chat', { initial_events: types.map(system) })
      expect(chat.thread.events.map((event: any) => event.system_message_type)).toEqual(
        types.map((type) => type ?? 'custom'),
      )
    })

    test('are 20 at the most', async () => {
      const { license, ann } = await annAlone()
      const many = (count: number) => Array.from({ length: count }, (_, i) => message(`${i + 1}`))
      const details = (path: string) => [{ path, message: 'At most 20 initial events' }]
      expect(await ann.refused('start_chat', { initial_events: many(21) })).toEqual({
        ...invalid(),
        details: details('payload.initial_events'),
      })
      expect(await ann.refused('start_chat', { chat: { thread: { events: many(21) } } })).toEqual({
        ...invalid(),
        details: details('payload.chat.thread.events'),
      })
      expect(await written(license)).toEqual([0, 0])
      const { chat } = await ann.ok('start_chat', { initial_events: many(20) })
      expect(chat.thread.events.map(({ text, order }: any) => [text, order])).toEqual(
        Array.from({ length: 20 }, (_, i) => [`${i + 1}`, i + 1]),
      )
    })
  })

  describe('properties', () => {
    test('are set on chat and thread, in both input forms, null left out', async () => {
      const license = await world.license({ ann: {}, ben: {} })
      const [ann, ben] = [await license.login('ann'), await license.login('ben')]
      const { chat } = await ann.ok('start_chat', {
        chat: {
          properties: {
            source: { type: 'facebook', id: { value: 17 }, gone: null, 'gone.too': { value: null } },
            empty: { gone: null },
            constructor: { name: 'x' },
          },
          thread: { properties: { source: { type: { value: 'twitter' }, first: false } } },
        },
      })
      expect(chat.properties).toEqual({
        source: { type: { value: 'facebook' }, id: { value: 17 } },
        constructor: { name: { value: 'x' } },
      })
      expect(chat.thread.properties).toEqual({
        source: { type: { value: 'twitter' }, first: { value: false } },
      })
      expect(await ben.next('incoming_chat_thread')).toEqual({ chat })
      const shown = await found(ben, chat)
      expect(shown.properties).toEqual(chat.properties)
      expect(shown.threads[0].properties).toEqual(chat.thread.properties)
    })

    test('none are shown where all of them are null', async () => {
      const { ann } = await sameAnn()
      const properties = { a: { b: null }, c: {} }
      const { chat } = await ann.ok('start_chat', { chat: { properties, thread: { properties } } })
      expect(chat).not.toHaveProperty('properties')
      expect(chat.thread).not.toHaveProperty('properties')
    })

    test('routing is refused, and so are 8 KiB and a byte, in both places', async () => {
      const { license, ann } = await annAlone()
      const wrapped = JSON.stringify({ a: { b: { value: '' }, c: { value: '' } } }).length
      const sized = (bytes: number) => ({
        a: { b: 'x'.repeat(4096), c: 'x'.repeat(bytes - 4096 - wrapped) },
      })
      for (const place of ['chat', 'chat.thread']) {
        const under = (properties: object) =>
          place === 'chat' ? { chat: { properties } } : { chat: { thread: { properties } } }
        const at = `payload.${place}.properties`
        expect(await ann.refused('start_chat', under({ routing: { idle: false } }))).toEqual(
          invalid(`${at}.routing`),
        )
        expect(await ann.refused('start_chat', under(sized(8193)))).toEqual({
          ...invalid(),
          details: [{ path: at, message: 'At most 8192 bytes' }],
        })
        expect(await written(license)).toEqual([0, 0])
      }
      const properties = sized(8192)
      const { chat } = await ann.ok('start_chat', { chat: { properties, thread: { properties } } })
      expect(chat.properties.a.b.value).toBe(properties.a.b)
      expect(chat.thread.properties.a.c.value).toBe(properties.a.c)
    })
  })

  describe('scopes', () => {
    test('in the chat or its thread decide who gets it', async () => {
      const license = await world.license(
        {
          ann: {},
          named: {},
          grouped: { groups: [2] },
          owner: { permission: 'owner' },
          admin: { permission: 'administrator' },
          outsider: { groups: [1] },
        },
        { groups: ['Sales', 'Support'] },
      )
      const stranger = await (await world.license({ named: { permission: 'owner' } })).login('named')
      const clients = new Map<string, Client>()
      for (const id of ['ann', 'named', 'grouped', 'owner', 'admin', 'outsider'])
        clients.set(id, await license.login(id))
      const scopes = { groups: [2, '2'], agents: ['named', 'named'] }
      for (const payload of [{ chat: { scopes } }, { chat: { thread: { scopes } } }]) {
        const { chat } = await clients.get('ann')!.ok('start_chat', payload)
        expect(chat.scopes).toEqual({ groups: [2], agents: ['named'] })
        for (const id of ['ann', 'named', 'grouped', 'owner', 'admin']) {
          expect(await clients.get(id)!.next('incoming_chat_thread'), id).toEqual({ chat })
          await clients.get(id)!.receivesNothing()
        }
        await clients.get('outsider')!.receivesNothing()
        await stranger.receivesNothing()
        expect((await found(clients.get('grouped')!, chat)).scopes).toEqual(chat.scopes)
      }
    })

    test('that are empty in one place are those of the other', async () => {
      const { ann } = await sameAnn()
      const filled = { groups: [1], agents: ['ann'] }
      for (const empty of [{}, { groups: [] }, { agents: [] }, { groups: [], agents: [] }, { agents: null }])
        for (const chat of [
          { scopes: empty, thread: { scopes: filled } },
          { scopes: filled, thread: { scopes: empty } },
        ])
          expect((await ann.ok('start_chat', { chat })).chat.scopes, JSON.stringify(chat)).toEqual(filled)
      const other = { scopes: { agents: ['ann'] }, thread: { scopes: filled } }
      expect((await ann.ok('start_chat', { chat: other })).chat.scopes).toEqual({ agents: ['ann'] })
    })

    test('of groups alone, or agents alone, carry only these', async () => {
      const { ann } = await sameAnn()
      const start = async (scopes: object) => (await ann.ok('start_chat', { chat: { scopes } })).chat.scopes
      expect(await start({ groups: ['1'] })).toEqual({ groups: [1] })
      expect(await start({ agents: ['ann'], groups: [] })).toEqual({ agents: ['ann'] })
      expect(await start({ agents: [], groups: [] })).toBeUndefined()
      expect(await start({})).toBeUndefined()
    })

    test('that name an unknown group or agent are not found, and nothing is written', async () => {
      const { license, ann } = await annAlone({ groups: ['Sales'] })
      await license.addAgent('gone')
      await deleteAgent(world.table, license.id, 'gone')
      await (await world.license({ ben: {} })).addAgent('cleo')
      for (const scopes of [
        { groups: [1, 2] },
        { groups: [-1] },
        { groups: [0] },
        { groups: [1], agents: ['nobody'] },
        { agents: ['ann', 'gone'] },
        { agents: ['cleo'] },
        { agents: ['a#b'] },
      ]) {
        const payload = { initial_events: [message('a')], chat: { properties: { a: { b: 1 } }, scopes } }
        expect(await ann.refused('start_chat', payload), JSON.stringify(scopes)).toEqual(notFound)
      }
      await ann.receivesNothing()
      expect(await written(license)).toEqual([0, 0])
    })

    test('of groups are no condition of the transaction, for which other starts would wait', async () => {
      const license = await world.license({ ann: { groups: [1] } }, { groups: ['Sales', 'Support'] })
      const ann = await license.login('ann')
      const asked: { operation: string; text: string }[] = []
      let isDeleted = false
      world.proxy.setFault(async ({ operation, request }) => {
        asked.push({ operation, text: JSON.stringify(request) })
        if (operation !== 'TransactWriteItems' || isDeleted) return undefined
        isDeleted = true
        await deleteGroup(world.table, license.id, 2, { evenWithAgents: false })
        return undefined
      })
      const ofGroups = (wanted: string) =>
        asked.filter(({ operation, text }) => operation === wanted && text.includes('GROUP#'))
      try {
        // a group that is deleted meanwhile is named by the chat, and counts for nothing
        const { chat } = await ann.ok('start_chat', { chat: { scopes: { groups: [1, 2] } } })
        expect(chat.scopes).toEqual({ groups: [1, 2] })
        expect(isDeleted).toBe(true)
        expect(ofGroups('BatchGetItem')).toHaveLength(1)
        // of the requester's own groups nothing is read
        asked.splice(0)
        await ann.ok('start_chat', { chat: { scopes: { groups: [1] } } })
        expect(ofGroups('BatchGetItem')).toEqual([])
        expect(ofGroups('TransactWriteItems')).toEqual([])
      } finally {
        world.proxy.setFault(undefined)
      }
      expect(await ann.refused('start_chat', { chat: { scopes: { groups: [1, 2] } } })).toEqual(notFound)
    })

    test('of up to 100 groups and 100 agents are checked as well', async () => {
      const { license, ann } = await annAlone()
      const groups = Array.from({ length: 100 }, (_, i) => i + 1)
      await Promise.all(
        groups.map((id) => createGroup(world.table, { license_id: license.id, id, name: `${id}` })),
      )
      await license.addAgent('gone')
      await deleteAgent(world.table, license.id, 'gone')
      await license.addAgent('away')
      await changeAgent(world.table, license.id, 'away', { suspended: true })
      const start = (scopes: object) => ({
        initial_events: Array.from({ length: 20 }, (_, i) => message(`${i}`)),
        chat: { properties: { a: { b: 1 } }, scopes },
      })
      for (const scopes of [
        { groups: [...groups.slice(1), 101] },
        { groups, agents: ['nobody'] },
        { groups, agents: ['ann', 'gone'] },
        { groups, agents: ['away'] },
        { groups: [...groups.slice(0, 69), 101] },
        { groups: groups.slice(0, 69), agents: ['gone'] },
        { groups: groups.slice(0, 69), agents: ['away'] },
      ])
        expect(await ann.refused('start_chat', start(scopes))).toEqual(notFound)
      expect(await written(license)).toEqual([0, 0])
      for (const count of [69, 70, 100]) {
        const scopes = { groups: groups.slice(0, count), agents: ['ann'] }
        expect((await ann.ok('start_chat', start(scopes))).chat.scopes).toEqual(scopes)
      }
      const tooMany = { groups: [...groups, 101], agents: [...groups, 101].map(String) }
      expect(await ann.refused('start_chat', { chat: { scopes: tooMany } })).toEqual({
        ...invalid(),
        details: [
          { path: 'payload.chat.scopes.groups', message: 'At most 100 entries' },
          { path: 'payload.chat.scopes.agents', message: 'At most 100 entries' },
        ],
      })
    })

    test('of more than 70 entries are found although they were made a moment ago', async () => {
      const { license, ann } = await annAlone()
      const groups = Array.from({ length: 71 }, (_, i) => i + 1)
      await Promise.all(
        groups.map((id) => createGroup(world.table, { license_id: license.id, id, name: `${id}` })),
      )
      // what an eventually consistent read does not have yet
      world.proxy.setFault(({ operation, request }) => {
        const asked = Object.values(request.RequestItems ?? {})
        const behind = operation === 'BatchGetItem' && !asked.some((one: any) => one.ConsistentRead)
        return behind ? { status: 200, body: { Responses: {}, UnprocessedKeys: {} } } : undefined
      })
      try {
        const { chat } = await ann.ok('start_chat', { chat: { scopes: { groups } } })
        expect(chat.scopes).toEqual({ groups })
      } finally {
        world.proxy.setFault(undefined)
      }
    })
  })

  test('unknown fields are ignored at every level and never stored', async () => {
    const { ann } = await sameAnn()
    const { chat } = await ann.ok('start_chat', {
      routing_scope: 'license',
      active: true,
      chat: {
        ...{ id: 'mine', customers: [{ id: 'c', type: 'customer' }], license_id: 'other', version: 7 },
        scopes: { teams: [1] },
        thread: { id: 'mine_1', active: false, order: 12, user_ids: ['ben'], timestamp: 1, events: [] },
      },
    })
    expect(chat.id).not.toBe('mine')
    expect(chat).not.toHaveProperty('scopes')
    expect(chat.users.map(({ id }: any) => id)).toEqual(['ann'])
    expect(chat.thread).toMatchObject({ id: `${chat.id}_1`, active: true, order: 1, user_ids: ['ann'] })
    expect((await found(ann, chat)).threads).toEqual([chat.thread])
  })

  describe('token scopes', () => {
    test('a restricted token needs chats.meta--chat_scopes:write', async () => {
      const { license } = await annAlone()
      for (const scope of [
        'chats.meta--my:write',
        'chats.conversation--chat_scopes:write chats.conversation--my:write',
        'chats--all:read chats--chat_scopes:read chats--my:read',
        'chats.meta--all:write',
        'unknown:scope',
      ]) {
        const client = await license.login('ann', {}, { scope })
        expect(await client.refused('start_chat'), scope).toEqual(denied)
      }
      expect(await written(license)).toEqual([0, 0])
      for (const scope of [
        'chats.meta--chat_scopes:write',
        'api/chats.meta--chat_scopes:write',
        'openid email',
      ]) {
        const client = await license.login('ann', {}, { scope })
        expect((await client.ok('start_chat')).chat.users).toHaveLength(1)
      }
    })

    test('the push goes to those whose token may read it', async () => {
      const license = await world.license({ ann: {}, ben: {} })
      const login = (agent: string, scope: string) => license.login(agent, {}, { scope })
      const blind = await login('ann', 'chats.meta--chat_scopes:write')
      const mine = await login('ann', 'chats--my:read')
      const bensMine = await login('ben', 'chats--my:read')
      const bensScoped = await login('ben', 'chats--chat_scopes:read')
      const { chat } = await blind.ok('start_chat')
      await blind.receivesNothing()
      await bensMine.receivesNothing()
      expect(await mine.next('incoming_chat_thread')).toEqual({ chat })
      expect(await bensScoped.next('incoming_chat_thread')).toEqual({ chat })
    })
  })

  test('the largest chat that fits into a request is answered and pushed whole', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const events = [
      message('é'.repeat(8192)),
      ...Array.from({ length: 19 }, (_, i) => message(`${'x'.repeat(700)}${i}`)),
    ]
    const { chat } = await ann.ok('start_chat', { initial_events: events })
    expect(chat.thread.events.map(({ text }: any) => text)).toEqual(events.map((event: any) => event.text))
    expect(chat.thread).not.toHaveProperty('has_more')
    expect(await ben.next('incoming_chat_thread')).toEqual({ chat })
  })
})
