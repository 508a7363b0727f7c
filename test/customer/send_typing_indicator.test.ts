import { beforeAll, describe, expect, test } from 'vitest'
import { logOf } from '../races/stored.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { bare, names, openReception } from './reception.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ delayScale: 1000 })
})

describe('send_typing_indicator', () => {
  test('tells agents and supervisors in the chat, and nobody else', async () => {
    const { carl, id, chat_id, staff, silence } = await openReception(world)
    const before = Math.floor(Date.now() / 1000)
    // a customer does not say who is told
    const more = { recipients: 'agents', author_id: 'ann', typing_indicator: { is_typing: true } }
    for (const [asked, is_typing] of [
      [{ is_typing: true }, true],
      [{ is_typing: 'false', ...more }, false],
    ] as const) {
      expect(await carl.call('send_typing_indicator', { chat_id, ...asked })).toEqual(
        bare('send_typing_indicator'),
      )
      for (const client of [staff.ann, staff.sue]) {
        const { typing_indicator, ...rest } = await client.next('incoming_typing_indicator')
        expect(rest).toEqual({ chat_id })
        expect(typing_indicator).toEqual({
          ...{ author_id: id, recipients: 'all', is_typing },
          timestamp: expect.any(Number),
        })
        expect(typing_indicator.timestamp).toBeGreaterThanOrEqual(before)
      }
    }
    // neither those who only see the chat, nor the author's own tabs
    await silence()
  })

  test("an agent's reaches every tab of the customer, a supervisor's none", async () => {
    const { carl, tab, chat_id, staff, forget, silence } = await openReception(world)
    await staff.ann.ok('send_typing_indicator', { chat_id, is_typing: true })
    for (const client of [carl, tab])
      expect(await client.next('incoming_typing_indicator')).toEqual({
        chat_id,
        typing_indicator: {
          ...{ author_id: 'ann', recipients: 'all', is_typing: true },
          timestamp: expect.any(Number),
        },
      })
    expect(await names(staff.sue)).toEqual(['incoming_typing_indicator'])
    await staff.sue.ok('send_typing_indicator', { chat_id, is_typing: true })
    expect(await names(staff.ann)).toEqual(['incoming_typing_indicator'])

    // nor does one who supervises by now and was an agent of it once
    await staff.ann.ok('remove_from_chat', { chat_id })
    await staff.olga.ok('supervise_chat', { chat_id, agent_ids: ['ann'] })
    await forget()
    await staff.ann.ok('send_typing_indicator', { chat_id, is_typing: true })
    expect(await names(staff.sue)).toEqual(['incoming_typing_indicator'])
    await silence()
  })

  test('stores nothing and starts no thread', async () => {
    const { carl, chat_id, staff, forget } = await openReception(world)
    await staff.ann.ok('close_thread', { chat_id })
    await forget()
    const before = await logOf(world, chat_id)
    await carl.ok('send_typing_indicator', { chat_id, is_typing: true })
    expect(await names(staff.ann)).toEqual(['incoming_typing_indicator'])
    expect(await logOf(world, chat_id)).toEqual(before)
  })
})
