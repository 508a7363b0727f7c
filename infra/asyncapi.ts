import type { ActionSpec } from '../shared/protocol/action.ts'
import { deadlines, limits } from '../shared/protocol/limits.ts'
import { collect, type Endpoint, type Json, ref } from './asyncapi-endpoint.ts'
import { allMessages } from './asyncapi-messages.ts'
import { schemasOf } from './asyncapi-schemas.ts'

const inChannel = (channel: string, message: string): Json => ({
  $ref: `#/channels/${channel}/messages/${message}`,
})
const byName = <T>(names: readonly string[], make: (name: string) => T): Record<string, T> =>
  Object.fromEntries(names.map((name) => [name, make(name)]))

/** What there is to say of an action beside its schemas. */
export const described = ({ pushes, denied, tokenScopes, session }: ActionSpec): string =>
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
    messages: allMessages(endpoints),
    schemas: schemasOf(endpoints),
  },
})
