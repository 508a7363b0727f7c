import { beforeAll, describe, expect, test } from 'vitest'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { customerChatId } from '../../shared/table/ids.ts'
import { message } from '../support/events.ts'
import { denied, notFound, notLoggedIn } from '../support/wire-errors.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { openReception, type Reception } from './reception.ts'

// What customers' actions on a chat refuse alike: who is not logged in, what no chat can be, chats that are
// not the customer's own, and the customer whom an agent has removed. None of it is told to anybody.

/**
 * What each action on a chat takes beside the chat, and with which sentence it refuses a removed customer.
 */
const properties = { a: { x: 1 } }
const changing: Record<string, [payload: (chat_id: string) => object, sentence: string]> = {
  close_thread: [() => ({}), 'You are not allowed to close this chat.'],
  mark_event_as_seen: [
    (chat_id) => ({ event_id: `${chat_id}_1_1` }),
    'You cannot mark this message as seen.',
  ],
  send_event: [() => ({ event: message('hi') }), 'You cannot send the message in this chat.'],
  send_sneak_peek: [() => ({ sneak_peek_text: 'hm' }), 'You cannot send the sneak peek in this chat.'],
  send_typing_indicator: [() => ({ is_typing: true }), 'You cannot send the typing indicator in this chat.'],
  update_chat_properties: [() => ({ properties }), 'You are not allowed to set chat properties.'],
  // the source's sentence, though it is that of another action
  update_chat_scopes: [() => ({ add_scopes: { groups: [2] } }), 'You are not allowed to close this chat.'],
  update_chat_thread_properties: [
    (chat_id) => ({ thread_id: `${chat_id}_1`, properties }),
    'You are not allowed to set chat thread properties.',
  ],
  update_last_seen_timestamp: [() => ({ timestamp: 1_600_000_000 }), 'You cannot set last seen timestamp'],
}
const reading = ['get_chat_threads', 'get_chat_threads_summary']
const ofNoChat = [
  'login',
  'ping',
  'start_chat',
  'update_customer',
  'get_chats_summary',
  'list_group_statuses',
]

let world: World
let here: Reception
let removed: Reception
/**
 * Chats that are not the customer's: another customer's, another license's, an agent's own, and none at all.
 */
let strange: Record<string, string>
beforeAll(async () => {
  world = await sharedWorld({ delayScale: 1000 })
  removed = await openReception(world)
  const { staff, chat_id, id } = removed
  await staff.ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
  here = await openReception(world)
  const { client: other } = await here.license.visit({ customer: { name: 'Other' } })
  const abroad = await world.license({})
  const { client: stranger } = await abroad.visit({ customer: { name: 'Stranger' } })
  strange = {
    "another customer's": (await other.ok('start_chat')).chat.id,
    "a removed customer's": chat_id,
    "another license's": (await stranger.ok('start_chat')).chat.id,
    "an agent's own": (await staff.ann.ok('start_chat')).chat.id,
    'what this customer would have in another license': customerChatId(abroad.id, here.id),
    'no chat': 'nosuch',
    'a thread': `${here.chat_id}_1`,
    'a part of a key': 'a#b',
    'what objects inherit': '__proto__',
  }
  await here.forget()
  await removed.forget()
})

test('every action of customers is here', () => {
  expect([...Object.keys(changing), ...reading, ...ofNoChat].toSorted()).toEqual(
    customerActions.map(({ name }) => name).toSorted(),
  )
})

const actions = [...Object.entries(changing), ...reading.map((name) => [name, undefined] as const)]

describe.each(actions)('%s is refused', (action, rest) => {
  const payload = (chat_id: string) => ({ chat_id, ...rest?.[0](chat_id) })

  test('to a connection that is not logged in, whatever it asks for', async () => {
    const early = await here.license.arrive()
    for (const asked of [payload(here.chat_id), {}, undefined])
      expect(await early.refused(action, asked)).toEqual(notLoggedIn)
  })

  test('for a chat that is not the customer’s own, as if there was none', async () => {
    for (const [what, chat] of Object.entries(strange))
      expect([what, await here.carl.refused(action, payload(chat))]).toEqual([what, notFound])
    await here.silence()
  })

  test('with validation first, whoever asks', async () => {
    for (const { carl } of [here, removed])
      expect(await carl.refused(action, { ...payload('c'), chat_id: 5 })).toMatchObject({
        ...{ type: 'validation', details: [{ path: 'payload.chat_id' }] },
      })
  })
})

test.each(Object.entries(changing))(
  '%s is refused to a customer whom an agent has removed, on each tab',
  async (action, [rest, sentence]) => {
    const { carl, tab, chat_id, silence } = removed
    for (const client of [carl, tab])
      expect(await client.refused(action, { chat_id, ...rest(chat_id) })).toEqual(denied(sentence))
    expect(await carl.refused(action, { chat_id: here.chat_id, ...rest(chat_id) })).toEqual(notFound)
    await silence()
  },
)
