import { beforeAll, describe, expect, test } from 'vitest'
import { logOf } from '../races/stored.ts'
import { startWorld, type World } from '../support/world.ts'
import { bare, invalid, openReception, refusesAsAll } from './reception.ts'

let world: World
beforeAll(async () => {
  // what a login may have missed is tested with login
  world = await startWorld({ delayScale: 1000 })
})

const sentence = 'You cannot send the sneak peek in this chat.'

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

  test('stores nothing, and takes an empty text: all of it was deleted again', async () => {
    const { carl, chat_id, staff } = await openReception(world)
    const before = await logOf(world, chat_id)
    await carl.ok('send_sneak_peek', { chat_id, sneak_peek_text: '' })
    expect(await staff.ann.next('incoming_sneak_peek')).toMatchObject({ sneak_peek: { text: '' } })
    expect(await logOf(world, chat_id)).toEqual(before)
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

  test('works where no thread is active, and starts none', async () => {
    const { carl, chat_id, staff, forget, silence } = await openReception(world)
    await staff.ann.ok('close_thread', { chat_id })
    await forget()
    const before = await logOf(world, chat_id)
    await carl.ok('send_sneak_peek', { chat_id, sneak_peek_text: 'are you still' })
    for (const client of [staff.ann, staff.sue]) await client.next('incoming_sneak_peek')
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
    expect(await carl.refused('send_sneak_peek', { chat_id, sneak_peek_text: `${text}a` })).toEqual({
      ...invalid(),
      details: [{ path: 'payload.sneak_peek_text', message: 'Too long: at most 16384 bytes of UTF-8' }],
    })
  })

  test.each([
    ['no text', undefined],
    ['null', null],
    ['a number', 5],
    ['an object', { text: 'x' }],
    ['half a surrogate pair', 'a\ud800'],
  ])('is refused with validation for %s', async (_what, sneak_peek_text) => {
    const { client } = await (await world.license({})).visit()
    expect(await client.refused('send_sneak_peek', { chat_id: 'x', sneak_peek_text })).toEqual(
      invalid('payload.sneak_peek_text'),
    )
  })

  test('is refused as every action on a chat is', () =>
    refusesAsAll(world, 'send_sneak_peek', (chat_id) => ({ chat_id, sneak_peek_text: 'hm' }), sentence))
})
