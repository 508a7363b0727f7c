import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { BatchWriteCommand, DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { unmarshall } from '@aws-sdk/util-dynamodb'
import { createAgent } from '../../shared/provisioning/change-agent.ts'
import { createGroup } from '../../shared/provisioning/change-group.ts'
import { changeLicense, createLicense } from '../../shared/provisioning/change-license.ts'
import { localClientConfig, startEngine } from '../../infra/local/engine/engine.ts'
import type { LoadHandlers } from '../../infra/local/handlers.ts'
import type { StackOptions } from '../../infra/local/stack-options.ts'
import { startStack } from '../../infra/local/stack.ts'
import { mintToken, openTokenKey } from '../../infra/local/secrets/token-key.ts'
import type { Key } from '../../shared/table/keys.ts'
import type { Attributes } from '../../shared/table/ops.ts'
import { type Call, startEngineProxy } from '../support/engine-proxy.ts'
import { addressWord } from './check-access.ts'
import type { OpenFaults } from './faults.ts'
import type { AgentRecord, ChatState, CustomerState, LicenseRecord } from './history.ts'

const issuer = 'https://issuer.faults'
const audience = 'faults'
const dayS = 24 * 3600
const onlyOwnScopes = 'chats--my:read chats.conversation--my:write chats.meta--my:write agents--my:write'

/** The chats that a call wrote, or may have written, with when that was. */
const chatStatesOf = ({ request, engine }: Call): ChatState[] => {
  if (engine === undefined || (engine.status !== 200 && engine.status !== 'unknown')) return []
  const { TransactItems: items = [], Item } = request as {
    TransactItems?: { Put?: { Item: any } }[]
    Item?: any
  }
  return [...items.map(({ Put }) => Put?.Item), Item].flatMap((item) => {
    if (item?.sk?.S !== 'CHAT') return []
    const {
      id,
      license_id,
      version,
      users,
      scopes,
      thread,
      active,
      followers = [],
    } = unmarshall(item) as ChatState
    const { sentAt, endedAt, status } = engine
    const state = { id, license_id, version, users, scopes, thread, active, followers }
    return [{ ...state, sentAt, endedAt, certain: status === 200 }]
  })
}

/** The details of customers that a call wrote, or may have written. */
const customerStatesOf = ({ request, engine }: Call): CustomerState[] => {
  if (engine === undefined || (engine.status !== 200 && engine.status !== 'unknown')) return []
  const { sentAt, endedAt, status } = engine
  const { TransactItems: items = [], ...single } = request as { TransactItems?: { Update?: any }[] }
  return [...items.map(({ Update }) => Update), single as any].flatMap((update) => {
    const [table, license_id = '', id = ''] = String(update?.Key?.pk?.S).split('#')
    if (table !== 'CUSTOMER' || update.Key.sk.S !== 'CUSTOMER') return []
    const given = unmarshall(update.ExpressionAttributeValues ?? {})
    const sets = String(update.UpdateExpression).matchAll(/#(\w+) = (:\w+)/g)
    const { name, email, properties, version } = Object.fromEntries(
      [...sets].map(([, attribute, value = '']) => [attribute, given[value]]),
    )
    if (properties === undefined) return []
    const state = { id, license_id, version, name, email, properties }
    return [{ ...state, sentAt, endedAt, certain: status === 200 }]
  })
}

/**
 * The people of a license: of every permission, in and out of its groups, one whose token is for its own
 * chats alone.
 */
const peopleOf = (marker: string): AgentRecord[] => {
  const of = (name: string, rest: Omit<AgentRecord, 'id'>): AgentRecord => ({
    id: `${name}${marker}`,
    ...rest,
  })
  return [
    of('olga', { permission: 'owner', groups: [] }),
    of('adam', { permission: 'administrator', groups: [1] }),
    of('nina', { permission: 'normal', groups: [1] }),
    of('nick', { permission: 'normal', groups: [2] }),
    of('noel', { permission: 'normal', groups: [] }),
    of('mia', { permission: 'normal', groups: [2], onlyOwn: true }),
    // of whom one follows and is cut off
    of('fay', { permission: 'administrator', groups: [] }),
    of('finn', { permission: 'normal', groups: [1] }),
  ]
}

const crowdGroups = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
const crowdName = 'crowd'

/** Agents who do nothing but hear. */
const crowdOf = (marker: string, count: number): AgentRecord[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `${crowdName}${n}${marker}`,
    permission: 'normal',
    groups: [1 + (n % crowdGroups.length)],
  }))

export const isOfCrowd = ({ id }: AgentRecord): boolean => id.startsWith(crowdName)

/** How soon things come that are waited for. */
export type Pace = Required<Pick<StackOptions, 'presenceGraceS' | 'queueRetryMs' | 'streamPollMs'>>

/** What customers may ask for in a minute. */
export type Rates = NonNullable<StackOptions['rates']>

interface Settings {
  pace: Pace
  rates: Rates
  /** How many more agents the second license has, all with its own groups. */
  crowd: number
}

export type Stand = Awaited<ReturnType<typeof startStand>>

/**
 * The whole stack with faults on every side: three licenses with their people on an engine that can be
 * killed.
 */
export const startStand = async (
  handlers: LoadHandlers,
  faults: OpenFaults,
  { pace, rates, crowd }: Settings,
) => {
  // what fails here is meant to
  process.env['POWERTOOLS_LOG_LEVEL'] ??= 'SILENT'
  const dir = await mkdtemp(join(tmpdir(), 'agent-chat-faults-'))
  let engine = await startEngine({ dir })
  const [states, customers]: [ChatState[], CustomerState[]] = [[], []]
  const proxy = await startEngineProxy(engine.endpoint, {
    onCall: (call) => {
      states.push(...chatStatesOf(call))
      customers.push(...customerStatesOf(call))
    },
  })
  proxy.setFault(faults.engine)
  const key = await openTokenKey(dir)
  const tableName = 'faults'
  const stack = await startStack({
    ...{ endpoint: proxy.endpoint, tableName, key, issuer, audience, port: 0, handlers },
    ...pace,
    rates,
    around: faults.around,
    events: {},
    gateway: { faults: faults.gateway },
  })
  stack.events?.setFault(faults.bus)
  faults.closing((connection) => {
    for (const gateway of [stack.gateway, stack.customers])
      if (gateway.connections().includes(connection)) gateway.drop(connection, { clean: false })
  })

  const licenses: LicenseRecord[] = []
  for (const n of [1, 2, 3]) {
    const marker = `@l${n}`
    const isCrowded = n === 2 && crowd > 0
    // the last one is small: it is there for what the bus is not told of it
    const events = n < 3
    const people = events ? peopleOf(marker) : peopleOf(marker).slice(0, 2)
    const agents = [...people, ...(isCrowded ? crowdOf(marker, crowd) : [])]
    const groups = isCrowded ? crowdGroups : [1, 2]
    const license: LicenseRecord = { id: `license-${n}`, marker, agents, groups, events }
    const { id } = license
    await createLicense(stack.table, { id, plan: 'test', expires_at: Math.floor(Date.now() / 1000) + dayS })
    for (const group of groups)
      await createGroup(stack.table, { license_id: id, id: group, name: `Group ${group}` })
    await changeLicense(stack.table, id, {
      routing: n === 2 ? 'manual' : 'automatic',
      events,
    })
    for (const agent of license.agents) {
      const made = await createAgent(stack.table, {
        ...{
          license_id: id,
          id: agent.id,
          name: `Name of ${agent.id}`,
          email: `${agent.id.split('@')[0]}${n}${addressWord}`,
        },
        permission: agent.permission,
        groups: [...agent.groups],
        identity: { issuer, subject: agent.id },
      })
      if (made.outcome !== 'created') throw new Error(`${agent.id}: ${made.outcome}`)
    }
    licenses.push(license)
  }

  const client = new DynamoDBClient(localClientConfig(proxy.endpoint))
  const documents = DynamoDBDocumentClient.from(client)
  const scan = async (): Promise<Attributes[]> => {
    const items: Attributes[] = []
    let start: Record<string, unknown> | undefined
    do {
      const page = await documents.send(
        new ScanCommand({
          TableName: tableName,
          ConsistentRead: true,
          ...(start && { ExclusiveStartKey: start }),
        }),
      )
      items.push(...(page.Items ?? []))
      start = page.LastEvaluatedKey
    } while (start !== undefined)
    return items
  }

  return {
    stack,
    licenses,
    states,
    customers,
    rates,
    engine: () => engine,
    token: (agent: AgentRecord) =>
      mintToken({
        ...{ key, issuer, audience, subject: agent.id, expiresInS: dayS },
        scope: agent.onlyOwn ? onlyOwnScopes : undefined,
      }),
    scan,
    /** Kills the engine in the middle of what it does, and starts it again on its data. */
    restartEngine: async () => {
      await engine.kill()
      engine = await startEngine({ dir })
      proxy.setTarget(engine.endpoint)
    },
    /** Everything that follows from what was done is done, also what was put off until later. */
    calm: async () => {
      for (let times = 0; times < 3; times += 1) {
        await stack.settled()
        await stack.queue.flush()
      }
      await stack.settled()
    },
    /**
     * What a minute does to connections: those that were slow are not any more, and none is too new to be
     * called gone.
     */
    minuteLater: async () => {
      for (const { pk, sk } of await scan())
        if (/^(SOCKET|AUDIENCE)#|#SOCKETS$/.test(String(pk)))
          await stack.table.write.write({
            Update: {
              Key: { pk, sk } as Key,
              UpdateExpression: 'REMOVE slow_until ADD #ttl :minute',
              // one that has gone since stays away
              ConditionExpression: 'attribute_exists(pk)',
              ExpressionAttributeNames: { '#ttl': 'ttl' },
              ExpressionAttributeValues: { ':minute': -60 },
            },
          })
    },
    /** What DynamoDB does with rows whose time has run out. */
    expire: async (atMs: number) => {
      const due = (await scan()).filter(({ ttl }) => typeof ttl === 'number' && ttl * 1000 <= atMs)
      for (let first = 0; first < due.length; first += 25) {
        const chunk = due
          .slice(first, first + 25)
          .map(({ pk, sk }) => ({ DeleteRequest: { Key: { pk, sk } } }))
        await documents.send(new BatchWriteCommand({ RequestItems: { [tableName]: chunk } }))
      }
    },
    stop: async () => {
      await stack.stop()
      client.destroy()
      await proxy.stop()
      await engine.stop()
      faults.stop()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
