import { beforeAll, describe, expect, test } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { customerPushes, pushes } from '../../shared/protocol/pushes.ts'
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

let world: World
let scene: Scene
/** Every connection, with whose it is; of `host` there are two. */
let connections: [of: Receiver | 'stranger', client: Client][]
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

const forget = () => Promise.all(connections.map(([, client]) => scene.told(client)))

/** Fails unless each connection was told just what is its own, in this order. */
const expectTold = async (
  told: readonly { push: string; to: readonly Receiver[]; payload: object }[],
): Promise<void> => {
  const seen = new Map<string, unknown>()
  for (const [of, client] of connections) {
    const due = told.filter(({ to }) => to.some((one) => one === of))
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

describe('protocol §6', () => {
  test('is in the matrix with every push, and the contracts know no other', () => {
    const caused = causes.flatMap(({ told }) => told.map(({ push }) => push))
    const ofAgents = [...new Set([...caused, ...pushesWithoutAction, ...causedByCustomers])]
    const all = [...new Set([...ofAgents, ...Object.keys(customerPushes)])]
    expect(all.toSorted()).toEqual(listedPushes.toSorted())
    expect(Object.keys(pushes).toSorted()).toEqual(ofAgents.toSorted())
  })

  test.each(causes.map(named))('$name: $tells', async ({ cause }) => {
    const { start, place, clients } = scene
    const customer =
      cause.customers === true ? (await place(cause.by, await start('open'))).customer : undefined
    const chat = await start('hidden', { closed: cause.closed === true, customer })
    await forget()
    const before = await place(cause.by, chat)
    await clients[cause.by].ok(cause.action, cause.payload(before))
    await expectTold(cause.told.map(({ push, to, payload }) => ({ push, to, payload: payload(before) })))
    if (cause.thereafter === undefined) return
    const text = 'and now?'
    await clients.host.ok('send_event', { chat_id: chat, event: { type: 'message', text } })
    const payload = { chat_id: chat, event: { text, author_id: 'host' } }
    await expectTold([{ push: 'incoming_event', to: cause.thereafter, payload }])
  })

  test('agent_updated: every agent of the license hears of one that comes and that goes', async () => {
    const everyone: Receiver[] = ['host', ...people, 'blind']
    const updated = (routing_status: string) => [
      { push: 'agent_updated', to: everyone, payload: { agent_id: 'late', routing_status } },
    ]
    await scene.license.addAgent('late', { default_status: 'not_accepting_chats' })
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
    await expectTold([
      {
        push: 'agent_updated',
        to: ['host', ...people, 'blind'],
        payload: { agent_id: 'gone', routing_status: 'offline' },
      },
    ])
  })
})
