import { beforeAll, describe, expect, test } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { keys } from '../../shared/table/keys.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import type { Fault } from '../support/engine-proxy.ts'
import { sharedWorld, type World } from '../support/world.ts'

// A write is done, its answer is lost, and the SDK's repeats only hear that a transaction is under way: the
// request must find out that the work is its own. The SDK waits for seconds between its repeats, so they run
// side by side: a fault is for the calls that fit.

let world: World
type FaultFor = (operation: string, request: string) => Fault | undefined
const faults = new Set<FaultFor>()
beforeAll(async () => {
  world = await sharedWorld()
  world.proxy.setFault(({ operation, request }) => {
    const text = JSON.stringify(request)
    for (const faultFor of faults) {
      const fault = faultFor(operation, text)
      if (fault !== undefined) return fault
    }
    return undefined
  })
})

/**
 * The next transaction that fits is done and its answer lost; the SDK's repeats of it are told that one is
 * under way.
 */
const loseAnswer = (fits: (request: string) => boolean) => {
  let left = 4
  faults.add((operation, request) => {
    if (operation !== 'TransactWriteItems' || left === 0 || !fits(request)) return undefined
    left -= 1
    return left === 3
      ? { errorType: 'InternalServerError', afterWrite: true }
      : { errorType: 'TransactionInProgressException' }
  })
  return () => 4 - left
}

describe.concurrent('a transaction whose answer was lost', () => {
  test('close_thread answers success and pushes its closing, once', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { chat } = await ann.ok('start_chat')
    await ben.received()
    const lost = loseAnswer((request) => request.includes(chat.id))
    await ann.ok('close_thread', { chat_id: chat.id })
    expect(lost()).toBeGreaterThan(1)
    expect((await ben.received()).map(({ action }) => action)).toEqual(['incoming_event', 'thread_closed'])
  })

  test('join_chat shows the chat to whoever joined', async () => {
    const license = await world.license({ ann: {}, ben: {} }, { groups: ['A'] })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { chat } = await ann.ok('start_chat', { chat: { scopes: { groups: [1] } } })
    await ben.receivesNothing()
    const lost = loseAnswer((request) => request.includes(chat.id))
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    expect(lost()).toBeGreaterThan(1)
    const pushed = (await ben.received()).map(({ action }) => action)
    expect(pushed).toEqual(['incoming_chat_thread', 'incoming_event', 'chat_users_updated'])
  })

  test('join_chat in a chat without an active thread does too', async () => {
    const license = await world.license({ ann: {}, ben: {} }, { groups: ['A'] })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { chat } = await ann.ok('start_chat', { chat: { scopes: { groups: [1] } } })
    await ann.ok('close_thread', { chat_id: chat.id })
    loseAnswer((request) => request.includes(chat.id))
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    const pushed = (await ben.received()).map(({ action }) => action)
    expect(pushed).toEqual(['incoming_chat_thread', 'chat_users_updated'])
  })

  test('remove_from_chat of oneself succeeds, though one has no access any more', async () => {
    const license = await world.license({ ann: {}, olga: { permission: 'owner' } }, { groups: ['A'] })
    const [ann, olga] = [await license.login('ann'), await license.login('olga')]
    const { chat } = await ann.ok('start_chat', { chat: { scopes: { groups: [1] } } })
    await olga.received()
    loseAnswer((request) => request.includes(chat.id))
    await ann.ok('remove_from_chat', { chat_id: chat.id })
    const pushed = (await olga.received()).map(({ action }) => action)
    expect(pushed).toEqual(['incoming_event', 'chat_users_updated'])
  })

  test('a first login tells the license that the agent is online', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ann = await license.login('ann')
    const lost = loseAnswer((request) => request.includes(license.id) && request.includes('ben'))
    await license.login('ben')
    expect(lost()).toBeGreaterThan(1)
    await ann.caughtUp()
    const told = ann.presence.filter(({ payload }) => payload.agent_id === 'ben')
    expect(told.map(({ payload }) => payload.routing_status)).toEqual(['accepting_chats'])
  })
})

test('a suspended agent is told and closed, though the answer to the claim of its closing was lost', async () => {
  const license = await world.license({ ann: {} })
  const ann = await license.login('ann')
  let lost = 0
  faults.add((operation, request) => {
    if (operation !== 'UpdateItem' || lost > 0 || !request.includes('closing_at')) return undefined
    lost += 1
    return { errorType: 'InternalServerError', afterWrite: true }
  })
  await changeAgent(world.table, license.id, 'ann', { suspended: true })
  expect(await ann.next('agent_disconnected')).toEqual({ reason: 'access_token_revoked' })
  await ann.closing()
  expect(lost).toBe(1)
})

test('a suspended agent whose connection another worker claimed and left gets no push, and is closed by a later job', async () => {
  const license = await world.license({ ann: {}, ben: {} })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  const row = (await readAgentSockets(world.table.read, license.id, 'ann'))[0]!
  await world.table.write.write({
    Update: {
      Key: keys.socket(row.connection),
      UpdateExpression: 'SET closing_at = :now, closing_by = :other',
      ExpressionAttributeValues: { ':now': Date.now() + 60_000, ':other': 'a worker that died' },
    },
  })
  await changeAgent(world.table, license.id, 'ann', { suspended: true })
  await world.settled()
  await ben.ok('start_chat')
  await ann.receivesNothing()
  expect(await ann.refused('start_chat')).toMatchObject({ type: 'auth' })
  await world.table.write.write({
    Update: {
      Key: keys.socket(row.connection),
      UpdateExpression: 'SET closing_at = :long_ago',
      ExpressionAttributeValues: { ':long_ago': 0 },
    },
  })
  await world.queue.flush()
  expect(await ann.next('agent_disconnected')).toEqual({ reason: 'access_token_revoked' })
  await ann.closing()
})
