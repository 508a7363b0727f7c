import { beforeAll, describe, expect, test } from 'vitest'
import type { Client, CustomerClient } from '../support/client.ts'
import { message } from '../support/events.ts'
import { ownMinutes } from '../support/minutes.ts'
import { startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  // nothing here is one too many
  world = await startWorld({ rates: { startChat: 100, sendEvent: 100, other: 100, addressFactor: 0 } })
})
const { nextMinute, secondsOn } = ownMinutes()

/** A customer in a chat with ann, in which ann has said three things. */
const chatting = async () => {
  const license = await world.license({ ann: {} })
  const ann = await license.login('ann')
  const { client, token } = await license.visit({ customer: { name: 'Carl' } })
  const { chat } = await client.ok('start_chat')
  const said: string[] = []
  for (const text of ['one', 'two', 'three']) {
    secondsOn(said.length)
    const { event } = await ann.ok('send_event', { chat_id: chat.id, event: message(text) })
    said.push(event.id)
  }
  nextMinute()
  await world.settled()
  await world.queue.flush()
  await ann.received()
  return {
    license,
    token,
    ann,
    client,
    chat_id: chat.id as string,
    thread_id: chat.thread.id as string,
    said,
  }
}
type Chatting = Awaited<ReturnType<typeof chatting>>

const told = async (of: Client | CustomerClient, name: string) =>
  (await of.received()).filter(({ action }) => action === name).map(({ payload }) => payload as any)

/** Each action that a customer can repeat: four requests, and what of each others hear. */
const repeated: [
  action: string,
  push: string,
  payload: (n: 0 | 1 | 2 | 3, scene: Chatting) => object,
  shown: (payload: any) => unknown,
  all: (scene: Chatting) => [first: unknown, last: unknown],
][] = [
  [
    'send_typing_indicator',
    'incoming_typing_indicator',
    (n) => ({ is_typing: n % 2 === 0 }),
    ({ typing_indicator }) => typing_indicator.is_typing,
    () => [true, false],
  ],
  [
    'send_sneak_peek',
    'incoming_sneak_peek',
    (n) => ({ sneak_peek_text: 'help'.slice(0, n + 1) }),
    ({ sneak_peek }) => sneak_peek.text,
    () => ['h', 'help'],
  ],
  [
    'mark_event_as_seen',
    'event_marked_as_seen',
    (n, { said }) => ({ event_id: said[Math.min(n, 2)] }),
    ({ event_id }) => event_id,
    ({ said }) => [said[0], said[2]],
  ],
  [
    'update_customer',
    'customer_updated',
    (n) => ({ customer: { name: `Carl ${n}` } }),
    ({ customer }) => customer.name,
    () => ['Carl 0', 'Carl 3'],
  ],
  [
    'update_chat_properties',
    'chat_properties_updated',
    (n) => ({ properties: { cart: { items: n } } }),
    ({ properties }) => properties.cart.items.value,
    () => [0, 3],
  ],
  [
    'update_chat_thread_properties',
    'chat_thread_properties_updated',
    (n, { thread_id }) => ({ thread_id, properties: { cart: { items: n } } }),
    ({ properties }) => properties.cart.items.value,
    () => [0, 3],
  ],
]

describe.each(repeated)('%s, again and again', (action, push, payload, shown, all) => {
  test('reaches others once a second: the first and, a second later, the last', async () => {
    const scene = await chatting()
    const { ann, client, chat_id } = scene
    const ask = (n: 0 | 1 | 2 | 3) => client.ok(action, { chat_id, ...payload(n, scene) })
    const [first, last] = all(scene)
    for (const n of [0, 1, 2, 3] as const) await ask(n)
    expect((await told(ann, push)).map(shown)).toEqual([first])
    const waiting = world.queue.pending()
    await world.queue.flush()
    expect((await told(ann, push)).map(shown)).toEqual([last])
    expect(world.queue.pending()).toBe(waiting - 1)
    await world.queue.flush()
    expect(await told(ann, push)).toEqual([])
  })
})

test('a second later it is told at once, and a removed property always is', async () => {
  const { ann, client, chat_id } = await chatting()
  const put = (value: unknown) =>
    client.ok('update_chat_properties', { chat_id, properties: { cart: { items: value } } })
  await put(1)
  secondsOn(1.1)
  await put(2)
  await put(null)
  const items = (await told(ann, 'chat_properties_updated')).map(
    ({ properties }) => properties.cart.items.value,
  )
  expect(items).toEqual([1, 2, null])
})

test('other tabs hear of details as agents do: of the first, and a second later of the last', async () => {
  const { license, token, client } = await chatting()
  const { client: tab } = await license.visit({ token })
  await world.settled()
  await world.queue.flush()
  nextMinute()
  await tab.received()
  const heard = async () => (await told(tab, 'customer_updated')).map(({ customer }) => customer.name)
  const resume = world.queue.hold()
  for (const n of [0, 1, 2]) await client.ok('update_customer', { customer: { name: `Carl ${n}` } })
  expect(await heard()).toEqual(['Carl 0'])
  resume()
  await world.queue.flush()
  expect(await heard()).toEqual(['Carl 2'])
})

test('details that logins bring keep the same pace', async () => {
  const { ann, token, client } = await chatting()
  const login = (name: string) => client.ok('login', { token, customer: { name } })
  const heard = async () => (await told(ann, 'customer_updated')).map(({ customer }) => customer.name)
  const resume = world.queue.hold()
  for (const n of [0, 1, 2]) await login(`Carl ${n}`)
  await client.ok('update_customer', { customer: { name: 'Carl 3' } })
  expect(await heard()).toEqual(['Carl 0'])
  resume()
  await world.queue.flush()
  expect(await heard()).toEqual(['Carl 3'])
})
