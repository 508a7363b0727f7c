import { beforeAll, describe, expect, test } from 'vitest'
import { updateActiveChat, putChat, readChat } from '../../shared/table/chat/chats.ts'
import { type ChatUser } from '../../shared/table/chat/chat-users.ts'
import type { PushPayload } from '../../shared/protocol/pushes.ts'
import { calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { type AgentDraft, type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})

const nobody = { added: [], removed_ids: [] }
const message = (text: string) => ({ type: 'message', text })

interface Scene {
  license: License
  clients: Record<'ann' | 'ben' | 'cleo', Client>
  chat: PushPayload<'incoming_chat_thread'>['chat']
}
const openOffice = async (
  drafts: Partial<Record<string, AgentDraft>> = {},
): Promise<Pick<Scene, 'license' | 'clients'>> => {
  const license = await world.license({ ann: { name: 'Ann' }, ben: { name: 'Ben' }, cleo: {}, ...drafts })
  const clients = {
    ann: await license.login('ann'),
    ben: await license.login('ben'),
    cleo: await license.login('cleo'),
  }
  // a login is told later what it may have missed: of the chats of tests there is nothing
  await calm(world)
  return { license, clients }
}
let office: Awaited<ReturnType<typeof openOffice>>
beforeAll(async () => {
  office = await openOffice()
})
/**
 * A chat of ann and ben that, by its scopes, ann alone could see; cleo is logged in. Without drafts of others
 * it is in a license that tests share.
 */
const scene = async (
  drafts?: Partial<Record<string, AgentDraft>>,
  scopes: object = { agents: ['ann'] },
): Promise<Scene> => {
  const { license, clients } = drafts === undefined ? office : await openOffice(drafts)
  const { chat } = await clients.ann.ok('start_chat', { chat: { scopes } })
  await clients.ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
  for (const client of Object.values(clients)) await client.received()
  return { license, clients, chat }
}
const shown = async (client: Client, chat_id: string) =>
  (await client.ok('get_chat_threads', { chat_id })).chat
const setUsers = async (chat_id: string, change: (users: ChatUser[]) => ChatUser[]): Promise<void> => {
  const chat = await readChat(world.table.read, chat_id)
  if (chat === undefined) throw new Error('There is no such chat')
  const changed = { ...chat, users: change(chat.users), version: chat.version + 1 }
  for (const op of [putChat(changed), updateActiveChat(changed)])
    expect((await world.table.write.write(op)).done).toBe(true)
}

describe('remove_from_chat', () => {
  test.each([{}, { agent_ids: [] }, { agent_ids: [], customer_ids: [] }, { agent_ids: null }])(
    'without anyone named removes the requester: %j',
    async (named) => {
      const { clients, chat } = await scene()
      const answer = await clients.ben.call('remove_from_chat', { chat_id: chat.id, ...named })
      expect(answer).toEqual({
        ...{ request_id: answer.request_id, action: 'remove_from_chat', type: 'response', success: true },
      })
      const updated = {
        chat_id: chat.id,
        updated_users: {
          customers: nobody,
          agents: { added: [], removed_ids: ['ben'] },
          supervisors: nobody,
        },
      }
      expect(await clients.ann.next('incoming_event')).toEqual({
        chat_id: chat.id,
        thread_id: chat.thread.id,
        event: {
          ...{
            id: `${chat.thread.id}_2`,
            order: 2,
            type: 'system_message',
            system_message_type: 'agent_left',
          },
          ...{ text: 'Ben left the chat', recipients: 'all', timestamp: expect.any(Number) },
        },
      })
      expect(await clients.ann.next('chat_users_updated')).toEqual(updated)
      await clients.ann.receivesNothing()
      // it has lost its access, and still hears that it is out
      expect(await clients.ben.next('chat_users_updated')).toEqual(updated)
      await clients.ben.receivesNothing()
      await clients.cleo.receivesNothing()
    },
  )

  test('removes another, who hears of it and then of nothing more', async () => {
    const { clients, chat } = await scene()
    await clients.ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    expect(await clients.ben.next('chat_users_updated')).toMatchObject({
      updated_users: { agents: { removed_ids: ['ben'] } },
    })
    await clients.ann.ok('send_event', { chat_id: chat.id, event: message('among us') })
    await clients.ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['cleo'] })
    await clients.ann.ok('close_thread', { chat_id: chat.id })
    await clients.ben.receivesNothing()
    const denials = ['get_chat_threads', 'close_thread', 'send_event', 'join_chat', 'remove_from_chat']
    for (const action of denials)
      expect(
        await clients.ben.refused(action, { chat_id: chat.id, event: message('x'), agent_ids: ['ben'] }),
      ).toMatchObject({ type: 'authorization' })
  })

  test('who keeps access by scopes or permission hears on, and cannot speak', async () => {
    const { clients, chat } = await scene({ ben: { permission: 'administrator' } })
    await clients.ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await clients.ann.ok('send_event', { chat_id: chat.id, event: message('still here?') })
    for (const name of ['incoming_event', 'chat_users_updated', 'incoming_event'] as const)
      await clients.ben.next(name)
    await clients.ben.receivesNothing()
    expect(
      await clients.ben.refused('send_event', { chat_id: chat.id, event: message('yes') }),
    ).toMatchObject({
      type: 'authorization',
      message: 'You cannot send event in this chat.',
    })
  })

  test('removes several at once: a message for each and one push of users', async () => {
    const { clients, chat } = await scene()
    await clients.ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben', 'ann', 'ben'] })
    for (const client of [clients.ben, clients.ann]) {
      const { updated_users } = await client.eventually('chat_users_updated')
      expect(updated_users.agents.removed_ids.toSorted()).toEqual(['ann', 'ben'])
    }
    const { users, threads } = await shown(clients.ann, chat.id)
    expect(users.map(({ present }: { present: boolean }) => present)).toEqual([false, false])
    expect(threads[0].events.map(({ text }: { text: string }) => text).toSorted()).toEqual([
      ...['Ann left the chat', 'Ben joined the chat', 'Ben left the chat'],
    ])
    expect(threads[0].active).toBe(true)
  })

  test('names one who joined while it ran', async () => {
    const { clients, chat } = await scene({ dora: { name: 'Dora' } }, {})
    const [reached, joined] = [Promise.withResolvers<void>(), Promise.withResolvers<undefined>()]
    let isFirst = true
    world.proxy.setFault(({ operation }) => {
      if (operation !== 'TransactWriteItems' || !isFirst) return undefined
      isFirst = false
      reached.resolve()
      return joined.promise
    })
    try {
      const removing = clients.ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben', 'dora'] })
      await reached.promise
      await clients.cleo.ok('join_chat', { chat_id: chat.id, agent_ids: ['dora'] })
      joined.resolve(undefined)
      await removing
    } finally {
      joined.resolve(undefined)
      world.proxy.setFault(undefined)
    }
    const events = (await shown(clients.ann, chat.id)).threads[0].events
    expect(events.slice(-3).map(({ text }: any) => text)).toEqual([
      'Dora joined the chat',
      'Ben left the chat',
      'Dora left the chat',
    ])
  })

  test('passes over whoever is not in the chat, and pushes nothing where nobody is', async () => {
    const { clients, chat } = await scene()
    const before = await shown(clients.ann, chat.id)
    for (const named of [
      { agent_ids: ['cleo'] },
      { agent_ids: ['nosuch', '#'] },
      { customer_ids: ['nosuch'] },
      // an agent's id among the customers' names no customer
      { customer_ids: ['ben', 'ann'] },
    ])
      await clients.ann.ok('remove_from_chat', { chat_id: chat.id, ...named })
    for (const client of Object.values(clients)) await client.receivesNothing()
    expect(await shown(clients.ann, chat.id)).toEqual(before)

    await clients.ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['cleo', 'ben', 'nosuch'] })
    const { updated_users } = await clients.ann.eventually('chat_users_updated')
    expect(updated_users.agents).toEqual({ added: [], removed_ids: ['ben'] })
  })

  test('a second time changes nothing and pushes nothing', async () => {
    const { clients, chat } = await scene()
    await clients.ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await clients.ann.received()
    await clients.ben.received()
    await clients.ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await clients.ann.receivesNothing()
    await clients.ben.receivesNothing()
    expect((await shown(clients.ann, chat.id)).threads[0].events).toHaveLength(2)
  })

  test('of a requester that has access and is not in the chat changes nothing', async () => {
    const { clients, chat } = await scene({ cleo: { permission: 'owner' } })
    await clients.cleo.ok('remove_from_chat', { chat_id: chat.id })
    for (const client of Object.values(clients)) await client.receivesNothing()
  })

  test('leaves who left in the users, not present, and in the thread’s user_ids', async () => {
    const { clients, chat } = await scene()
    await clients.ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    const { users, threads } = await shown(clients.ann, chat.id)
    expect(users).toMatchObject([
      { id: 'ann', present: true },
      { id: 'ben', type: 'agent', name: 'Ben', present: false },
    ])
    expect(threads[0].user_ids.toSorted()).toEqual(['ann', 'ben'])
  })

  test('lets the last one leave an active thread', async () => {
    const { clients, chat } = await scene()
    await clients.ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await clients.ann.ok('remove_from_chat', { chat_id: chat.id })
    const { users, threads } = await shown(clients.ann, chat.id)
    expect(users.some(({ present }: { present: boolean }) => present)).toBe(false)
    expect(threads[0]).toMatchObject({ active: true })
    await clients.ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ann'] })
    await clients.ann.ok('send_event', { chat_id: chat.id, event: message('back') })
  })

  test('takes a supervisor out for agents alone', async () => {
    const { clients, chat } = await scene({ cleo: { name: 'Cleo' } })
    await setUsers(chat.id, (users) => [...users, { id: 'cleo', type: 'supervisor', present: true }])
    await clients.cleo.ok('remove_from_chat', { chat_id: chat.id })
    for (const client of [clients.ann, clients.ben]) {
      expect(await client.next('incoming_event')).toMatchObject({
        event: { system_message_type: 'agent_left', text: 'Cleo left the chat', recipients: 'agents' },
      })
      expect(await client.next('chat_users_updated')).toMatchObject({
        updated_users: { agents: nobody, supervisors: { added: [], removed_ids: ['cleo'] } },
      })
    }
    await clients.cleo.next('chat_users_updated')
    await clients.cleo.receivesNothing()
  })

  test('takes a customer out by customer_ids, not by agent_ids', async () => {
    const { clients, chat } = await scene()
    await setUsers(chat.id, (users) => [
      ...users,
      { id: 'cus-1', type: 'customer', present: true, met: true },
    ])
    await clients.ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['cus-1'] })
    await clients.ann.receivesNothing()
    await clients.ann.ok('remove_from_chat', { chat_id: chat.id, customer_ids: ['cus-1'] })
    expect(await clients.ben.next('incoming_event')).toMatchObject({
      event: { system_message_type: 'customer_left', recipients: 'all' },
    })
    expect(await clients.ben.next('chat_users_updated')).toMatchObject({
      updated_users: { customers: { added: [], removed_ids: ['cus-1'] }, agents: nobody },
    })
    await clients.ben.receivesNothing()
  })

  test('of one user many times at once removes it once', async () => {
    const { clients, chat } = await scene()
    await Promise.all(
      Array.from({ length: 5 }, () =>
        clients.ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] }),
      ),
    )
    expect((await shown(clients.ann, chat.id)).threads[0].events).toMatchObject([
      { text: 'Ben joined the chat' },
      { text: 'Ben left the chat' },
    ])
  })
})

describe('remove_from_chat without an active thread', () => {
  test('changes the users and tells of it, and appends nothing', async () => {
    const { clients, chat } = await scene()
    await clients.ann.ok('close_thread', { chat_id: chat.id })
    await clients.ann.received()
    await clients.ben.received()
    await clients.ben.ok('remove_from_chat', { chat_id: chat.id })
    for (const client of [clients.ann, clients.ben]) {
      expect(await client.next('chat_users_updated')).toMatchObject({
        updated_users: { agents: { removed_ids: ['ben'] } },
      })
      await client.receivesNothing()
    }
    const { users, threads } = await shown(clients.ann, chat.id)
    expect(users).toMatchObject([{ id: 'ann' }, { id: 'ben', present: false }])
    expect(threads[0].events.at(-1)).toMatchObject({ system_message_type: 'manual_archived' })
  })
})

describe('remove_from_chat is refused', () => {
  test('with nothing for 20 agents and 20 customers', async () => {
    const { clients, chat } = await scene()
    await clients.ann.ok('remove_from_chat', {
      chat_id: chat.id,
      agent_ids: Array.from({ length: 20 }, (_, i) => `a${i}`),
      customer_ids: Array.from({ length: 20 }, (_, i) => `c${i}`),
    })
    await clients.ann.receivesNothing()
  })
})
