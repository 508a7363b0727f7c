import { randomUUID } from 'node:crypto'
import { DeleteTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { inject, vi } from 'vitest'
import { type Engine, localClientConfig, startEngine } from '../../infra/local/engine/engine.ts'
import { createAgent } from '../../shared/provisioning/change-agent.ts'
import { createGroup } from '../../shared/provisioning/change-group.ts'
import { changeLicense, createLicense } from '../../shared/provisioning/change-license.ts'
import type { RequestEntry } from '../../infra/local/gateway/settings.ts'
import type { StackOptions } from '../../infra/local/stack-options.ts'
import { type LocalStack, startStack } from '../../infra/local/stack.ts'
import { mintToken, openTokenKey, type TokenKey } from '../../infra/local/secrets/token-key.ts'
import type { AgentItem } from '../../shared/table/accounts.ts'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type CustomerClient } from './client.ts'
import { answerStackDirectly } from './direct-stack.ts'
import { startEngineProxy } from './engine-proxy.ts'
import { functionsIn } from './functions.ts'
import { named } from './lambda-name.ts'
import { expectAllowed } from './permitted-calls.ts'
import { holdStreamPolls, type StreamPolls } from './stream-polls.ts'

export const issuer = 'https://issuer.test'
export const audience = 'agent-chat-test'

export type AgentDraft = Partial<
  Pick<
    AgentItem,
    | 'permission'
    | 'groups'
    | 'name'
    | 'email'
    | 'avatar'
    | 'default_status'
    | 'max_chats'
    | 'bot'
    | 'priority'
  >
>

type LicenseSettings = Parameters<typeof changeLicense>[2]

/** A license of one test: its agents by id, each with a way to get tokens and logged-in clients. */
export interface License {
  id: string
  /** A token that logs this agent in; `scope` as token scopes, `expiresInS` a day. */
  token(agent: string, options?: { scope?: string; expiresInS?: number }): Promise<string>
  /** A new connection of this agent, logged in. Its first pushes of presence are already received. */
  login(agent: string, payload?: object, options?: { scope?: string; expiresInS?: number }): Promise<Client>
  addAgent(id: string, draft?: AgentDraft): Promise<void>
  /** A new connection of a customer, not logged in. */
  arrive(headers?: Record<string, string>): Promise<CustomerClient>
  /** The same, logged in: a new customer, unless `payload` has a token. */
  visit(payload?: object, headers?: Record<string, string>): Promise<Visitor>
}

/** A customer's tab. */
export interface Visitor {
  client: CustomerClient
  id: string
  token: string
  /** What its login answered. */
  answer: any
}

export interface World extends LocalStack {
  key: TokenKey
  tableName: string
  /** In front of the engine, for counting and faults; only with `proxied`. */
  proxy: Awaited<ReturnType<typeof startEngineProxy>>
  requests: RequestEntry[]
  open(): Promise<Client>
  license(
    agents: Record<string, AgentDraft>,
    options?: {
      id?: string
      groups?: string[]
      expiresAt?: number
      plan?: string
      settings?: LicenseSettings
    },
  ): Promise<License>
}

const dayS = 24 * 3600

/** Whether agents' clients ask over HTTP for what that has: `AGENT_DOOR=http`. */
export const isOverHttp = process.env['AGENT_DOOR'] === 'http'

/** What ends with the test file: its worlds, and its use of one that others share. */
const ending: (() => Promise<void>)[] = []

/**
 * Ends every world that the file has started, and hands back those that it shares: `each-file.ts` calls it.
 */
export const endWorlds = async (): Promise<void> => {
  await Promise.all(ending.splice(0).map((end) => end()))
}

/** Gives the settings of a world's functions to what the test file itself imports of them. */
export const useSettings = ({ settings }: World): void => {
  for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value)
}

let javaEngine: Promise<Engine> | undefined

/**
 * An engine for a world. The embedded one starts in 40 ms, and does one call at a time: each world has its
 * own. DynamoDB Local takes seconds: the worlds of a process share one, which ends
 * with the process.
 */
const engineOfWorld = async (): Promise<{
  endpoint: string
  polls?: StreamPolls
  release(table: string): Promise<void>
}> => {
  if (process.env['DYNAMODB_ENGINE'] !== 'java') {
    const { name, endpoint, stop } = await startEngine()
    if (name !== 'embedded') return { endpoint, release: stop }
    const polls = holdStreamPolls(endpoint)
    const release = async () => {
      polls.stop()
      await stop()
    }
    return { endpoint, polls, release }
  }
  const { endpoint } = await (javaEngine ??= startEngine())
  return {
    endpoint,
    release: async (TableName) => {
      const client = new DynamoDBClient(localClientConfig(endpoint))
      await client.send(new DeleteTableCommand({ TableName }))
      client.destroy()
    },
  }
}

const newTokenKey = async (): Promise<TokenKey> => {
  const dir = await mkdtemp(join(tmpdir(), 'agent-chat-'))
  const key = await openTokenKey(dir)
  await rm(dir, { recursive: true })
  return key
}

type WorldOptions = Partial<
  Pick<
    StackOptions,
    | 'presenceGraceS'
    | 'delayScale'
    | 'gateway'
    | 'fcm'
    | 'events'
    | 'around'
    | 'rates'
    | 'agentRates'
    | 'customerKey'
    | 'index'
    | 'stream'
    | 'prepare'
  >
>

/**
 * The whole backend for one test file: all functions, behind the local gateway, on a table of its own. Ends
 * with the file, which fails where a function has made a call that its policy does not allow.
 */
export const startWorld = async (options: WorldOptions = {}): Promise<World> => {
  const { world, end } = await makeWorld(options)
  ending.push(end)
  return world
}

/** Shared worlds that no file uses now, by their options. */
const idle = new Map<string, OwnedWorld & { calls: number }>()
// the clock's worker reads what earlier files have left to it
const mostCallsOfSharedWorld = 40_000

/**
 * A backend that the files of a worker use one after the other: it is warm, which takes a new one a second of
 * CPU. For tests that keep to licenses of their own: the table holds those of earlier files, all of whose
 * connections are cut, and nothing is under way or delayed. A file that changes settings, or counts what the
 * clock's worker does, starts its own. Without a `stream` writes cost less, and no worker hears of accounts
 * and sockets that change.
 */
export const sharedWorld = async (
  options: Pick<WorldOptions, 'presenceGraceS' | 'delayScale' | 'index' | 'stream'> = {},
): Promise<World> => {
  const name = JSON.stringify(options)
  const shared = idle.get(name) ?? { ...(await makeWorld(options)), calls: 0 }
  idle.delete(name)
  ending.push(async () => {
    shared.calls += shared.world.proxy.calls.length
    if (shared.calls > mostCallsOfSharedWorld || idle.has(name)) return shared.end()
    await shared.empty()
    idle.set(name, shared)
  })
  // an object of its own, by which scenes know what they have set up in it
  return { ...shared.world }
}

interface OwnedWorld {
  world: World
  /** Closes all connections, and resolves once nothing of them is under way. */
  empty(): Promise<void>
  end(): Promise<void>
}

/** A stack's `settled`, which passes the stream over where nothing was written since it was settled. */
const settling = (stack: LocalStack, polls: StreamPolls | undefined): LocalStack['settled'] => {
  if (polls === undefined) return stack.settled
  const { gateway, customers, http, functions, queue } = stack
  const idle = async () => {
    for (const one of [http, gateway, customers, gateway, functions]) await one.idle()
  }
  let settledAt: number | undefined
  return async () => {
    await idle()
    await queue.settled()
    await idle()
    const before = polls.writes()
    if (before === settledAt) return
    await stack.settled()
    const after = polls.writes()
    // it has written its marker, and nobody anything else
    settledAt = after === before + 1 ? after : undefined
  }
}

const makeWorld = async (options: WorldOptions): Promise<OwnedWorld> => {
  const engine = await engineOfWorld()
  const proxy = await startEngineProxy(engine.endpoint, { onWritten: () => engine.polls?.wake() })
  const key = await newTokenKey()
  const tableName = `test-${randomUUID()}`
  const requests: RequestEntry[] = []
  const stack = await startStack({
    ...{
      endpoint: proxy.endpoint,
      engine: engine.endpoint,
      tableName,
      key,
      issuer,
      audience,
      port: 0,
      handlers: functionsIn(inject('functions')),
      // what a test does not search need not be indexed
      index: false,
      // a poll costs more than most requests
      streamPollMs: 75,
      around: named,
    },
    ...options,
    gateway: { onRequest: (entry) => requests.push(entry), ...options.gateway },
  })
  const noSocketsTo = answerStackDirectly(stack)
  const settled = settling(stack, engine.polls)
  const clients: (Client | CustomerClient)[] = []
  const closeAll = async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()))
  }
  const empty = async () => {
    proxy.setFault(undefined)
    proxy.setDelay(0)
    stack.http.setFaults({})
    for (const gateway of [stack.gateway, stack.customers]) {
      // what becomes of those who go is nothing to the files to come
      gateway.setFaults({ disconnect: () => ({ lose: true }) })
      gateway.setJitter(undefined)
    }
    await closeAll()
    await settled()
    stack.queue.discard()
    for (const gateway of [stack.gateway, stack.customers]) gateway.setFaults({})
    await expectAllowed(proxy.calls)
    proxy.calls.length = 0
    requests.length = 0
  }
  const end = async () => {
    await closeAll()
    engine.polls?.release()
    await stack.stop()
    noSocketsTo()
    await proxy.stop()
    await engine.release(tableName)
    await expectAllowed(proxy.calls)
  }
  const open = async () => {
    const client = await Client.open(stack.agentUrl)
    clients.push(client)
    return client
  }

  const arrive = async (id: string, headers: Record<string, string> = {}) => {
    const url = `${stack.customerUrl}?license_id=${encodeURIComponent(id)}`
    const client = await Client.open(url, { as: 'customer', headers })
    clients.push(client)
    return client
  }

  const license: World['license'] = async (
    agents,
    { id = `l-${randomUUID().slice(0, 13)}`, groups = [], expiresAt, plan = 'test', settings } = {},
  ) => {
    const expires_at = expiresAt ?? Math.floor(Date.now() / 1000) + dayS
    await createLicense(stack.table, { id, plan, expires_at })
    for (const [index, name] of groups.entries())
      await createGroup(stack.table, { license_id: id, id: index + 1, name })
    const subject = (agent: string) => `${id}/${agent}`
    const bots = new Set<string>()
    if (settings !== undefined) await changeLicense(stack.table, id, settings)
    const made: License = {
      id,
      token: (agent, { scope, expiresInS = dayS } = {}) =>
        mintToken({
          ...{ key, issuer, audience, subject: subject(agent), scope, expiresInS },
          machine: bots.has(agent),
        }),
      login: async (agent, payload = {}, tokenOptions = {}) => {
        const client = await open()
        const token = await made.token(agent, tokenOptions)
        await client.ok('login', { token, ...payload })
        if (isOverHttp) client.http = { url: stack.httpUrl, token }
        return client
      },
      arrive: (headers) => arrive(id, headers),
      visit: async (payload = {}, headers = {}) => {
        const client = await arrive(id, headers)
        const answer = await client.ok('login', payload)
        return { client, id: answer.customer_id, token: answer.token, answer }
      },
      addAgent: async (agent, draft = {}) => {
        const identity = { issuer, subject: subject(agent) }
        if (draft.bot) bots.add(agent)
        const created = await createAgent(stack.table, {
          license_id: id,
          id: agent,
          name: agent,
          ...draft,
          identity,
        })
        if (created.outcome !== 'created') throw new Error(`${agent}: ${created.outcome}`)
      },
    }
    for (const [agent, draft] of Object.entries(agents)) await made.addAgent(agent, draft)
    return made
  }
  return { world: { ...stack, settled, key, tableName, proxy, requests, open, license }, empty, end }
}
