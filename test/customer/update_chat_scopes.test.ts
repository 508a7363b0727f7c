import { beforeAll, describe, expect, test } from 'vitest'
import { readChat } from '../../shared/table/chat/chats.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { bare, names, next, openReception } from './reception.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ delayScale: 1000 })
})

const scopesOf = async (chat: string) => (await readChat(world.table.read, chat))?.scopes

describe('update_chat_scopes', () => {
  test('by a customer tells who has access or had it, and its tabs, and shows the chat first to who gains it', async () => {
    const { carl, tab, chat_id, thread_id, watching, staff, silence } = await openReception(world)
    const answer = await carl.call('update_chat_scopes', {
      chat_id,
      add_scopes: { groups: [2] },
      remove_scopes: { groups: [1] },
    })
    expect(answer).toEqual(bare('update_chat_scopes'))
    const updated = { chat_id, scopes_added: { groups: [2] }, scopes_removed: { groups: [1] } }
    expect(await staff.out.next('incoming_chat_thread')).toMatchObject({
      chat: { id: chat_id, scopes: { groups: [2] }, thread: { id: thread_id, active: true } },
    })
    for (const client of [...watching, staff.out, carl, tab])
      expect(await next(client, 'chat_scopes_updated')).toEqual(updated)
    await silence()
    expect(await scopesOf(chat_id)).toEqual({ groups: [2], agents: [] })

    // who lost access hears nothing any more
    await carl.ok('send_event', { chat_id, event: { type: 'message', text: 'hi' } })
    await staff.gus.receivesNothing()
    expect(await names(staff.out)).toEqual(['incoming_event'])
    expect((await carl.ok('get_chat_threads', { chat_id })).chat.scopes).toEqual({ groups: [2] })
  })

  test('adds first, then removes, takes digits for a number and each group once', async () => {
    const { carl, chat_id } = await openReception(world)
    await carl.ok('update_chat_scopes', {
      chat_id,
      add_scopes: { groups: ['2', 2, '1'] },
      remove_scopes: { groups: ['1'] },
    })
    expect(await carl.next('chat_scopes_updated')).toEqual({
      chat_id,
      ...{ scopes_added: { groups: [2] }, scopes_removed: { groups: [1] } },
    })
  })

  test('changes nothing and tells nobody where it names what is so, what is not there, and agents', async () => {
    const { carl, chat_id, silence } = await openReception(world)
    for (const change of [
      {},
      { add_scopes: null, remove_scopes: { groups: null } },
      { add_scopes: { groups: [1] }, remove_scopes: { groups: [2] } },
      { add_scopes: { groups: [2] }, remove_scopes: { groups: [2] } },
      { add_scopes: { agents: ['out', 'nosuch'] }, remove_scopes: { agents: ['ann'] } },
      { add_scopes: { groups: [1, 3] } },
      { remove_scopes: { groups: [99] } },
      { add_scopes: { groups: [-1] } },
    ])
      await carl.ok('update_chat_scopes', { chat_id, ...change })
    await silence()
    expect(await scopesOf(chat_id)).toEqual({ groups: [1], agents: [] })
  })

  test('that takes the last group opens the chat to all', async () => {
    const { carl, tab, chat_id, staff, forget } = await openReception(world)
    await carl.ok('update_chat_scopes', { chat_id, remove_scopes: { groups: [1] } })
    expect(await names(staff.out)).toEqual(['incoming_chat_thread', 'chat_scopes_updated'])
    expect(await carl.next('chat_scopes_updated')).toEqual({
      chat_id,
      ...{ scopes_added: {}, scopes_removed: { groups: [1] } },
    })
    expect((await carl.ok('get_chat_threads', { chat_id })).chat).not.toHaveProperty('scopes')

    // those of a chat without an active thread, too
    await carl.ok('close_thread', { chat_id })
    await forget()
    await carl.ok('update_chat_scopes', { chat_id, add_scopes: { groups: [2] } })
    for (const client of [carl, tab]) expect(await names(client)).toEqual(['chat_scopes_updated'])
  })
})

describe("a change of a chat's scopes by an agent", () => {
  test('is told to customers as far as it names groups', async () => {
    const { carl, tab, chat_id, staff } = await openReception(world)
    await staff.ann.ok('update_chat_scopes', { chat_id, add_scopes: { agents: ['out'] } })
    expect(await names(staff.out)).toEqual(['incoming_chat_thread', 'chat_scopes_updated'])
    for (const client of [carl, tab]) await client.receivesNothing()
    expect((await carl.ok('get_chat_threads', { chat_id })).chat.scopes).toEqual({ groups: [1] })

    await staff.ann.ok('update_chat_scopes', {
      chat_id,
      add_scopes: { groups: [2], agents: ['sue'] },
      remove_scopes: { groups: [1] },
    })
    for (const client of [carl, tab]) {
      expect(await client.next('chat_scopes_updated')).toEqual({
        chat_id,
        ...{ scopes_added: { groups: [2] }, scopes_removed: { groups: [1] } },
      })
      await client.receivesNothing()
    }
  })
})
