import { expect, test } from 'vitest'
import { startWorld } from '../support/world.ts'

const world = await startWorld()

test('a customer chats with the agent it is given', async () => {
  const license = await world.license({ ann: { name: 'Ann' } })
  const ann = await license.login('ann')
  const { client: carl, id } = await license.visit({ customer: { name: 'Carl' } }, { 'user-agent': 'Test/1' })
  const { chat } = await carl.ok('start_chat', { chat: { thread: { events: [{ type: 'message', text: 'hi' }] } } })
  console.log(JSON.stringify(chat, null, 1))
  const seen = await ann.next('incoming_chat_thread')
  console.log(JSON.stringify(seen.chat, null, 1))
  await carl.next('incoming_chat_thread')
  await ann.ok('send_event', { chat_id: chat.id, event: { type: 'message', text: 'hello' } })
  expect((await carl.next('incoming_event')).event).toMatchObject({ text: 'hello' })
  await carl.ok('send_sneak_peek', { chat_id: chat.id, sneak_peek_text: 'I am' })
  await ann.next('incoming_event')
  expect(await ann.next('incoming_sneak_peek')).toMatchObject({ sneak_peek: { author_id: id, text: 'I am' } })
  await carl.ok('send_event', { chat_id: chat.id, event: { type: 'message', text: 'I am Carl' } })
  await ann.next('incoming_event')
  const back = await license.visit({ token: (await license.visit()).token })
  expect(back.answer.total_chats).toBe(0)
  await ann.ok('ban_customer', { customer_id: id, ban: { days: 3 } })
  await carl.next('incoming_event'); await carl.next('incoming_event'); await carl.next('thread_closed')
  expect(await carl.next('customer_disconnected')).toEqual({ reason: 'customer_banned' })
  await carl.closing()
})
