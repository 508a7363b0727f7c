import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { pushKindOf } from '../../shared/protocol/push-kinds.ts'
import { customerPushes } from '../../shared/protocol/customer-pushes.ts'
import { type PushName, pushes } from '../../shared/protocol/pushes.ts'
import type { Client } from '../support/client.ts'
import { sharedWorld, type World } from '../support/world.ts'
import {
  type Cause,
  causes,
  causedByCustomers,
  listedPushes,
  people,
  pushesWithoutAction,
  type Receiver,
  tokenOnlyFor,
} from './matrix.ts'
import { type Scene, setScene } from './scene.ts'

/** What a connection's login asks to hear. */
interface Mode {
  name: string
  login: { chats?: 'my'; pushes?: readonly PushName[] }
  /** Of those whom a push is for, whether one with such a connection hears it. */
  hears: (push: string, isIn: boolean) => boolean
}
const some: readonly PushName[] = ['incoming_chat_thread', 'incoming_event', 'agent_updated']
const everything: Mode = { name: 'everything', login: {}, hears: () => true }
const modes: readonly Mode[] = [
  {
    name: 'what is said in its own chats',
    login: { chats: 'my' },
    hears: (push, isIn) => isIn || pushKindOf(push) !== 'content',
  },
  { name: 'some pushes', login: { pushes: some }, hears: (push) => some.some((one) => one === push) },
  {
    name: 'some pushes, and what is said in its own chats',
    login: { chats: 'my', pushes: some },
    hears: (push, isIn) => some.some((one) => one === push) && (isIn || push !== 'incoming_event'),
  },
]

let world: World
let scene: Scene
type Connections = [of: Receiver | 'stranger', client: Client][]
/** Every connection, with whose it is, of the mode that is looked at; of `host` there are two. */
let connections: Connections
let usual: { scene: Scene; connections: Connections }
let mode = everything
beforeAll(async () => {
  world = await sharedWorld()
  scene = await setScene(world)
  const { license, clients } = scene
  connections = [
    ...(['host', ...people, 'stranger'] as const).map((one): [typeof one, Client] => [one, clients[one]]),
    ['host', await license.login('host')],
    ['blind', await license.login('owner', {}, { scope: tokenOnlyFor.writing })],
  ]
  await scene.timePasses()
})

/** The agents who are in the chat of a cause, before or after it. */
const inChatOf = ({ action, told }: Cause): readonly Receiver[] => [
  ...(['host', 'member', 'supervisor'] as const),
  ...(action === 'join_chat' || action === 'supervise_chat'
    ? told.flatMap(({ push, to }) => (push === 'incoming_chat_thread' ? to : []))
    : []),
]

const forget = () => Promise.all(connections.map(([, client]) => scene.told(client)))

/** Fails unless each connection was told just what is its own, in this order. */
const expectTold = async (
  told: readonly { push: string; to: readonly Receiver[]; payload: object }[],
  inChat: readonly Receiver[] = [],
): Promise<void> => {
  const seen = new Map<string, unknown>()
  for (const [of, client] of connections) {
    const isIn = inChat.some((one) => one === of)
    const due = told.filter(({ push, to }) => to.some((one) => one === of) && mode.hears(push, isIn))
    const got = await scene.told(client)
    expect(
      got.map(({ action }) => action),
      of,
    ).toEqual(due.map(({ push }) => push))
    for (const [index, { push, payload }] of due.entries()) {
      expect(got[index]?.payload, `${push} to ${of}`).toMatchObject(payload)
      // everyone is told the same
      if (!seen.has(push)) seen.set(push, got[index]?.payload)
      expect(got[index]?.payload, `${push} to ${of}`).toEqual(seen.get(push))
    }
  }
}

const named = (cause: Cause) => ({
  cause,
  name: cause.name,
  tells: cause.told.map(({ push }) => push).join(', '),
})

/** Fails unless what an action causes is told to those whom it is for, and to nobody else. */
const expectCaused = async (cause: Cause): Promise<void> => {
  const { start, place, clients } = scene
  const customer =
    cause.customers === true ? (await place(cause.by, await start('open'))).customer : undefined
  const chat = await start('hidden', { closed: cause.closed === true, customer })
  await forget()
  const before = await place(cause.by, chat)
  await clients[cause.by].ok(cause.action, cause.payload(before))
  await expectTold(
    cause.told.map(({ push, to, payload }) => ({ push, to, payload: payload(before) })),
    inChatOf(cause),
  )
  if (cause.thereafter === undefined) return
  const text = 'and now?'
  await clients.host.ok('send_event', { chat_id: chat, event: { type: 'message', text } })
  const payload = { chat_id: chat, event: { text, author_id: 'host' } }
  await expectTold([{ push: 'incoming_event', to: cause.thereafter, payload }], inChatOf(cause))
}

describe('protocol §6', () => {
  test('is in the matrix with every push, and the contracts know no other', () => {
    const caused = causes.flatMap(({ told }) => told.map(({ push }) => push))
    const ofAgents = [...new Set([...caused, ...pushesWithoutAction, ...causedByCustomers])]
    const all = [...new Set([...ofAgents, ...Object.keys(customerPushes)])]
    expect(all.toSorted()).toEqual(listedPushes.toSorted())
    expect(Object.keys(pushes).toSorted()).toEqual(ofAgents.toSorted())
  })

  test.each(causes.map(named))('$name: $tells', ({ cause }) => expectCaused(cause))

  describe.each(modes)('to connections that hear $name', (hearing) => {
    beforeAll(async () => {
      usual = { scene, connections }
      // a customer is banned once
      scene = await setScene(world)
      mode = hearing
      connections = await Promise.all(
        (['host', ...people] as const).map(async (one): Promise<Connections[number]> => {
          return [one, await scene.license.login(one, hearing.login)]
        }),
      )
      await scene.timePasses()
    })
    afterAll(async () => {
      mode = everything
      ;({ scene, connections } = usual)
    })
    test.each(causes.map(named))('$name: $tells', { tags: ['full'] }, ({ cause }) => expectCaused(cause))
  })

  test('agent_updated: every agent of the license hears of one that comes and that goes', async () => {
    const everyone: Receiver[] = ['host', ...people, 'blind']
    const updated = (routing_status: string) => [
      { push: 'agent_updated', to: everyone, payload: { agent_id: 'late', routing_status } },
    ]
    await scene.license.addAgent('late', { default_status: 'not_accepting_chats' })
    await scene.timePasses()
    await forget()
    const late = await scene.license.login('late')
    expect((await scene.told(late)).map(({ payload }) => payload)).toEqual([
      { agent_id: 'late', routing_status: 'not_accepting_chats' },
    ])
    await expectTold(updated('not_accepting_chats'))
    await late.close()
    await scene.timePasses()
    await expectTold(updated('offline'))
  })

  test('agent_disconnected: a connection that never logged in, which is then closed', async () => {
    await forget()
    const client = await world.open()
    await scene.timePasses()
    await client.closing()
    const reason = 'agent_disconnected_by_server'
    expect(client.pushes).toEqual([{ action: 'agent_disconnected', payload: { reason } }])
    await expectTold([])
  })

  test("agent_disconnected: a suspended agent's connections, which are then closed, and no other", async () => {
    await scene.license.addAgent('gone')
    await scene.timePasses()
    const gone = [await scene.license.login('gone'), await scene.license.login('gone')]
    await forget()
    for (const client of gone) await scene.told(client)
    await changeAgent(world.table, scene.license.id, 'gone', { suspended: true })
    for (const client of gone) {
      await client.closing()
      const reasons = client.pushes.map(({ action, payload }) => [action, payload])
      expect(reasons).toEqual([['agent_disconnected', { reason: 'access_token_revoked' }]])
    }
    await scene.timePasses()
    const to: Receiver[] = ['host', ...people, 'blind']
    await expectTold([
      { push: 'agent_suspended', to, payload: { agent_id: 'gone', name: 'gone' } },
      { push: 'agent_updated', to, payload: { agent_id: 'gone', routing_status: 'offline' } },
    ])
  })
})
