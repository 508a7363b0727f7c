import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { authorize } from '../../shared/access/permissions.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { eventId, threadId } from '../../shared/table/ids.ts'
import type { Client } from '../support/client.ts'
import { sharedWorld, type World } from '../support/world.ts'
import {
  deniedFor,
  type Holder,
  helps,
  holders,
  people,
  type Person,
  type Place,
  reaches,
  type Row,
  rows,
  strongest,
  tokenScopes,
  type TokenScopeRow,
  unscoped,
} from './matrix.ts'
import { type Scene, seenChat, setScene, viewerOf } from './scene.ts'

let world: World
let scene: Scene

/** What stands before a scope's name where a resource server lends it. */
const prefix = 'https://api.example/chat/'
const tokenOf = (scope: string) =>
  tokenScopes.findIndex((one) => one.scope === scope) % 2 === 1 ? prefix + scope : scope

beforeAll(async () => {
  world = await sharedWorld()
  scene = await setScene(world, ['member'])
})

/** Logs in for a test, and out with its end: each connection is one more to push to. */
const loggedIn = async (holder: Person, scope: string): Promise<Client> => {
  const client = await scene.license.login(holder, {}, { scope })
  onTestFinished(async () => {
    await client.close()
    await scene.timePasses()
  })
  return client
}

describe('what is shown of chats', () => {
  const cases: [TokenScopeRow, Holder][] = tokenScopes.flatMap((one): [TokenScopeRow, Holder][] =>
    (one.pushes === true ? holders : [strongest(one.scope)]).map((holder) => [one, holder]),
  )
  const clients = new Map<string, Client>()
  beforeAll(async () => {
    for (const [{ scope }, holder] of cases)
      clients.set(`${holder} ${scope}`, await scene.license.login(holder, {}, { scope: tokenOf(scope) }))
    // before there are any chats: else they might be pushed once more to one that has just logged in
    await scene.timePasses()
  })
  afterAll(async () => {
    await Promise.all([...clients.values()].map((client) => client.close()))
    await scene.timePasses()
  })

  // first, with few chats to list
  test('is in the lists of login and get_filtered_chats, by its scopes', async () => {
    const chats = { hidden: await scene.start('hidden'), open: await scene.start('open') }
    const idsOf = (shown: { id: string }[]) =>
      Object.values(chats).filter((chat) => shown.some(({ id }) => id === chat))
    for (const [one, holder] of cases) {
      const client = clients.get(`${holder} ${one.scope}`)!
      const what = `${holder} ${one.scope}`
      const due = (one.pushes === true ? (['hidden', 'open'] as const) : []).filter((kind) =>
        [reaches.access, reaches[one.reach]].every((reach) => reach[kind].includes(holder)),
      )
      const ids = due.map((kind) => chats[kind])
      const token = await scene.license.token(holder, { scope: one.scope })
      expect(idsOf((await client.ok('login', { token })).chats_summary), what).toEqual(ids)
      const mayList = one.pushes === true && (one.reach !== 'administration' || holder === 'administrator')
      const { success, payload }: any = await client.call('get_filtered_chats')
      expect(success, what).toBe(mayList)
      if (mayList) expect(idsOf(payload.chats_summary), what).toEqual(ids)
    }
    await scene.timePasses()
  })

  test('is every push about them, to tokens with a scope to read them', async () => {
    const chat_id = await scene.start('hidden')
    const { event_id, thread_id } = await scene.place('host', chat_id)
    for (const client of clients.values()) await client.received()
    const { host, member } = scene.clients
    const properties = { some: { thing: 1 } }
    const event = { type: 'message', text: 'hi' }
    // before it sends, by which it would have seen the chat up to a later second
    await host.ok('mark_event_as_seen', { chat_id, event_id })
    await host.ok('send_event', { chat_id, event })
    await host.ok('update_chat_properties', { chat_id, properties })
    await host.ok('update_chat_thread_properties', { chat_id, thread_id, properties })
    await host.ok('send_typing_indicator', { chat_id, is_typing: true })
    await host.ok('join_chat', { chat_id, agent_ids: ['guest-of-owner'] })
    await host.ok('update_chat_scopes', { chat_id, add_scopes: { agents: ['guest-of-owner'] } })
    await host.ok('close_thread', { chat_id })
    await member.ok('send_event', { chat_id, event })
    const about = [
      ...['event_marked_as_seen', 'last_seen_timestamp_updated', 'incoming_event'],
      ...['chat_properties_updated', 'chat_thread_properties_updated', 'incoming_typing_indicator'],
      ...['incoming_event', 'chat_users_updated', 'chat_scopes_updated'],
      ...['incoming_event', 'thread_closed', 'incoming_chat_thread'],
    ]
    for (const [one, holder] of cases) {
      const pushes = (await clients.get(`${holder} ${one.scope}`)!.received()).map(({ action }) => action)
      const hears =
        one.pushes === true &&
        [reaches.access, reaches[one.reach]].every(({ hidden }) => hidden.includes(holder))
      // typing is for those in the chat
      const due = holder === 'member' ? about : about.filter((name) => name !== 'incoming_typing_indicator')
      expect([holder, one.scope, pushes]).toEqual([holder, one.scope, hears ? due : []])
    }
  })
})

test('the table of scopes names rows of the matrix', () => {
  const names = rows.map(({ name }) => name)
  for (const { scope, grants } of tokenScopes) for (const name of grants) expect(names, scope).toContain(name)
})

describe.each(tokenScopes)('a token with $scope alone', (one) => {
  // the action itself looks at these, where it is more than a matter of access and token
  const judgedLater = [
    'send_event to all',
    'update_agent of another',
    "change_push_notifications of another's device",
  ]
  const lets = (row: Row, person: (typeof people)[number]): boolean => {
    const [id, thread] = ['chat', 1]
    const place: Place = {
      ...{ chat_id: id, thread_id: threadId(id, thread), event_id: eventId(id, thread, 1), me: person },
      ...{ visitor: 'visitor', guest: 'guest', customer: 'customer', bannedCustomer: 'banned' },
      otherStatus: { me: 'accepting_chats', host: 'accepting_chats' },
    }
    const session = {
      ...{ ...viewerOf(person), token_scopes: [one.scope], license_id: 'l', name: person },
      ...{ token_expires_at: 2_000_000_000, license_expires_at: 2_000_000_000 },
    }
    const spec = agentActions.find(({ name }) => name === row.action)!
    try {
      authorize(spec, session, row.on === 'chat' ? seenChat('hidden') : undefined, row.payload(place))
      return true
    } catch {
      return false
    }
  }

  test('is for its actions, as far as it reaches, and for no others', () => {
    for (const row of rows.filter(({ name }) => !judgedLater.includes(name)))
      for (const person of people)
        expect([row.name, person, lets(row, person)]).toEqual([row.name, person, helps(one, row, person)])
  })

  test('lets through what it is for', async () => {
    const holder = strongest(one.scope)
    const client = await loggedIn(holder, tokenOf(one.scope))
    const granted = rows.filter((row) => helps(one, row, holder) && !unscoped.includes(row.name))
    expect(granted.length).toBeGreaterThan(0)
    const chat = await scene.start('hidden', { guestsIn: true })
    for (const row of granted) await client.ok(row.action, row.payload(await scene.place(holder, chat)))
  })
})

describe('a token', () => {
  test('whose scopes are all unknown grants nothing, changes nothing and tells nothing', async () => {
    const unknown = 'chats--my:write chats:read customers:ban CHATS--MY:READ chats.meta--all:write x:y'
    const client = await loggedIn('member', unknown)
    const chat = await scene.start('hidden', { guestsIn: true })
    await scene.timePasses()
    await scene.forget()
    const stored = () => Promise.all([scene.storedOfChat(chat), scene.storedOfLicense()])
    const before = await stored()
    const place = await scene.place('member', chat)
    for (const row of rows.filter(({ name }) => !unscoped.includes(name)))
      expect(await client.refused(row.action, row.payload(place)), row.name).toEqual(deniedFor(row.action))
    expect(await stored()).toEqual(before)
    await scene.silence()
    for (const row of rows.filter(({ name }) => unscoped.includes(name)))
      await client.ok(row.action, row.payload(place))
  })

  test('none of whose scopes contains a colon is unrestricted', async () => {
    const client = await loggedIn('member', 'openid email chats--my.read')
    const chat_id = await scene.start('hidden')
    await client.ok('get_chat_threads', { chat_id })
    await client.ok('close_thread', { chat_id })
  })

  test('grants what its scopes grant together', async () => {
    const scopes = ['chats.conversation--my:write', 'unknown:scope', 'customers.ban:write']
    const client = await loggedIn('member', scopes.join(' '))
    const held = tokenScopes.filter(({ scope }) => scopes.includes(scope))
    expect(held).toHaveLength(2)
    const chat = await scene.start('hidden')
    const place = await scene.place('member', chat)
    for (const row of rows)
      if (['send_event', 'close_thread', 'ban_customer'].includes(row.action)) {
        const { success } = await client.call(row.action, row.payload(place))
        expect([row.name, success]).toEqual([row.name, held.some((one) => helps(one, row, 'member'))])
      }
  })
})
