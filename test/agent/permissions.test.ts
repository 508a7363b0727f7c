import { beforeAll, describe, expect, test } from 'vitest'
import { changeAgent, deleteAgent } from '../../shared/provisioning/change-agent.ts'
import { deleteGroup } from '../../shared/provisioning/change-group.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { chatPk } from '../../shared/table/keys.ts'
import { invalidToken, licenseExpired, notFound, notLoggedIn } from '../support/wire-errors.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { storedOfChat, tryTogether, whoMay } from './attempts.ts'
import { beforeLogin, deniedFor, endingSession, people, rows, sentences } from './matrix.ts'
import { type Scene, setScene } from './scene.ts'

let world: World
let scene: Scene
beforeAll(async () => {
  world = await sharedWorld()
  scene = await setScene(world)
})

/** Fails where anything of the chat or of the license is other than it was, or anyone is told of anything. */
const changingNothing = async (chat: string, attempts: () => Promise<void>): Promise<void> => {
  const stored = () => Promise.all([storedOfChat(world, scene, chat), scene.storedOfLicense()])
  await scene.forget()
  const before = await stored()
  await attempts()
  expect(await stored()).toEqual(before)
  await scene.silence()
}

describe('protocol §4', () => {
  test('is a row of the matrix for every action', () => {
    const listed = new Set([...beforeLogin, ...endingSession, ...rows.map(({ action }) => action)])
    expect([...listed].toSorted()).toEqual(agentActions.map(({ name }) => name).toSorted())
    expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
  })

  test.each(rows.map((row) => ({ row, name: row.name, who: whoMay(row, 'hidden') })))(
    '$name, in a chat with scopes or its license: $who',
    ({ row }) => tryTogether(world, scene, row),
  )

  test('refuses everyone else, each with the sentence of the action, which changes and tells nothing', async () => {
    const chat = await scene.start('hidden', { guestsIn: true })
    await changingNothing(chat, async () => {
      const place = await scene.place('host', chat)
      for (const row of rows)
        for (const person of people.filter((one) => !row.may.hidden.includes(one)))
          expect(
            await scene.clients[person].refused(row.action, row.payload(scene.placeAs(person, place))),
            `${row.name} by ${person}`,
          ).toEqual(deniedFor(row.action))
    })
  })

  test('knows nothing of another license, not even its owner', async () => {
    const { stranger } = scene.clients
    const chat = await scene.start('open')
    await changingNothing(chat, async () => {
      const place = scene.placeAs('stranger', await scene.place('host', chat))
      for (const row of rows)
        if (row.stranger !== 'own')
          expect(await stranger.refused(row.action, row.payload(place)), row.name).toEqual(
            row.stranger === 'denied' ? deniedFor(row.action) : notFound,
          )
        else {
          // it works on that license alone
          await stranger.ok(row.action, row.payload(place))
          await scene.heard(stranger)
        }
    })
  })

  test('tells one without access so before what else the request names is looked for', async () => {
    const chat_id = await scene.start('hidden')
    await changingNothing(chat_id, async () => {
      const properties = { a: { x: 1 } }
      for (const [action, payload] of [
        ['join_chat', { agent_ids: ['nosuch'] }],
        ['supervise_chat', { agent_ids: ['nosuch'] }],
        ['remove_from_chat', { customer_ids: ['nosuch'] }],
        ['update_chat_scopes', { add_scopes: { groups: [99] } }],
        ['get_chat_threads', { thread_ids: [`${chat_id}_9`] }],
        ['close_thread', { thread_id: `${chat_id}_9` }],
        ['mark_event_as_seen', { event_id: `${chat_id}_1_99` }],
        ['mark_event_as_seen', { event_id: 'nosuch' }],
        ['update_chat_thread_properties', { thread_id: `${chat_id}_9`, properties }],
      ] as const)
        for (const person of ['outsider', 'former'] as const)
          expect(await scene.clients[person].refused(action, { chat_id, ...payload }), action).toEqual(
            deniedFor(action),
          )
    })
  })

  test('finds no chat under what is like an id of one', async () => {
    const chat = await scene.start('open')
    await changingNothing(chat, async () => {
      const place = await scene.place('owner', chat)
      const ids = [
        ...[place.thread_id, chat.toUpperCase(), `${chat} `, `${chat}#`, `${chat}\n`, 'nosuch', '../x'],
        ...['LICENSE#x', 'CHAT', 'LOG', '#', '__proto__', 'constructor', 'x'.repeat(128)],
      ]
      const named = rows.filter(({ on, payload }) => on === 'chat' && 'chat_id' in payload(place))
      for (const [index, row] of named.entries())
        // each action with some of them, and one with all
        for (const chat_id of index === 0 ? ids : [ids[index % ids.length], 'nosuch'])
          expect(
            await scene.clients.owner.refused(row.action, { ...row.payload(place), chat_id }),
            `${row.name} of ${chat_id}`,
          ).toEqual(notFound)
      expect(await world.table.read.query({ pk: chatPk('nosuch'), strong: true })).toEqual([])
    })
  })

  test('takes agents and groups that are not there for absent: unknown, suspended, deleted, of another license', async () => {
    const { license, clients } = scene
    for (const id of ['suspended', 'deleted']) await license.addAgent(id)
    await changeAgent(world.table, license.id, 'suspended', { suspended: true })
    await deleteAgent(world.table, license.id, 'deleted')
    await deleteGroup(world.table, license.id, 2, { evenWithAgents: true })
    await scene.timePasses()
    const chat_id = await scene.start('hidden')
    await changingNothing(chat_id, async () => {
      const agents = ['nosuch', 'suspended', 'deleted', 'stranger', 'owner#']
      const scopes = [
        ...agents.map((id) => ({ agents: ['owner', id] })),
        ...[2, 3, '-1'].map((group) => ({ groups: [1, group] })),
        { groups: [1], agents: ['nosuch'] },
      ]
      const requests: [string, object][] = [
        ...['join_chat', 'supervise_chat'].flatMap((action) =>
          [['nosuch'], ...agents.map((id) => ['guest-of-owner', id])].map((agent_ids): [string, object] => [
            action,
            { chat_id, agent_ids },
          ]),
        ),
        ...scopes.flatMap((some): [string, object][] => [
          ['start_chat', { chat: { scopes: some }, initial_events: [{ type: 'message', text: 'hi' }] }],
          ['send_broadcast', { content: {}, scopes: some }],
          ['update_chat_scopes', { chat_id, add_scopes: some }],
          ['update_chat_scopes', { chat_id, remove_scopes: some }],
        ]),
        ['update_chat_scopes', { chat_id, add_scopes: scopes[0], remove_scopes: scopes[0] }],
        // a suspended one has a status too
        ...['nosuch', 'deleted', 'stranger', 'owner#'].map((agent_id): [string, object] => [
          'update_agent',
          { agent_id, routing_status: 'not_accepting_chats' },
        ]),
      ]
      for (const [action, payload] of requests)
        expect(await clients.owner.refused(action, payload), `${action} ${JSON.stringify(payload)}`).toEqual(
          notFound,
        )
      // users who are not in the chat are passed over
      await clients.owner.ok('remove_from_chat', { chat_id, agent_ids: agents })
    })
  })

  test('lets nobody do anything but log in and ping before a login, whatever the payload', async () => {
    const chat = await scene.start('open')
    await changingNothing(chat, async () => {
      const place = await scene.place('owner', chat)
      const client = await world.open()
      await client.ok('ping')
      for (const row of rows)
        for (const payload of [row.payload(place), { chat_id: 5 }])
          expect(await client.refused(row.action, payload), row.name).toEqual(notLoggedIn)
      await client.receivesNothing()
      await client.close()
    })
  })
})

describe('the sentences of the source', () => {
  test('are those of the contracts, no more and no less', () => {
    const ofContracts = agentActions.flatMap(({ name, denied }) =>
      denied === undefined ? [] : [[name, denied]],
    )
    expect(ofContracts.toSorted()).toEqual(Object.entries(sentences).toSorted())
  })

  test('login: "Invalid access token", "License expired"', async () => {
    const client = await world.open()
    const past = { expiresInS: -3600 }
    expect(await client.refused('login', { token: 'no token' })).toEqual(invalidToken)
    const ended = await scene.license.token('owner', past)
    expect(await client.refused('login', { token: ended })).toEqual(invalidToken)
    const expired = await world.license({ ann: {} }, { expiresAt: Math.floor(Date.now() / 1000) - 60 })
    expect(await client.refused('login', { token: await expired.token('ann') })).toEqual(licenseExpired)
  })
})
