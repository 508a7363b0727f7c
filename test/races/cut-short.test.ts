import { afterEach, beforeAll, expect, test, vi } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { changeLicense } from '../../shared/provisioning/change-license.ts'
import { readCustomer } from '../../shared/table/customers.ts'
import { readCustomerSockets } from '../../shared/table/socket-lists.ts'
import { readSocket } from '../../shared/table/sockets.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { calm } from './holding.ts'

let world: World
beforeAll(async () => {
  // what is put off for later is done by `calm` alone
  world = await sharedWorld({ delayScale: 1000 })
})
afterEach(() => {
  vi.useRealTimers()
  world.proxy.setFault(undefined)
})

/** Holds the next transaction about this, until it is let go. */
const holdTransaction = (about: string) => {
  const over = Promise.withResolvers<undefined>()
  const reached = Promise.withResolvers<void>()
  let held = false
  world.proxy.setFault(({ operation, request }) => {
    if (held || operation !== 'TransactWriteItems' || !JSON.stringify(request).includes(about))
      return undefined
    held = true
    reached.resolve()
    return over.promise
  })
  return { reached: reached.promise, letGo: () => over.resolve(undefined) }
}

test('a license that is extended keeps the customers of its active chats connected', async () => {
  const license = await world.license({ ann: {} })
  await license.login('ann')
  const { client, id } = await license.visit()
  await client.ok('start_chat')
  const expires_at = Math.floor(Date.now() / 1000) + 10 * 24 * 3600
  await changeLicense(world.table, license.id, { expires_at })
  await calm(world)
  const rows = await readCustomerSockets(world.table.read, license.id, id)
  expect(rows.map((row) => row.license_expires_at)).toEqual([expires_at])
  const socket = await readSocket(world.table.read, rows[0]!.connection, Date.now())
  expect(socket?.session?.license_expires_at).toBe(expires_at)
})

test('start_chat that died before its pushes is told of when it comes again with its custom_id', async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const license = await world.license({ ann: {} })
  const ann = await license.login('ann')
  const { client } = await license.visit()
  let isWritten = false
  world.proxy.setFault(({ operation, request }) => {
    if (!JSON.stringify(request).includes(license.id)) return undefined
    if (operation === 'TransactWriteItems') isWritten = true
    const dies = isWritten && operation !== 'TransactWriteItems' && operation !== 'UpdateItem'
    return dies ? { errorType: 'InternalServerError' } : undefined
  })
  const chat = { thread: { events: [{ type: 'message', text: 'help', custom_id: 'c1' }] } }
  expect((await client.call('start_chat', { chat })).success).toBe(false)
  world.proxy.setFault(undefined)
  await calm(world)
  await ann.received()

  vi.setSystemTime(Date.now() + 2500)
  const again = await client.ok('start_chat', { chat })
  expect(again.chat.thread.events.filter(({ text }: any) => text === 'help')).toHaveLength(1)
  const { chat: shown } = await ann.next('incoming_chat_thread')
  expect(shown.id).toBe(again.chat.id)
  expect(await ann.next('incoming_event')).toMatchObject({ event: { text: 'help', order: 1 } })
})

test('a customer who closes its only tab while its first chat starts is offline then', async () => {
  const license = await world.license({ ann: {} })
  await license.login('ann')
  const { client, id } = await license.visit()
  const { reached, letGo } = holdTransaction(id)
  client.send(JSON.stringify({ action: 'start_chat', payload: {} }))
  await reached
  await client.close()
  await world.stream.settled()
  letGo()
  await calm(world)
  await calm(world)
  expect(await readCustomer(world.table.read, license.id, id)).toMatchObject({ threads: 1, online: false })
})

test('an agent who is suspended while its customer comes back does not keep the chat', async () => {
  const license = await world.license({ ann: {}, ben: {} })
  const ann = await license.login('ann')
  const { client } = await license.visit()
  const { chat } = await client.ok('start_chat')
  await ann.ok('close_thread', { chat_id: chat.id })
  await license.login('ben')
  await calm(world)
  const { reached, letGo } = holdTransaction(chat.id)
  const starting = client.ok('start_chat')
  await reached
  await changeAgent(world.table, license.id, 'ann', { suspended: true })
  await world.stream.settled()
  letGo()
  await starting
  await calm(world)
  const { chat: now } = await client.ok('get_chat_threads', { chat_id: chat.id })
  const isPresent = (agent: string) => now.users.find(({ id }: any) => id === agent)?.present
  expect([isPresent('ann'), isPresent('ben')]).toEqual([false, true])
})

test('a ban frees its agent for the chat that waits', async () => {
  const license = await world.license({ ann: { max_chats: 1 } })
  const ann = await license.login('ann')
  const one = await license.visit()
  await one.client.ok('start_chat')
  const { client } = await license.visit()
  const { chat } = await client.ok('start_chat')
  expect(chat.properties.routing.unassigned.value).toBe(true)
  await ann.ok('ban_customer', { customer_id: one.id, ban: { days: 1 } })
  await calm(world)
  const { chat: now } = await client.ok('get_chat_threads', { chat_id: chat.id })
  expect(now.properties.routing.unassigned.value).toBe(false)
})
