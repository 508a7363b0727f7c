import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { deleteAgent } from '../../shared/provisioning/change-agent.ts'
import { deleteGroup } from '../../shared/provisioning/change-group.ts'
import { keys } from '../../shared/table/keys.ts'
import type { Client } from '../support/client.ts'
import { message } from '../support/events.ts'
import { notFound } from '../support/wire-errors.ts'
import { type License, sharedWorld, type Visitor, type World } from '../support/world.ts'
import { expectLoads } from './loads.ts'

// What becomes of a customer whose chat, or whose widget, names a group or an agent that is deleted (protocol
// §7).

let world: World
beforeAll(async () => {
  world = await sharedWorld({ index: true })
})
let license: License
let ann: Client
afterEach(async () => {
  await world.settled()
  await expectLoads(world, license.id)
})

/** Group 1 is the one that is deleted; `ann` is in group 2. */
const openLicense = async (others: Parameters<World['license']>[0] = {}) => {
  license = await world.license({ ann: { groups: [2] }, ...others }, { groups: ['old', 'new', 'third'] })
  ann = await license.login('ann')
}
const deleteOld = async (into?: number) => {
  await deleteGroup(world.table, license.id, 1, { evenWithAgents: true, into })
  await world.settled()
}

const start = async ({ client }: Visitor, groups: number[] = []): Promise<any> => {
  const { chat } = await client.ok('start_chat', {
    chat: { scopes: { groups }, thread: { events: [message('hello')] } },
  })
  await world.settled()
  return chat
}
const now = async ({ client }: Visitor, chat_id: string) => {
  const { chat } = await client.ok('get_chat_threads', { chat_id })
  const agents = chat.users.filter(({ type, present }: any) => type === 'agent' && present)
  return { agents: agents.map(({ id }: any) => id), scopes: chat.scopes }
}

describe('a group that is deleted', () => {
  test(
    'leaves chats that name it alone open to every agent: one that waits goes to whoever is free',
    { tags: ['full'] },
    async () => {
      await openLicense()
      const carl = await license.visit()
      const { id } = await start(carl, [1])
      expect(await now(carl, id)).toEqual({ agents: [], scopes: { groups: [1] } })
      await deleteOld()
      expect(await now(carl, id)).toEqual({ agents: ['ann'], scopes: undefined })
      await ann.eventually('incoming_chat_thread', ({ chat }) => chat.id === id)
    },
  )

  test('leaves chats that name others as well to those', async () => {
    await openLicense()
    const carl = await license.visit()
    const { id } = await start(carl, [1, 3])
    await deleteOld()
    expect(await now(carl, id)).toEqual({ agents: [], scopes: { groups: [3] } })
  })

  test(
    'is read as its successor: by chats, closed ones too, and by whoever still names it',
    { tags: ['full'] },
    async () => {
      await openLicense({ own: { permission: 'owner', default_status: 'not_accepting_chats' } })
      const own = await license.login('own')
      const [carl, dora, eve] = [await license.visit(), await license.visit(), await license.visit()]
      const [waiting, closed] = [await start(carl, [1]), await start(dora, [1])]
      await dora.client.ok('close_thread', { chat_id: closed.id })
      await deleteOld(2)
      expect(await now(carl, waiting.id)).toEqual({ agents: ['ann'], scopes: { groups: [2] } })
      expect((await now(dora, closed.id)).scopes).toEqual({ groups: [2] })
      const found = async (team: number): Promise<string[]> => {
        const { chats } = await ann.ok('get_archives', { filters: { team_ids: [team] } })
        return chats.map(({ chat }: any) => chat.id)
      }
      expect((await found(1)).toSorted()).toEqual([waiting.id, closed.id].toSorted())

      expect((await start(eve, [1])).scopes).toEqual({ groups: [2] })
      const { chat } = await own.ok('start_chat', { chat: { scopes: { groups: [1] } } })
      expect(chat.scopes).toEqual({ groups: [2] })
      await own.ok('update_chat_scopes', { chat_id: chat.id, remove_scopes: { groups: [1] } })
      expect((await own.ok('get_chat_threads', { chat_id: chat.id })).chat.scopes).toBeUndefined()
      await own.ok('send_broadcast', { scopes: { groups: [1] }, content: { a: 1 } })
      await ann.eventually('incoming_broadcast')
      // and through one that was deleted itself
      await deleteGroup(world.table, license.id, 2, { evenWithAgents: true, into: 3 })
      expect((await start(await license.visit(), [1])).scopes).toEqual({ groups: [3] })
    },
  )

  test('and one that never was count as if a customer named none; an agent is told', async () => {
    await openLicense()
    await deleteOld()
    const carl = await license.visit()
    await world.license({}, { groups: ['A', 'B', 'C', 'D'] })
    const { id, users, scopes } = await start(carl, [1, 77, 4, 0, -1])
    expect([users.map((user: any) => user.id).includes('ann'), scopes]).toEqual([true, undefined])
    await carl.client.ok('update_chat_scopes', { chat_id: id, add_scopes: { groups: [1, 77, 2] } })
    expect((await now(carl, id)).scopes).toEqual({ groups: [2] })
    for (const group of [1, 77]) {
      const named = { groups: [group] }
      expect(await ann.refused('start_chat', { chat: { scopes: named } })).toEqual(notFound)
      expect(await ann.refused('update_chat_scopes', { chat_id: id, add_scopes: named })).toEqual(notFound)
    }
  })

  test(
    'is taken out of a chat that was started while it was deleted, or before an upgrade',
    { tags: ['full'] },
    async () => {
      await openLicense()
      const carl = await license.visit()
      const { id } = await start(carl, [3])
      // as stored by a start that had looked for the group before it was deleted
      for (const key of [keys.chat(id), keys.activeChat(license.id, id)])
        await world.table.write.write({
          Update: {
            Key: key,
            UpdateExpression: 'SET scopes = :scopes',
            ExpressionAttributeValues: { ':scopes': { groups: [1], agents: [] } },
          },
        })
      await deleteGroup(world.table, license.id, 1, { evenWithAgents: true })
      await world.tick()
      await world.settled()
      expect(await now(carl, id)).toEqual({ agents: ['ann'], scopes: undefined })
    },
  )
})

describe('an agent who is deleted', () => {
  test('leaves chats that name it alone open to every agent', async () => {
    await openLicense({ ben: {}, own: { permission: 'owner', default_status: 'not_accepting_chats' } })
    const [ben, own] = [await license.login('ben'), await license.login('own')]
    await ann.ok('update_agent', { routing_status: 'not_accepting_chats' })
    const carl = await license.visit()
    const { id } = await start(carl, [])
    expect((await now(carl, id)).agents).toEqual(['ben'])
    await own.ok('update_chat_scopes', { chat_id: id, add_scopes: { agents: ['ben'] } })
    await ben.ok('update_agent', { routing_status: 'not_accepting_chats' })
    await ann.ok('update_agent', { routing_status: 'accepting_chats' })
    await deleteAgent(world.table, license.id, 'ben')
    await world.settled()
    expect(await now(carl, id)).toEqual({ agents: ['ann'], scopes: undefined })
  })
})
