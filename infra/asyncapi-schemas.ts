import * as z from 'zod/mini'
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
import { limits } from '../shared/protocol/limits.ts'
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
import { collect, type Endpoint, type Json, schemaRef } from './asyncapi-endpoint.ts'

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

/**
 * JSON schemas of all of `schemas`, each by its name; where one is part of another, that one refers to it.
 */
const jsonSchemas = (schemas: Readonly<Record<string, z.core.$ZodType>>, io: 'input' | 'output'): Json => {
  const registry = z.registry<{ id: string }>()
  // a schema that both endpoints share has the name that comes first, and the others refer to it
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
      // a value that is read as anything, and checked after that
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

const withDetails = ['validation', 'too_many_requests', 'auth', 'authorization', 'not_found']

const errorSchema: Json = {
  description: "`message` is the action's own sentence where it has one, else the default of the type.",
  oneOf: Object.entries(errorTable).map(([type, { code, message }]) => ({
    title: type,
    type: 'object',
    properties: {
      type: { const: type },
      code: { const: code },
      message: { type: 'string', examples: [message] },
      // the details say what is wrong and where, over HTTP of headers and paths too, and of too many requests
      // when to try again
      ...(withDetails.includes(type) ? { details: schemaRef('ErrorDetails') } : {}),
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

/** All schemas of the document, by their names. */
export const schemasOf = (endpoints: readonly Endpoint[]): Json => ({
  RequestId: requestId,
  Error: errorSchema,
  ErrorDetails: errorDetails,
  ...jsonSchemas({ ...sent, ...collect(endpoints, requestSchemas) }, 'input'),
  ...jsonSchemas({ ...received, ...collect(endpoints, answerSchemas) }, 'output'),
})
