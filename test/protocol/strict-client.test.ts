import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { Client, type CustomerClient, type CustomerPushed } from '../support/client.ts'

// Every wire test relies on this client to fail where a frame goes beyond its contract.

let server: WebSocketServer
let url: string
const headers: (string | undefined)[] = []
beforeAll(async () => {
  server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', (_, request) => headers.push(request.headers.origin))
  await once(server, 'listening')
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  for (const socket of server.clients) socket.terminate()
  server.close()
})

/** Both ends of a connection. */
const connected = async <T>(open: () => Promise<T>): Promise<{ client: T; socket: WebSocket }> => {
  const connection = once(server, 'connection')
  const client = await open()
  const [socket] = await connection
  return { client, socket }
}
const agents = () => connected(() => Client.open(url))
const customers = () => connected(() => Client.open(url, { as: 'customer' }))

const push = (action: string, payload: unknown) => JSON.stringify({ action, type: 'push', payload })
const user = { id: 'ann', type: 'agent', name: 'Ann', present: true }
const event = { id: 'c_1_1', order: 1, timestamp: 1, recipients: 'all', type: 'message', text: 'hi' }
const thread = { id: 'c_1', timestamp: 1, active: true, user_ids: ['ann'], order: 1, events: [event] }
const chat = { id: 'c', users: [user], thread }
const scopes = { chat_id: 'c', scopes_added: { groups: [1] }, scopes_removed: {} }

describe.each([
  ['an agent', agents],
  ['a customer', customers],
] as const)('the client of %s', (_, open) => {
  test('takes pushes that are declared, in order, each once', async () => {
    const { client, socket } = await open()
    socket.send(push('incoming_chat_thread', { chat }))
    socket.send(push('chat_scopes_updated', scopes))
    const next = client.next.bind(client) as (name: string) => Promise<unknown>
    expect(await next('incoming_chat_thread')).toEqual({ chat })
    await expect(client.receivesNothing()).rejects.toThrow('Expected no push')
    await client.receivesNothing()
  })

  test.each([
    ['a push with a field more', push('chat_scopes_updated', { ...scopes, by: 'ann' })],
    ['a push with a field less', push('chat_scopes_updated', { ...scopes, chat_id: undefined })],
    ['a push with a field more within', push('incoming_chat_thread', { chat: { ...chat, topic: 'x' } })],
    ['a push that there is not', push('incoming_fax', {})],
    ['a push under a name that objects inherit', push('constructor', {})],
    [
      'a push with an id',
      JSON.stringify({ request_id: 1, action: 'chat_scopes_updated', type: 'push', payload: scopes }),
    ],
    ['an answer to ping with a payload', '{"action":"ping","type":"response","success":true,"payload":{}}'],
    ['an answer to nothing', '{"action":"fax","type":"response","success":true}'],
    ['an error without a code', '{"type":"response","success":false,"payload":{"error":{"type":"auth"}}}'],
    ['no JSON', 'pong'],
  ])('fails on %s, whatever is waited for', async (_, frame) => {
    const { client, socket } = await open()
    socket.send(frame)
    await expect(client.caughtUp()).rejects.toThrow()
    await expect(client.response()).rejects.toThrow()
  })
})

describe('what one endpoint may send and the other may not', () => {
  const agentsOnly = {
    'an event for agents only': push('incoming_event', {
      ...{ chat_id: 'c', thread_id: 'c_1', event: { ...event, recipients: 'agents' } },
    }),
    'the email of an agent': push('incoming_chat_thread', {
      chat: { ...chat, users: [{ ...user, email: 'ann@example.com' }] },
    }),
    'a supervisor': push('incoming_chat_thread', {
      chat: { ...chat, users: [{ ...user, type: 'supervisor' }] },
    }),
    'scopes that name agents': push('chat_scopes_updated', { ...scopes, scopes_added: { agents: ['ann'] } }),
    'a push of agents': push('customer_unbanned', { customer_id: 'carl' }),
    'an answer to an action of agents': '{"action":"join_chat","type":"response","success":true}',
  }

  test.each(Object.entries(agentsOnly))('%s: fine for an agent, not for a customer', async (_, frame) => {
    const [agent, customer] = [await agents(), await customers()]
    agent.socket.send(frame)
    customer.socket.send(frame)
    await agent.client.caughtUp()
    await expect(customer.client.caughtUp()).rejects.toThrow()
  })

  test.each([
    ['a push of customers', push('customer_disconnected', { reason: 'customer_banned' })],
    ['an answer to an action of customers', '{"action":"send_sneak_peek","type":"response","success":true}'],
  ])('%s: fine for a customer, not for an agent', async (_, frame) => {
    const [agent, customer] = [await agents(), await customers()]
    agent.socket.send(frame)
    customer.socket.send(frame)
    await customer.client.caughtUp()
    await expect(agent.client.caughtUp()).rejects.toThrow()
  })
})

test("an agent's presence is kept apart, and a customer's client has none", async () => {
  const { client, socket } = await agents()
  socket.send(push('agent_updated', { agent_id: 'ann', routing_status: 'offline' }))
  await client.receivesNothing()
  expect(client.presence).toHaveLength(1)
  expect(await client.eventually('agent_updated')).toMatchObject({ agent_id: 'ann' })
  const customer: CustomerClient = (await customers()).client
  expect(customer).not.toHaveProperty('presence')
})

test('what a customer was pushed can be had at once, and is forgotten then', async () => {
  const { client, socket } = await customers()
  const leaving = { reason: 'license_expired' } as const
  socket.send(push('chat_scopes_updated', scopes))
  socket.send(push('customer_disconnected', leaving))
  const got: CustomerPushed[] = await client.received()
  expect(got).toEqual([
    { action: 'chat_scopes_updated', payload: scopes },
    { action: 'customer_disconnected', payload: leaving },
  ])
  await client.receivesNothing()
})

test('a handshake says what it is given, of both', async () => {
  headers.length = 0
  await Client.open(url, { headers: { origin: 'https://a.example' } })
  await Client.open(url, { as: 'customer', headers: { origin: 'https://b.example' } })
  await customers()
  expect(headers).toEqual(['https://a.example', 'https://b.example', undefined])
})
