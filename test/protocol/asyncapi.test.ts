import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Parser } from '@asyncapi/parser'
import * as z from 'zod/mini'
import { describe, expect, test } from 'vitest'
import { generated } from '../../infra/docs.ts'
import { action } from '../../shared/protocol/action.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { asyncapi, type Endpoint } from '../../shared/protocol/asyncapi.ts'
import { errorTable } from '../../shared/protocol/errors.ts'
import { pushes } from '../../shared/protocol/pushes.ts'

const documentFile = join(import.meta.dirname, '../../asyncapi.json')
const checkedIn = () => readFile(documentFile, 'utf8')
const parsed = async () => JSON.parse(await checkedIn())

/** What the official parser has to say against a document. */
const complaints = async (text: string) => {
  const { document: read, diagnostics } = await new Parser().parse(text)
  const found = diagnostics
    .filter(({ code }) => code !== 'asyncapi-latest-version')
    .map(({ code, message, path }) => `${code} at ${path.join('.')}: ${message}`)
  return read === undefined && found.length === 0 ? ['unreadable'] : found
}

const agents: Endpoint = {
  ...{ name: 'agent', summary: 'Agents.', host: 'a.example.com', pathname: '/v1' },
  ...{ actions: agentActions, pushes },
}

test.each(Object.entries(generated))('%s is what the tables make of it', async (file, text) => {
  const stands = await readFile(file, 'utf8')
  expect(stands, `${basename(file)} is out of date: npm run docs rewrites it`).toBe(await text())
})

describe('asyncapi.json', () => {
  test('is valid AsyncAPI 3 by the official parser, without a warning', async () => {
    expect(await complaints(await checkedIn())).toEqual([])
  })

  test('has an operation for each action and each push, and nothing else', async () => {
    const { operations } = await parsed()
    expect(Object.keys(operations).toSorted()).toEqual(
      [
        ...agentActions.map(({ name }) => `agent.${name}`),
        ...Object.keys(pushes).map((name) => `agent.${name}.push`),
      ].toSorted(),
    )
    for (const { name, summary } of agentActions)
      expect(operations[`agent.${name}`]).toMatchObject({ action: 'receive', summary })
    for (const [name, { summary }] of Object.entries(pushes))
      expect(operations[`agent.${name}.push`]).toMatchObject({ action: 'send', summary })
  })

  test('answers every action with its own response or the error, in the channel that it came by', async () => {
    const { operations, channels } = await parsed()
    for (const { name } of agentActions) {
      const { reply } = operations[`agent.${name}`]
      expect(reply.messages).toEqual([
        { $ref: `#/channels/agent/messages/${name}.response` },
        { $ref: '#/channels/agent/messages/error' },
      ])
      expect(channels.agent.messages).toHaveProperty([`${name}.response`])
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
    const { properties, additionalProperties } = components.messages['agent.ping.response'].payload
    expect(Object.keys(properties)).not.toContain('payload')
    expect(additionalProperties).toBe(false)
    expect(components.messages['agent.send_event.response'].payload.required).toContain('payload')
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
    expect(await complaints(JSON.stringify(both))).toEqual([])
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
