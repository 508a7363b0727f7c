import * as z from 'zod/mini'
import { type ActionSpec, isOverHttp } from '../shared/protocol/action.ts'
import { httpPath } from '../shared/protocol/agent/index.ts'
import { errorTable } from '../shared/protocol/errors.ts'
import { limits } from '../shared/protocol/limits.ts'
import { described } from './asyncapi.ts'
import { type Endpoint, type Json, schemaRef } from './asyncapi-endpoint.ts'
import { schemasOf } from './asyncapi-schemas.ts'

const json = (schema: Json): Json => ({ 'application/json': { schema } })

const statuses = [...new Set(Object.values(errorTable).map(({ code }) => code))]

const operationOf = (spec: ActionSpec): Json => {
  const { name, summary, request, response } = spec
  return {
    operationId: name,
    summary,
    description: described({ ...spec, session: 'none' }).replace(/^At any time\. ?/, ''),
    ...(name === 'send_event' && { parameters: [{ $ref: '#/components/parameters/IdempotencyKey' }] }),
    requestBody: {
      required: !z.safeParse(request, {}).success,
      content: json(schemaRef(`agent.${name}.request`)),
    },
    responses: {
      200: {
        description: 'It is done.',
        content: json(
          response === null ? { type: 'object', maxProperties: 0 } : schemaRef(`agent.${name}.response`),
        ),
      },
      ...Object.fromEntries(statuses.map((code) => [code, { $ref: '#/components/responses/Error' }])),
    },
  }
}

const securitySchemes: Json = {
  token: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'An access token of the agent.',
  },
}

const idempotencyKey: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'Stands in for a `custom_id` that the event has not: sent again with the same one, it is answered as before.',
  schema: { type: 'string', minLength: 1, maxLength: limits.idBytes },
}

/** The schemas that are referred to from here, and from there on. */
const reachable = (from: Json, schemas: Json): Json => {
  const found = new Set<string>()
  const visit = (value: unknown): void => {
    for (const [, name = ''] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (found.has(name)) continue
      found.add(name)
      visit(schemas[name])
    }
  }
  visit(from)
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => found.has(name)))
}

/** What agents may ask for over HTTP, as an OpenAPI 3.1 document. */
export const openapi = (version: string, endpoint: Endpoint): Json => {
  const actions = endpoint.actions.filter(isOverHttp)
  const paths = Object.fromEntries(actions.map((spec) => [httpPath(spec.name), { post: operationOf(spec) }]))
  const responses = {
    Error: {
      description: 'Why it is refused; its `code` is the status.',
      content: json({
        type: 'object',
        properties: { error: schemaRef('Error') },
        required: ['error'],
        additionalProperties: false,
      }),
    },
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Agent chat over HTTP',
      version,
      description: [
        `The actions of agents that need no connection. A body is one JSON object of at most ${limits.requestBytes / 1024} KiB, none is an empty one; answers stay below ${limits.frameBytes / 1024} KiB.`,
        'The agent of the token asks: it is not online by it, and hears no pushes. Its rate limits are those of its connections. Unknown fields of a request are ignored, `null` on an optional one is absence. `maxLength` counts bytes of UTF-8. The paths in `details` begin with `payload`, which is the body.',
      ].join(' '),
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [
      {
        url: 'https://{api}.execute-api.{region}.amazonaws.com',
        description: 'The output `HttpUrl` of the stack.',
        variables: {
          api: { default: 'api', description: 'The id of the API.' },
          region: { default: 'eu-west-1', description: 'The region that the stack was deployed to.' },
        },
      },
    ],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes,
      parameters: { IdempotencyKey: idempotencyKey },
      responses,
      schemas: reachable({ paths, responses }, schemasOf([{ ...endpoint, actions, pushes: {} }])),
    },
  }
}
