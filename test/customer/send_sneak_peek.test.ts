import { beforeAll, describe, expect, test } from 'vitest'
import { logOf } from '../races/stored.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { bare, openReception } from './reception.ts'

let world: World
beforeAll(async () => {
  // what a login may have missed is tested with login
  world = await sharedWorld({ delayScale: 1000 })
})

describe('send_sneak_peek', () => {
  test('shows agents and supervisors in the chat what the customer is writing, and nobody else', async () => {
    const { carl, id, chat_id, staff, silence } = await openReception(world)
    const before = Math.floor(Date.now() / 1000)
    expect(await carl.call('send_sneak_peek', { chat_id, sneak_peek_text: 'I am wri' })).toEqual(
      bare('send_sneak_peek'),
    )
    for (const client of [staff.ann, staff.sue]) {
      const { sneak_peek, ...rest } = await client.next('incoming_sneak_peek')
      expect(rest).toEqual({ chat_id })
      expect(sneak_peek).toEqual({
        ...{ author_id: id, recipients: 'agents', text: 'I am wri' },
        timestamp: expect.any(Number),
      })
      expect(sneak_peek.timestamp).toBeGreaterThanOrEqual(before)
      expect(sneak_peek.timestamp).toBeLessThanOrEqual(Date.now() / 1000)
    }
    // neither those who only see the chat, nor the customer's own tabs
    await silence()
  })

  test('reaches every connection of an agent, and only those who are in the chat by now', async () => {
    const { license, carl, chat_id, staff, forget, silence } = await openReception(world)
    const phone = await license.login('ann')
    await staff.olga.ok('remove_from_chat', { chat_id, agent_ids: ['sue'] })
    await staff.olga.ok('join_chat', { chat_id, agent_ids: ['out'] })
    await forget()
    await phone.received()
    await carl.ok('send_sneak_peek', { chat_id, sneak_peek_text: 'hm' })
    for (const client of [staff.ann, phone, staff.out]) await client.next('incoming_sneak_peek')
    await silence()
  })

  test('stores nothing; works where no thread is active, and starts none', async () => {
    const { carl, chat_id, staff, forget, silence } = await openReception(world)
    await staff.ann.ok('close_thread', { chat_id })
    await forget()
    const before = await logOf(world, chat_id)
    // an empty one says that all of it was deleted again
    for (const text of ['are you still', '']) {
      await carl.ok('send_sneak_peek', { chat_id, sneak_peek_text: text })
      for (const client of [staff.ann, staff.sue])
        expect(await client.next('incoming_sneak_peek')).toMatchObject({ sneak_peek: { text } })
    }
    await silence()
    expect(await logOf(world, chat_id)).toEqual(before)
  })

  test('takes text of 16 KiB as it is given, and ignores what it does not know', async () => {
    const { carl, id, chat_id, staff } = await openReception(world)
    const text = `<script>alert(1)</script> ${'é'.repeat(8 * 1024 - 13)}`
    expect(Buffer.byteLength(text)).toBe(16 * 1024)
    const more = { author_id: 'ann', recipients: 'all', text: 'other' }
    await carl.ok('send_sneak_peek', { chat_id, sneak_peek_text: text, ...more })
    expect((await staff.ann.next('incoming_sneak_peek')).sneak_peek).toMatchObject({
      ...{ author_id: id, recipients: 'agents', text },
    })
  })
})
