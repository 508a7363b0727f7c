import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import * as z from 'zod/mini'
import { describe, expect, test } from 'vitest'
import { generated } from '../../infra/docs.ts'
import { action } from '../../shared/protocol/action.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import type { Endpoint } from '../../infra/asyncapi-endpoint.ts'
import { asyncapi } from '../../infra/asyncapi.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { errorTable } from '../../shared/protocol/errors.ts'
import { customerPushes } from '../../shared/protocol/customer-pushes.ts'
import { pushes } from '../../shared/protocol/pushes.ts'

const documentFile = join(import.meta.dirname, '../../asyncapi.json')
const parsed = async () => JSON.parse(await readFile(documentFile, 'utf8'))

const agents: Endpoint = {
  ...{ name: 'agent', summary: 'Agents.', host: 'a.example.com', pathname: '/v1' },
  ...{ actions: agentActions, pushes },
}

/** The two endpoints as they are, under the names that they have in the document. */
const endpoints = [
  ['agent', agentActions, pushes],
  ['customer', customerActions, customerPushes],
] as const

test.each(Object.entries(generated))('%s is what the tables make of it', async (file, text) => {
  const stands = await readFile(file, 'utf8')
  expect(stands, `${basename(file)} is out of date: npm run docs rewrites it`).toBe(await text())
})

describe('asyncapi.json', () => {
  test('has an operation for each action and each push of both endpoints, and nothing else', async () => {
    const { operations } = await parsed()
    expect(Object.keys(operations).toSorted()).toEqual(
      endpoints
        .flatMap(([endpoint, actions, pushed]) => [
          ...actions.map(({ name }) => `${endpoint}.${name}`),
          ...Object.keys(pushed).map((name) => `${endpoint}.${name}.push`),
        ])
        .toSorted(),
    )
    for (const [endpoint, actions, pushed] of endpoints) {
      const channel = { $ref: `#/channels/${endpoint}` }
      for (const { name, summary } of actions)
        expect(operations[`${endpoint}.${name}`]).toMatchObject({ action: 'receive', summary, channel })
      for (const [name, { summary }] of Object.entries(pushed))
        expect(operations[`${endpoint}.${name}.push`]).toMatchObject({ action: 'send', summary, channel })
    }
  })

  test("asks for the license in the address of the customers' endpoint alone", async () => {
    const { channels, servers } = await parsed()
    expect(Object.keys(servers)).toEqual(['agent', 'customer'])
    const { query } = channels.customer.bindings.ws
    expect(query).toMatchObject({ required: ['license_id'], properties: { license_id: { type: 'string' } } })
    expect(channels.agent).not.toHaveProperty('bindings')
  })

  test('shows each endpoint its own form of what has one name on both', async () => {
    const { components } = await parsed()
    const payload = (message: string) => components.messages[message].payload.properties.payload
    expect(payload('agent.incoming_event.push')).not.toEqual(payload('customer.incoming_event.push'))
    const { CustomerEvent, Event, CustomerChatUser, User } = components.schemas
    const recipients = (event: any) => event.oneOf.map(({ properties }: any) => properties.recipients)
    for (const one of recipients(CustomerEvent)) expect(one).toEqual({ type: 'string', const: 'all' })
    for (const one of recipients(Event)) expect(one).toEqual({ type: 'string', enum: ['all', 'agents'] })
    expect(CustomerChatUser.oneOf.map(({ properties }: any) => properties.type.const)).toEqual([
      ...['agent', 'customer'],
    ])
    expect(User.oneOf).toContainEqual({ $ref: '#/components/schemas/CustomerUser' })
  })

  test('writes down once what is the same for both, and refers to it', async () => {
    const { schemas } = (await parsed()).components
    for (const name of ['get_chat_threads.request', 'thread_closed.push', 'event_marked_as_seen.push']) {
      expect(schemas[`agent.${name}`]).toHaveProperty('properties')
      expect(schemas[`customer.${name}`]).toEqual({ $ref: `#/components/schemas/agent.${name}` })
    }
  })

  test('answers every action with its own response or the error, in the channel that it came by', async () => {
    const { operations, channels } = await parsed()
    for (const [endpoint, actions] of endpoints)
      for (const { name } of actions) {
        const { reply } = operations[`${endpoint}.${name}`]
        expect(reply.messages).toEqual([
          { $ref: `#/channels/${endpoint}/messages/${name}.response` },
          { $ref: `#/channels/${endpoint}/messages/error` },
        ])
        expect(channels[endpoint].messages).toHaveProperty([`${name}.response`])
      }
  })

  test('lists every error type with its code and its default sentence', async () => {
    const { components } = await parsed()
    const listed = components.schemas.Error.oneOf.map(({ properties: { type, code, message } }: any) => [
      type.const,
      { code: code.const, message: message.examples[0] },
    ])
    expect(Object.fromEntries(listed)).toEqual(errorTable)
  })

  test('describes requests as clients send them: null for what is optional, both spellings of the id', async () => {
    const { components } = await parsed()
    const { properties, required } = components.messages['agent.get_chat_threads'].payload
    expect(required).toEqual(['action', 'payload'])
    expect(Object.keys(properties)).toEqual(['id', 'request_id', 'action', 'payload'])
    const threads = components.schemas['agent.get_chat_threads.request']
    expect(threads.required).toEqual(['chat_id'])
    expect(threads.properties.thread_ids.anyOf).toContainEqual({ type: 'null' })
    expect(threads).not.toHaveProperty('additionalProperties')
    expect(components.messages['agent.start_chat'].payload.required).toEqual(['action'])
  })

  test('gives actions without a payload an answer without the key', async () => {
    const { components } = await parsed()
    const { properties, additionalProperties } = components.messages['agent.close_thread.response'].payload
    expect(Object.keys(properties)).not.toContain('payload')
    expect(additionalProperties).toBe(false)
    expect(components.messages['agent.send_event.response'].payload.required).toContain('payload')
    expect(components.messages['agent.ping.response'].payload.required).not.toContain('payload')
  })

  test('every reference in it leads somewhere', async () => {
    const whole = await parsed()
    const refs = [...JSON.stringify(whole).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = '']) => path)
    expect(refs.length).toBeGreaterThan(100)
    for (const path of refs) {
      const target = path.split('/').reduce((at: any, key) => at?.[key], whole)
      expect(target, path).toBeTypeOf('object')
    }
  })
})

describe('an AsyncAPI document', () => {
  const shout = action({
    name: 'login',
    summary: 'Logs a customer in.',
    request: z.object({ token: z.optional(z.string()) }),
    response: z.strictObject({ customer_id: z.string() }),
    ...{ needs: [], pushes: [], session: 'login', reads: [] },
  })
  const customers: Endpoint = {
    ...{ name: 'customer', summary: 'Customers.', host: 'c.example.com', pathname: '/v1' },
    actions: [shout],
    pushes: { incoming_event: { ...pushes.incoming_event, to: 'customers of the chat' } },
  }

  test('takes a second endpoint beside the first, with actions and pushes of the same names', async () => {
    const both: any = asyncapi('1.0.0', [agents, customers])
    const one: any = asyncapi('1.0.0', [agents])
    expect(Object.keys(both.channels)).toEqual(['agent', 'customer'])
    expect(both.channels.agent).toEqual(one.channels.agent)
    expect(both.components.messages['agent.login']).toEqual(one.components.messages['agent.login'])
    expect(both.components.schemas['customer.login.response'].properties).toHaveProperty('customer_id')
    expect(both.operations).toHaveProperty(['customer.incoming_event.push'])
  })

  test('changes with the tables: a field more is a document that differs', () => {
    const wider = { ...shout, response: z.strictObject({ customer_id: z.string(), token: z.string() }) }
    const before = asyncapi('1.0.0', [customers])
    expect(asyncapi('1.0.0', [{ ...customers, actions: [wider] }])).not.toEqual(before)
    expect(asyncapi('1.0.0', [customers])).toEqual(before)
  })
})
