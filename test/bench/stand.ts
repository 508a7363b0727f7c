import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAgent } from '../../shared/provisioning/change-agent.ts'
import { createGroup } from '../../shared/provisioning/change-group.ts'
import { createLicense } from '../../shared/provisioning/change-license.ts'
import { startEngine } from '../../infra/local/engine/engine.ts'
import type { RequestEntry } from '../../infra/local/gateway/settings.ts'
import { bundlesIn } from '../../infra/local/handlers.ts'
import type { StackOptions } from '../../infra/local/stack-options.ts'
import { type LocalStack, startStack } from '../../infra/local/stack.ts'
import { mintToken, openTokenKey } from '../../infra/local/secrets/token-key.ts'
import { type EngineProxy, startEngineProxy } from '../support/engine-proxy.ts'
import { Socket } from './socket.ts'

export const issuer = 'https://issuer.bench'
const audience = 'bench'

type StandOptions = Pick<StackOptions, 'prepare' | 'index' | 'around'> & {
  /** The bundles. */
  dist: string
}

/** The local stack with what every part of the benchmark does to it. */
export interface Stand extends LocalStack {
  /** Before the engine, where calls are counted: times are measured without. */
  proxy: EngineProxy
  tableName: string
  /** Of both gateways, the newest last. */
  requests: RequestEntry[]
  token(license: string, agent: string): Promise<string>
  /** Makes a license with these agents, and groups that nobody is in. */
  addLicense(
    license: string,
    agents: readonly string[],
    options?: { max_chats?: number; groups?: readonly string[] },
  ): Promise<void>
  /** A new connection to the agents' endpoint. */
  connect(): Promise<Socket>
  /** The same, logged in. */
  login(license: string, agent: string): Promise<Socket>
  /** A new connection to the customers' endpoint. */
  arrive(license: string): Promise<Socket>
  end(): Promise<void>
}

/**
 * @param counted whether the functions reach the engine through a proxy that counts and prices their calls
 */
export const startStand = async (
  { dist, index = false, prepare, around }: StandOptions,
  { counted }: { counted: boolean },
): Promise<Stand> => {
  const engine = await startEngine()
  const proxy = await startEngineProxy(engine.endpoint)
  const dir = await mkdtemp(join(tmpdir(), 'agent-chat-bench-'))
  const key = await openTokenKey(dir)
  await rm(dir, { recursive: true })
  const tableName = `bench-${crypto.randomUUID()}`
  const requests: RequestEntry[] = []
  const stack = await startStack({
    ...{ endpoint: counted ? proxy.endpoint : engine.endpoint, engine: engine.endpoint, tableName },
    handlers: bundlesIn(dist),
    ...{ key, issuer, audience, port: 0, index },
    gateway: { onRequest: (entry) => requests.push(entry) },
    ...(prepare && { prepare }),
    ...(around && { around }),
  })
  const token = (license: string, agent: string) =>
    mintToken({ key, issuer, audience, subject: `${license}/${agent}`, expiresInS: 24 * 3600 })
  const connect = () => Socket.open(stack.agentUrl)
  const arrive = (license: string) => Socket.open(`${stack.customerUrl}?license_id=${license}`)
  return {
    ...stack,
    ...{ proxy, tableName, requests, token, connect, arrive },
    addLicense: async (license, agents, { groups = ['Support', 'Sales'], ...draft } = {}) => {
      const expires_at = Math.floor(Date.now() / 1000) + 24 * 3600
      await createLicense(stack.table, { id: license, plan: 'bench', expires_at })
      for (const [index, name] of groups.entries())
        await createGroup(stack.table, { license_id: license, id: index + 1, name })
      for (const id of agents) {
        const identity = { issuer, subject: `${license}/${id}` }
        const { outcome } = await createAgent(stack.table, {
          ...{ license_id: license, id, name: `Agent ${id}`, identity },
          ...draft,
        })
        if (outcome !== 'created') throw new Error(`${id} was not created: ${outcome}`)
      }
    },
    login: async (license, agent) => {
      const socket = await connect()
      await socket.ask('login', { token: await token(license, agent) })
      return socket
    },
    end: async () => {
      await stack.stop()
      await proxy.stop()
      await engine.stop()
    },
  }
}
