import * as z from 'zod/mini'
import type { ActionSpec } from '../shared/protocol/action.ts'
import { CustomerDetails } from '../shared/protocol/customer-fields.ts'
import {
  CustomerChatSummary,
  CustomerChatUser,
  CustomerChatWithThread,
  CustomerEvent,
  CustomerScopes,
  CustomerThread,
  Myself,
} from '../shared/protocol/customer-objects.ts'
import { errorTable } from '../shared/protocol/errors.ts'
import { ContentText, Event, NewCustomerEvent, NewEvent, NewInitialEvent } from '../shared/protocol/events.ts'
import { GroupScopes, Scopes } from '../shared/protocol/fields.ts'
import { deadlines, limits } from '../shared/protocol/limits.ts'
import {
  ChatSummary,
  ChatWithThread,
  Colleague,
  CustomerUser,
  Group,
  License,
  Monitoring,
  MyProfile,
  ScopesOutput,
  Thread,
  User,
} from '../shared/protocol/objects.ts'
import { NewProperties, PropertiesOutput } from '../shared/protocol/properties.ts'

/** One WebSocket endpoint, as its tables describe it. */
export interface Endpoint {
  /** `agent` or `customer`: names its server, its channel and its messages. */
  readonly name: string
  readonly summary: string
  /** Where it is found; variables of the address in braces. */
  readonly host: string
  readonly pathname: string
  /** What the address must say besides, by name: what each parameter is. */
  readonly query?: Readonly<Record<string, string>>
  readonly actions: readonly ActionSpec[]
  readonly pushes: Readonly<Record<string, { summary: string; to: string; payload: z.core.$ZodType }>>
}

type Json = Record<string, unknown>

// objects that have a name in protocol §3, and so one in the document: as clients send them, and as they get
// them
const sent = {
  NewEvent,
  NewInitialEvent,
  NewCustomerEvent,
  NewProperties,
  NewScopes: Scopes,
  NewGroupScopes: GroupScopes,
  CustomerDetails,
  Content: ContentText,
}
const received = {
  Event,
  Thread,
  User,
  ChatWithThread,
  ChatSummary,
  License,
  MyProfile,
  Colleague,
  Group,
  Properties: PropertiesOutput,
  Scopes: ScopesOutput,
  CustomerUser,
  Monitoring,
  CustomerEvent,
  CustomerThread,
  CustomerChatUser,
  CustomerChatWithThread,
  CustomerChatSummary,
  CustomerScopes,
  Myself,
}

const ref = (kind: string, name: string): Json => ({ $ref: `#/components/${kind}/${name}` })
const schemaRef = (name: string): Json => ref('schemas', name)
const inChannel = (channel: string, message: string): Json => ({
  $ref: `#/channels/${channel}/messages/${message}`,
})
const byName = <T>(names: readonly string[], make: (name: string) => T): Record<string, T> =>
  Object.fromEntries(names.map((name) => [name, make(name)]))

/**
 * JSON schemas of all of `schemas`, each by its name; where one is part of another, that one refers to it.
 */
const jsonSchemas = (schemas: Readonly<Record<string, z.core.$ZodType>>, io: 'input' | 'output'): Json => {
  const registry = z.registry<{ id: string }>()
  // what both endpoints share has the name that comes first, and the others refer to it
  const again: Json = {}
  for (const [id, schema] of Object.entries(schemas)) {
    const first = registry.get(schema)
    if (first === undefined) registry.add(schema, { id })
    else again[id] = schemaRef(first.id)
  }
  const { schemas: made } = z.toJSONSchema(registry, {
    io,
    target: 'draft-07',
    uri: (id) => `#/components/schemas/${id}`,
    override: ({ zodSchema, jsonSchema }) => {
      // what is checked after it was read as anything
      if (zodSchema === ContentText) jsonSchema.type = 'object'
    },
  })
  return {
    ...Object.fromEntries(
      Object.entries(made).map(([name, { $schema: _, $id: __, ...schema }]) => [name, schema]),
    ),
    ...again,
  }
}

const requestSchemas = ({ name: endpoint, actions }: Endpoint) =>
  Object.fromEntries(actions.map(({ name, request }) => [`${endpoint}.${name}.request`, request]))

const answerSchemas = ({ name: endpoint, actions, pushes }: Endpoint) =>
  Object.fromEntries([
    ...actions.flatMap(({ name, response }): [string, z.core.$ZodType][] =>
      response === null ? [] : [[`${endpoint}.${name}.response`, response]],
    ),
    ...Object.entries(pushes).map(([name, { payload }]): [string, z.core.$ZodType] => [
      `${endpoint}.${name}.push`,
      payload,
    ]),
  ])

const echoed = { id: schemaRef('RequestId'), request_id: schemaRef('RequestId') }
const correlated = { correlationId: ref('correlationIds', 'request_id') }

const requestMessage = (endpoint: string, spec: ActionSpec): Json => {
  const payload = schemaRef(`${endpoint}.${spec.name}.request`)
  const optional = z.safeParse(spec.request, {}).success
  return {
    name: spec.name,
    title: `${spec.name}: request`,
    ...correlated,
    payload: {
      type: 'object',
      properties: {
        ...echoed,
        action: { const: spec.name },
        payload: optional ? { anyOf: [payload, { type: 'null' }] } : payload,
      },
      required: optional ? ['action'] : ['action', 'payload'],
    },
  }
}

const responseMessage = (endpoint: string, spec: ActionSpec): Json => {
  const carries = spec.response !== null
  const always = spec.response !== null && !z.safeParse(spec.response, undefined).success
  return {
    name: `${spec.name}.response`,
    title: `${spec.name}: answer`,
    ...correlated,
    payload: {
      type: 'object',
      properties: {
        ...echoed,
        action: { const: spec.name },
        type: { const: 'response' },
        success: { const: true },
        ...(carries ? { payload: schemaRef(`${endpoint}.${spec.name}.response`) } : {}),
      },
      required: ['action', 'type', 'success', ...(always ? ['payload'] : [])],
      additionalProperties: false,
    },
  }
}

const pushMessage = (endpoint: string, name: string, { summary, to }: { summary: string; to: string }) => ({
  name,
  title: `${name}: push`,
  summary,
  description: `To ${to}.`,
  payload: {
    type: 'object',
    properties: {
      action: { const: name },
      type: { const: 'push' },
      payload: schemaRef(`${endpoint}.${name}.push`),
    },
    required: ['action', 'type', 'payload'],
    additionalProperties: false,
  },
})

const errorMessage: Json = {
  name: 'error',
  title: 'Any action: error',
  summary: 'What a request that is refused is answered with.',
  ...correlated,
  payload: {
    type: 'object',
    properties: {
      ...echoed,
      action: { type: 'string', maxLength: limits.requestIdLength },
      type: { const: 'response' },
      success: { const: false },
      payload: {
        type: 'object',
        properties: { error: schemaRef('Error') },
        required: ['error'],
        additionalProperties: false,
      },
    },
    required: ['type', 'success', 'payload'],
    additionalProperties: false,
  },
}

const errorSchema: Json = {
  description: "`message` is the action's own sentence where it has one, else the default of the type.",
  oneOf: Object.entries(errorTable).map(([type, { code, message }]) => ({
    title: type,
    type: 'object',
    properties: {
      type: { const: type },
      code: { const: code },
      message: { type: 'string', examples: [message] },
      // what is wrong and where; of the other types, too many requests alone may say when to try again
      ...(['validation', 'too_many_requests'].includes(type) ? { details: schemaRef('ErrorDetails') } : {}),
    },
    required: ['type', 'code', 'message'],
    additionalProperties: false,
  })),
}

const errorDetails: Json = {
  type: 'array',
  items: {
    type: 'object',
    properties: {
      path: { type: 'string', examples: ['payload.event.text'] },
      message: { type: 'string' },
    },
    required: ['path', 'message'],
    additionalProperties: false,
  },
}

const requestId: Json = {
  description:
    'Chosen by the client and repeated in the answer, under the name and with the type it came: `id` is the older name of `request_id`.',
  anyOf: [{ type: 'string', minLength: 1, maxLength: limits.requestIdLength }, { type: 'number' }],
}

const described = ({ pushes, denied, tokenScopes, session }: ActionSpec): string =>
  [
    session === 'required' ? 'After `login`.' : 'At any time.',
    ...(pushes.length > 0 ? [`May push ${pushes.map((name) => `\`${name}\``).join(', ')}.`] : []),
    ...(denied === undefined ? [] : [`\`authorization\` says "${denied}"`]),
    ...(tokenScopes === undefined
      ? []
      : [`A restricted token needs one of ${tokenScopes.any.map((scope) => `\`${scope}\``).join(', ')}.`]),
    ...(tokenScopes?.forSelf === undefined
      ? []
      : [`For oneself ${tokenScopes.forSelf.map((scope) => `\`${scope}\``).join(', ')} is enough.`]),
  ].join(' ')

const querySchema = (query: Readonly<Record<string, string>>): Json => ({
  type: 'object',
  properties: byName(Object.keys(query), (name) => ({ type: 'string', description: query[name] })),
  required: Object.keys(query),
})

const channelOf = ({ name, summary, query, actions, pushes }: Endpoint): Json => ({
  address: null,
  summary,
  servers: [{ $ref: `#/servers/${name}` }],
  ...(query === undefined ? {} : { bindings: { ws: { query: querySchema(query) } } }),
  messages: Object.fromEntries(
    [
      ...actions.flatMap((spec) => [spec.name, `${spec.name}.response`]),
      ...Object.keys(pushes).map((push) => `${push}.push`),
    ]
      .map((message): [string, Json] => [message, ref('messages', `${name}.${message}`)])
      .concat([['error', ref('messages', 'error')]]),
  ),
})

const operationsOf = ({ name: endpoint, actions, pushes }: Endpoint): Json => {
  const channel = { $ref: `#/channels/${endpoint}` }
  const receive = (spec: ActionSpec): [string, Json] => [
    `${endpoint}.${spec.name}`,
    {
      action: 'receive',
      channel,
      title: spec.name,
      summary: spec.summary,
      description: described(spec),
      messages: [inChannel(endpoint, spec.name)],
      reply: {
        channel,
        messages: [inChannel(endpoint, `${spec.name}.response`), inChannel(endpoint, 'error')],
      },
    },
  ]
  const send = ([name, { summary }]: [string, { summary: string }]): [string, Json] => [
    `${endpoint}.${name}.push`,
    { action: 'send', channel, title: name, summary, messages: [inChannel(endpoint, `${name}.push`)] },
  ]
  return Object.fromEntries([...actions.map(receive), ...Object.entries(pushes).map(send)])
}

const messagesOf = ({ name: endpoint, actions, pushes }: Endpoint): Json =>
  Object.fromEntries([
    ...actions.flatMap((spec) => [
      [`${endpoint}.${spec.name}`, requestMessage(endpoint, spec)],
      [`${endpoint}.${spec.name}.response`, responseMessage(endpoint, spec)],
    ]),
    ...Object.entries(pushes).map(([name, push]) => [
      `${endpoint}.${name}.push`,
      pushMessage(endpoint, name, push),
    ]),
  ])

const serverOf = ({ summary, host, pathname }: Endpoint): Json => ({
  host,
  pathname,
  protocol: 'wss',
  summary,
  variables: byName(
    [...`${host}${pathname}`.matchAll(/\{(\w+)\}/g)].flatMap(([, name]) => name ?? []),
    (name) => ({ description: `The ${name} that the stack was deployed to; its outputs name the address.` }),
  ),
})

const collect = <T>(
  endpoints: readonly Endpoint[],
  of: (endpoint: Endpoint) => Record<string, T>,
): Record<string, T> => Object.fromEntries(endpoints.flatMap((endpoint) => Object.entries(of(endpoint))))

/**
 * The whole protocol as an AsyncAPI 3.0 document, seen from the server: it receives requests and sends
 * pushes.
 */
export const asyncapi = (version: string, endpoints: readonly Endpoint[]): Json => ({
  asyncapi: '3.0.0',
  info: {
    title: 'Agent chat',
    version,
    description: [
      `Every text frame is one JSON object of at most ${limits.requestBytes / 1024} KiB; answers and pushes stay below ${limits.frameBytes / 1024} KiB.`,
      'Every request is answered exactly once; answers and pushes may come in any order. Requests of one connection that are under way together have no order either: await each answer before the next request about the same chat. Unknown fields of a request are ignored, `null` on an optional one is absence. `maxLength` counts bytes of UTF-8.',
      `Within ${deadlines.abortMs / 1000} s comes an answer: \`too_many_requests\` says that nothing was stored, \`request_timeout\` that this is unknown.`,
    ].join(' '),
    license: { name: 'MIT' },
  },
  defaultContentType: 'application/json',
  servers: Object.fromEntries(endpoints.map((endpoint) => [endpoint.name, serverOf(endpoint)])),
  channels: Object.fromEntries(endpoints.map((endpoint) => [endpoint.name, channelOf(endpoint)])),
  operations: collect(endpoints, operationsOf),
  components: {
    correlationIds: {
      request_id: {
        description: 'The answer repeats `request_id`, or `id` where that came.',
        location: '$message.payload#/request_id',
      },
    },
    messages: { ...collect(endpoints, messagesOf), error: errorMessage },
    schemas: {
      RequestId: requestId,
      Error: errorSchema,
      ErrorDetails: errorDetails,
      ...jsonSchemas({ ...sent, ...collect(endpoints, requestSchemas) }, 'input'),
      ...jsonSchemas({ ...received, ...collect(endpoints, answerSchemas) }, 'output'),
    },
  },
})
