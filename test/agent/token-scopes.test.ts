import { beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/client.ts'
import { startWorld, type World } from '../support/world.ts'
import { reaches, refusals, type Row, rows, tokenScopes, type TokenScopeRow, unscoped } from './matrix.ts'
import { type Scene, setScene } from './scene.ts'

let world: World
let scene: Scene

/** Those by whom the reach of a scope is told: by permission, in the chat, by the chat's scopes, and without access. */
const holders = ['administrator', 'member', 'named', 'outsider'] as const
type Holder = (typeof holders)[number]

/** What stands before a scope's name where a resource server lends it. */
const prefix = 'https://api.example/chat/'
/** Tokens that no single row of the table is about. */
const otherTokens = {
  unknown:
    'chats--my:write chats:read customers:ban CHATS--MY:READ chats.meta--all:write chats--my:read/ x:y',
  unrestricted: 'openid email chats--my.read',
  together: 'chats.conversation--my:write unknown:scope customers.ban:write',
}
const logins = new Map<string, Client>()
const loggedIn = (holder: Holder, scope: string): Client => {
  const client = logins.get(`${holder} ${scope}`)
  if (client === undefined) throw new Error(`${holder} has not logged in with ${scope}`)
  return client
}

beforeAll(async () => {
  world = await startWorld({ index: true })
  scene = await setScene(world)
  const held = tokenScopes.flatMap(({ scope }) => [
    ...holders.map((holder) => [holder, scope] as const),
    [strongest(scope), prefix + scope] as const,
  ])
  const others = Object.values(otherTokens).map((scope) => ['member', scope] as const)
  await Promise.all(
    [...held, ...others].map(async ([holder, scope]) =>
      logins.set(`${holder} ${scope}`, await scene.license.login(holder, {}, { scope })),
    ),
  )
  // before there are any chats: else they might be pushed once more to who has just logged in
  await scene.timePasses()
})

/** In whose hands a scope helps most: all but those for administrators do where one is in the chat. */
const strongest = (scope: string): Holder => (scope.includes('--all:') ? 'administrator' : 'member')

/** Whether this one may do it, in a chat with scopes, by what it is itself; and then whether the scope helps it. */
const helps = (one: TokenScopeRow, row: Row, holder: Holder): boolean => {
  if (!row.may.hidden.includes(holder)) return false
  if (unscoped.includes(row.name)) return true
  if (!one.grants.includes(row.name)) return false
  // `--chat_scopes` and `--my` are about a chat; what names none is narrowed by administration alone
  const isNarrowed = row.on === 'chat' || one.reach === 'administration'
  return !isNarrowed || reaches[one.reach].hidden.includes(holder)
}

const named = (names: readonly string[]) => rows.filter(({ name }) => names.includes(name))

/** Fails unless this connection may do just what `may` says of each row: the refused ones change and tell nothing. */
const expectToMay = async (
  holder: Holder,
  client: Client,
  may: (row: Row) => boolean,
  which: readonly Row[] = rows,
): Promise<void> => {
  const chat = await scene.start('hidden', { guestsIn: which.some(({ guestsIn }) => guestsIn) })
  await scene.forget()
  const aboutLicense = which.some(({ on }) => on === 'license')
  const stored = async () => {
    // what the index keeps of the chat follows by itself
    await world.settled()
    return Promise.all([scene.storedOfChat(chat), ...(aboutLicense ? [scene.storedOfLicense()] : [])])
  }
  const before = await stored()
  const there = await scene.place(holder, chat)
  for (const row of which.filter((one) => !may(one)))
    expect(await client.refused(row.action, row.payload(there)), row.name).toEqual(
      refusals.denied(row.action),
    )
  expect(await stored()).toEqual(before)
  await scene.silence()
  for (const row of which.filter(may)) {
    const { success, payload } = await client.call(row.action, row.payload(await scene.place(holder, chat)))
    expect({ success, payload }, row.name).toMatchObject({ success: true })
  }
}

test('the table of scopes names rows of the matrix', () => {
  const names = rows.map(({ name }) => name)
  for (const { scope, grants } of tokenScopes) for (const name of grants) expect(names, scope).toContain(name)
})

describe('what is shown of chats', () => {
  const shows = (one: TokenScopeRow, holder: Holder) =>
    one.pushes === true &&
    reaches.access.hidden.includes(holder) &&
    reaches[one.reach].hidden.includes(holder)

  // first, with few chats to list
  test('is in lists of chats, of login, of get_filtered_chats and of get_archives, by the same scopes', async () => {
    const hidden = await scene.start('hidden')
    const open = await scene.start('open')
    await world.settled()
    for (const one of tokenScopes)
      for (const holder of holders) {
        const client = loggedIn(holder, one.scope)
        const what = `${holder} ${one.scope}`
        const inOpen = one.pushes === true && reaches[one.reach].open.includes(holder)
        const due = [...(shows(one, holder) ? [hidden] : []), ...(inOpen ? [open] : [])]
        const idsOf = (chats: { id: string }[]) =>
          [hidden, open].filter((chat) => chats.some(({ id }) => id === chat))
        const token = await scene.license.token(holder, { scope: one.scope })
        const { chats_summary } = await client.ok('login', { token })
        expect(idsOf(chats_summary), what).toEqual(due)
        const mayList = one.pushes === true && (one.reach !== 'administration' || holder === 'administrator')
        const [filtered, archives] = [
          await client.call('get_filtered_chats'),
          await client.call('get_archives', { filters: { query: 'hello' } }),
        ]
        expect([filtered.success, archives.success], what).toEqual([mayList, mayList])
        if (!mayList) continue
        expect(idsOf((filtered.payload as { chats_summary: { id: string }[] }).chats_summary), what).toEqual(
          due,
        )
        const { chats } = archives.payload as { chats: { chat: { id: string } }[] }
        expect(idsOf(chats.map(({ chat }) => chat)), what).toEqual(due)
      }
    // what these logins look for a moment later is not for other tests to hear
    await scene.timePasses()
  })

  test('is pushed to whose token has a scope to read them, and to no other', async () => {
    const { clients, start, place } = scene
    const chat_id = await start('hidden')
    for (const client of logins.values()) await client.received()
    const { event_id, thread_id } = await place('host', chat_id)
    const { host, member } = clients
    const properties = { some: { thing: 1 } }
    const event = { type: 'message', text: 'hi' }
    // every push about chats
    await host.ok('send_event', { chat_id, event })
    await host.ok('mark_event_as_seen', { chat_id, event_id })
    await host.ok('update_chat_properties', { chat_id, properties })
    await host.ok('update_chat_thread_properties', { chat_id, thread_id, properties })
    await host.ok('send_typing_indicator', { chat_id, is_typing: true })
    await host.ok('join_chat', { chat_id, agent_ids: ['guest-of-owner'] })
    await host.ok('update_chat_scopes', { chat_id, add_scopes: { agents: ['guest-of-owner'] } })
    await host.ok('close_thread', { chat_id })
    await member.ok('send_event', { chat_id, event })
    const about = [
      ...['incoming_event', 'event_marked_as_seen', 'last_seen_timestamp_updated'],
      ...['chat_properties_updated', 'chat_thread_properties_updated', 'incoming_typing_indicator'],
      ...['incoming_event', 'chat_users_updated', 'chat_scopes_updated'],
      ...['incoming_event', 'thread_closed', 'incoming_chat_thread'],
    ]
    for (const one of tokenScopes)
      for (const holder of holders) {
        const pushes = await loggedIn(holder, one.scope).received()
        // typing is for those in the chat
        const due = holder === 'member' ? about : about.filter((name) => name !== 'incoming_typing_indicator')
        expect(
          pushes.map(({ action }) => action),
          `${holder} ${one.scope}`,
        ).toEqual(shows(one, holder) ? due : [])
      }
  })
})

describe.each(tokenScopes)('a token with $scope alone', (one) => {
  test.each(holders)('in the hands of %s lets through what it is for', async (holder) => {
    // what it is not for is tried in the hands that it helps most
    const all = holder === strongest(one.scope)
    await expectToMay(
      holder,
      loggedIn(holder, one.scope),
      (row) => helps(one, row, holder),
      all ? rows : named(one.grants),
    )
  })

  test('counts with the prefix of a resource server too', async () => {
    const holder = strongest(one.scope)
    const granted = named(one.grants)
    expect(granted.some((row) => helps(one, row, holder))).toBe(true)
    await expectToMay(holder, loggedIn(holder, prefix + one.scope), (row) => helps(one, row, holder), [
      ...granted,
      ...named(['send_broadcast', 'ban_customer']).filter((row) => !granted.includes(row)),
    ])
  })
})

describe('a token', () => {
  test('whose scopes are all unknown grants nothing, as soon as one contains a colon', async () => {
    await expectToMay('member', loggedIn('member', otherTokens.unknown), ({ name }) =>
      unscoped.includes(name),
    )
  })

  test('none of whose scopes contains a colon is unrestricted', async () => {
    await expectToMay('member', loggedIn('member', otherTokens.unrestricted), (row) =>
      row.may.hidden.includes('member'),
    )
  })

  test('grants what its scopes grant together', async () => {
    const held = tokenScopes.filter(({ scope }) => otherTokens.together.split(' ').includes(scope))
    expect(held).toHaveLength(2)
    await expectToMay('member', loggedIn('member', otherTokens.together), (row) =>
      held.some((one) => helps(one, row, 'member')),
    )
  })
})
