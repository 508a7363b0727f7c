import { beforeAll, describe, expect, test } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import { calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { message } from '../support/events.ts'
import { sharedWorld, type World } from '../support/world.ts'

// What a connection hears by what it asked for at its login: `pushes` and `chats`.

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})

const names = async (client: Client) => {
  await calm(world)
  return (await client.received()).map(({ action }) => action)
}
const say = (by: Client, chat_id: string) => by.ok('send_event', { chat_id, event: message('hello') })

/** All that happens in a chat of ann's and cleo's, which everyone else may see. */
const lifeOf = async (ann: Client, groups: number[]): Promise<void> => {
  const { chat } = await ann.ok('start_chat', { chat: { scopes: { groups } } })
  const chat_id = chat.id
  await say(ann, chat_id)
  await ann.ok('join_chat', { chat_id, agent_ids: ['cleo'] })
  await ann.ok('send_typing_indicator', { chat_id, is_typing: true })
  await ann.ok('update_chat_properties', { chat_id, properties: { a: { b: 1 } } })
  await ann.ok('update_chat_thread_properties', {
    ...{ chat_id, thread_id: chat.thread.id, properties: { a: { b: 1 } } },
  })
  await ann.ok('update_last_seen_timestamp', { chat_id })
  await ann.ok('update_chat_scopes', { chat_id, add_scopes: { agents: ['ann'] } })
  await ann.ok('close_thread', { chat_id })
}
const lifecycle = ['incoming_chat_thread', 'chat_users_updated', 'chat_scopes_updated', 'thread_closed']

describe.each([
  { of: 'everyone', groups: [] as number[] },
  { of: 'a group', groups: [1] },
])('of a chat of $of that its agent is not in', ({ groups }) => {
  const openOffice = async (wants: object) => {
    const license = await world.license({ ann: {}, ben: { groups: [1] }, cleo: {} }, { groups: ['one'] })
    const ann = await license.login('ann')
    const ben = await license.login('ben', wants)
    await names(ben)
    return { license, ann, ben }
  }

  test('a connection hears by `my` that it begins, changes and ends, and nothing of what is said in it', async () => {
    const { ann, ben } = await openOffice({ chats: 'my' })
    await lifeOf(ann, groups)
    // by its scopes ann alone may see it in the end
    const told = await names(ben)
    expect(told).toEqual(groups.length === 0 ? lifecycle.slice(0, 3) : lifecycle)
  })

  test('it hears all by `accessible`', async () => {
    const { ann, ben } = await openOffice({ chats: 'accessible' })
    await lifeOf(ann, groups)
    const told = new Set(await names(ben))
    for (const name of ['incoming_event', 'chat_properties_updated', 'last_seen_timestamp_updated'])
      expect(told).toContain(name)
  })

  test('it hears the pushes alone that it asked for', async () => {
    const { ann, ben } = await openOffice({ pushes: ['chat_properties_updated', 'incoming_chat_thread'] })
    await lifeOf(ann, groups)
    expect(await names(ben)).toEqual(['incoming_chat_thread', 'chat_properties_updated'])
  })
})

test('in a chat that its agent is in, `my` hears all', async () => {
  const license = await world.license({ ann: {}, ben: {} })
  const [ann, ben] = [await license.login('ann'), await license.login('ben', { chats: 'my' })]
  const { chat } = await ann.ok('start_chat')
  await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
  await names(ben)
  await say(ann, chat.id)
  expect(await names(ben)).toEqual(['incoming_event'])
})

test('a connection that wants no push is told why it is closed all the same', async () => {
  const license = await world.license({ ann: {} })
  const ann = await license.login('ann', { pushes: [] })
  const [row] = await readAgentSockets(world.table.read, license.id, 'ann')
  expect(row).not.toHaveProperty('places')
  await changeAgent(world.table, license.id, 'ann', { suspended: true })
  await world.settled()
  expect(await ann.eventually('agent_disconnected')).toEqual({ reason: 'access_token_revoked' })
})

test('another login on the same connection asks anew, and leaves no row behind', async () => {
  const license = await world.license({ ann: {}, ben: { groups: [1] } }, { groups: ['one'] })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  const { chat } = await ann.ok('start_chat', { chat: { scopes: { groups: [1] } } })
  const token = await license.token('ben')
  await ben.ok('login', { token, chats: 'my' })
  await names(ben)
  await say(ann, chat.id)
  expect(await names(ben)).toEqual([])
  await ben.ok('login', { token })
  await names(ben)
  await say(ann, chat.id)
  expect(await names(ben)).toEqual(['incoming_event'])
})

test('an agent that comes into a group hears of its chats from then on, and no more once it leaves', async () => {
  const license = await world.license({ ann: {}, ben: { groups: [] } }, { groups: ['one', 'two'] })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  const { chat } = await ann.ok('start_chat', { chat: { scopes: { groups: [1] } } })
  await names(ben)
  await say(ann, chat.id)
  expect(await names(ben)).toEqual([])
  await changeAgent(world.table, license.id, 'ben', { groups: [1, 2] })
  expect(await names(ben)).toEqual(['incoming_chat_thread'])
  await say(ann, chat.id)
  expect(await names(ben)).toEqual(['incoming_event'])
  await changeAgent(world.table, license.id, 'ben', { groups: [2] })
  await names(ben)
  await say(ann, chat.id)
  expect(await names(ben)).toEqual([])
})

test('a message of two is posted to two, where 18 agents want to hear their own chats alone', async () => {
  const ids = Array.from({ length: 18 }, (_, n) => `agent${n}`)
  const license = await world.license(Object.fromEntries(ids.map((id) => [id, {}])))
  const clients = await Promise.all(ids.map((id) => license.login(id, { chats: 'my' })))
  const carl = await license.visit()
  const { chat } = await carl.client.ok('start_chat')
  // routing may have given it to any
  const { users } = (await clients[0]!.ok('get_chat_threads', { chat_id: chat.id })).chat
  expect(users).toHaveLength(2)
  await calm(world)
  const posted: string[] = []
  const post = ({ connectionId }: { connectionId: string }) => {
    posted.push(connectionId)
    return undefined
  }
  const gateways = [world.gateway, world.customers]
  for (const gateway of gateways) gateway.setFaults({ post })
  await carl.client.ok('send_event', { chat_id: chat.id, event: message('hello') })
  // also what a slow machine has put off
  await calm(world)
  expect(posted).toHaveLength(2)
  for (const gateway of gateways) gateway.setFaults({})
})
