import { beforeAll, describe, expect, test } from 'vitest'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { startWorld, type World } from '../support/world.ts'
import {
  beforeLogin,
  type Kind,
  loginSentences,
  people,
  type Person,
  reaches,
  refusals,
  type Row,
  rows,
  sentences,
} from './matrix.ts'
import { type Scene, setScene } from './scene.ts'

let world: World
let scene: Scene
beforeAll(async () => {
  world = await startWorld({ index: true })
  scene = await setScene(world)
})

/** All that is stored of a chat; what the index keeps there follows by itself, and is waited for. */
const storedOfChat = async (chat: string) => {
  await world.settled()
  return scene.storedOfChat(chat)
}

const attempt = async (row: Row, person: Person | 'stranger', chat: string) =>
  [row.action, row.payload(await scene.place(person, chat))] as const

/** In which chats a row is tried, and by whom: by all where it matters, else by those for whom it differs. */
const variantsOf = (row: Row): { kind: Kind; closed: boolean; where: string; by: readonly Person[] }[] =>
  row.on === 'license'
    ? [{ kind: 'hidden', closed: false, where: 'in the licence', by: people }]
    : [
        { kind: 'hidden', closed: false, where: 'in a chat with scopes', by: people },
        {
          ...{ kind: 'hidden', closed: true, where: 'in one whose thread is closed' },
          by: ['administrator', 'member', 'supervisor', 'outsider'],
        },
        {
          ...{ kind: 'open', closed: false, where: 'in a chat without scopes' },
          by: ['member', 'outsider', 'former'],
        },
      ]
const variants = rows.flatMap((row) =>
  variantsOf(row).map((variant) => {
    const allowed = variant.by.filter((person) => row.may[variant.kind].includes(person))
    const refused = variant.by.filter((person) => !allowed.includes(person))
    const who = allowed.length === 0 ? 'nobody' : refused.length === 0 ? 'everyone' : allowed.join(', ')
    return { ...variant, row, allowed, refused, name: row.name, who }
  }),
)

describe('protocol §4', () => {
  test('is a row of the matrix for every action', () => {
    const listed = new Set([...beforeLogin, ...rows.map(({ action }) => action)])
    expect([...listed].toSorted()).toEqual(agentActions.map(({ name }) => name).toSorted())
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
  })

  test('lists of chats show whom a chat is shown to, and nobody else', async () => {
    const hidden = await scene.start('hidden')
    const closed = await scene.start('hidden', { closed: true })
    const open = await scene.start('open')
    const idsOf = (chats: { id: string }[]) => chats.map(({ id }) => id)
    const ours = [hidden, closed, open]
    await world.settled()
    const shownOf = (ids: string[]) => ours.filter((id) => ids.includes(id))
    for (const person of [...people, 'stranger'] as const) {
      const client = scene.clients[person]
      const license = person === 'stranger' ? scene.strangers : scene.license
      const all =
        person === 'stranger' ? [] : reaches.access.hidden.includes(person) ? [hidden, closed, open] : [open]
      const filtered = await client.ok('get_filtered_chats', { filters: { include_active: true } })
      expect(shownOf(idsOf(filtered.chats_summary)), person).toEqual(all)
      const archives = await client.ok('get_archives', { filters: { query: 'hello' } })
      const archived = archives.chats.map(({ chat }: { chat: { id: string } }) => chat)
      expect(shownOf(idsOf(archived)), person).toEqual(all)
      const { chats_summary } = await client.ok('login', { token: await license.token(person) })
      expect(shownOf(idsOf(chats_summary)), person).toEqual(all.filter((id) => id !== closed))
    }
    // what these logins look for a moment later is not for other tests to hear
    await scene.timePasses()
  })

  test.each(variants)('$name, $where: $who', async ({ row, kind, closed, allowed, refused }) => {
    const { clients, heard, silence } = scene
    const chat = await scene.start(kind, { closed, guestsIn: row.guestsIn === true })
    const all = () => Promise.all([storedOfChat(chat), scene.storedOfLicense()])
    const mine = row.on === 'chat' ? () => storedOfChat(chat) : scene.storedOfLicense
    await scene.forget()

    const before = await all()
    for (const person of refused)
      expect(await clients[person].refused(...(await attempt(row, person, chat))), person).toEqual(
        refusals.denied(row.action),
      )
    if (row.stranger !== 'own')
      expect(await clients.stranger.refused(...(await attempt(row, 'stranger', chat)))).toEqual(
        row.stranger === 'denied' ? refusals.denied(row.action) : refusals.notFound,
      )
    else {
      // it works on that licence alone
      await clients.stranger.ok(...(await attempt(row, 'stranger', chat)))
      await heard(clients.stranger)
    }
    // a refused request changes nothing, and nobody hears of it
    expect(await all()).toEqual(before)
    await silence()

    const effects = closed ? (row.effects.closed ?? row.effects.active) : row.effects.active
    let stored = allowed.length === 0 ? undefined : await mine()
    for (const person of allowed) {
      if (row.on === 'chat' && (await scene.restore(chat, { closed }))) stored = await mine()
      await scene.forget()
      const request = await attempt(row, person, chat)
      const changes = effects !== 'chat_inactive' && row.unchanged?.includes(person) !== true
      if (effects === 'chat_inactive')
        expect(await clients[person].refused(...request), person).toEqual(refusals.chatInactive)
      else await clients[person].ok(...request)

      expect(await heard(clients.host), person).toEqual(changes ? effects : [])
      expect(await heard(clients.stranger)).toEqual([])
      if (!changes) await silence()
      const then = await mine()
      if (changes && row.writes) expect(then, person).not.toEqual(stored)
      else expect(then, person).toEqual(stored)
      stored = then
    }
  })

  test('agents and groups of another licence are as absent as ones that never were', async () => {
    const chat_id = await scene.start('hidden')
    await scene.forget()
    const stored = () => Promise.all([storedOfChat(chat_id), scene.storedOfLicense()])
    const before = await stored()
    const { owner } = scene.clients
    for (const [action, payload] of [
      ['join_chat', { chat_id, agent_ids: ['stranger'] }],
      ['join_chat', { chat_id, agent_ids: ['owner', 'stranger'] }],
      ['supervise_chat', { chat_id, agent_ids: ['stranger'] }],
      ['update_chat_scopes', { chat_id, add_scopes: { agents: ['stranger'] } }],
      ['update_chat_scopes', { chat_id, add_scopes: { groups: [3] } }],
      ['update_chat_scopes', { chat_id, remove_scopes: { agents: ['stranger'] } }],
      ['start_chat', { chat: { scopes: { agents: ['stranger'] } } }],
      ['start_chat', { chat: { scopes: { groups: [3] } } }],
      ['send_broadcast', { content: {}, scopes: { agents: ['stranger'] } }],
      ['send_broadcast', { content: {}, scopes: { groups: [3] } }],
      ['update_agent', { agent_id: 'stranger', routing_status: 'not_accepting_chats' }],
    ] as const)
      expect(await owner.refused(action, payload), `${action} ${JSON.stringify(payload)}`).toEqual(
        refusals.notFound,
      )
    // users who are not in the chat are passed over
    await owner.ok('remove_from_chat', { chat_id, agent_ids: ['stranger'] })
    expect(await stored()).toEqual(before)
    await scene.silence()
  })

  test('any action but login and ping is refused before login', async () => {
    const chat = await scene.start('open')
    await scene.forget()
    const stored = () => Promise.all([storedOfChat(chat), scene.storedOfLicense()])
    const before = await stored()
    const client = await world.open()
    await client.ok('ping')
    for (const row of rows)
      expect(await client.refused(...(await attempt(row, 'owner', chat))), row.name).toEqual(
        refusals.notLoggedIn,
      )
    expect(await client.received()).toEqual([])
    expect(await stored()).toEqual(before)

    await client.ok('login', { token: await scene.license.token('owner') })
    await client.ok('ping')
    await client.ok('get_chat_threads', { chat_id: chat })
    await scene.silence()
    await client.close()
    await scene.timePasses()
  })
})

describe('the sentences of the source', () => {
  test('are those of the contracts, no more and no less', () => {
    const ofContracts = agentActions.flatMap(({ name, denied }) =>
      denied === undefined ? [] : [[name, denied]],
    )
    expect(ofContracts.toSorted()).toEqual(Object.entries(sentences).toSorted())
  })

  test.each(Object.entries(sentences))('%s: "%s"', async (action, sentence) => {
    const chat = await scene.start('hidden')
    const ofAction = rows.filter((row) => row.action === action)
    expect(ofAction.length).toBeGreaterThan(0)
    // by who may not, or else by a token whose scopes are for something else
    const byPerson = ofAction.find((row) => !row.may.hidden.includes('outsider'))
    const row = byPerson ?? ofAction[0]!
    const client =
      byPerson === undefined
        ? await scene.license.login('outsider', {}, { scope: 'chats--my:read' })
        : scene.clients.outsider
    expect(await client.refused(...(await attempt(row, 'outsider', chat)))).toEqual({
      type: 'authorization',
      code: 403,
      message: sentence,
    })
  })

  test('login: "Invalid access token", "License expired"', async () => {
    const client = await world.open()
    const auth = { type: 'auth', code: 401, message: loginSentences.auth }
    const past = { expiresInS: -3600 }
    expect(await client.refused('login', { token: 'no token' })).toEqual(auth)
    expect(await client.refused('login', { token: await scene.license.token('owner', past) })).toEqual(auth)
    const expired = await world.license({ ann: {} }, { expiresAt: Math.floor(Date.now() / 1000) - 60 })
    expect(await client.refused('login', { token: await expired.token('ann') })).toEqual({
      type: 'license_expired',
      code: 402,
      message: loginSentences.license_expired,
    })
  })
})
