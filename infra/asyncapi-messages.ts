import * as z from 'zod/mini'
import type { ActionSpec } from '../shared/protocol/action.ts'
import { limits } from '../shared/protocol/limits.ts'
import { collect, type Endpoint, type Json, ref, schemaRef } from './asyncapi-endpoint.ts'

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

/** All messages of the document, by their names. */
export const allMessages = (endpoints: readonly Endpoint[]): Json => ({
  ...collect(endpoints, messagesOf),
  error: errorMessage,
})
