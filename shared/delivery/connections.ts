import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GetConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { config } from '../platform/config.ts'
import { type Connected, type Identified, isCustomers } from '../table/sockets.ts'
import { retryTransient } from '../table/transient-errors.ts'
import { createSignedClient } from './signed-request.ts'

type PostOutcome = 'sent' | 'gone' | 'late' | 'failed'

/** Whose endpoint a connection is of. */
export type Endpoint = 'agent' | 'customer'
export const endpointOf = (of: Identified): Endpoint => (isCustomers(of) ? 'customer' : 'agent')

interface Gateway {
  client: ApiGatewayManagementApiClient
  /** Posts are many. */
  post: (connection: string, frame: string, signal: AbortSignal) => Promise<number>
}

const gateways = new Map<Endpoint, Gateway>()

/**
 * So many posts are under way at once, the others wait: over the default 50 sockets, 500 posts of 20 ms take
 * ten turns.
 */
export const postsAtOnce = 256

// nothing is tried again that the gateway refused, since what does not go through at once goes to the delay
// queue
const gatewayOf = (of: Endpoint): Gateway => {
  const known = gateways.get(of)
  if (known !== undefined) return known
  const endpoint = of === 'agent' ? config.agentCallbackUrl() : config.customerCallbackUrl()
  const requestHandler = new NodeHttpHandler({
    httpAgent: { maxSockets: postsAtOnce, keepAlive: true },
    httpsAgent: { maxSockets: postsAtOnce, keepAlive: true },
    socketAcquisitionWarningTimeout: 60_000,
  })
  const poster = createSignedClient('execute-api', endpoint, requestHandler)
  const stage = new URL(endpoint).pathname.replace(/\/$/, '')
  const gateway: Gateway = {
    client: new ApiGatewayManagementApiClient({ endpoint, maxAttempts: 1, requestHandler }),
    post: async (connection, body, signal) => {
      const path = `${stage}/@connections/${encodeURIComponent(connection)}`
      const headers = { 'content-type': 'application/octet-stream' }
      return (await poster({ path, headers, body }, signal)).status
    },
  }
  gateways.set(of, gateway)
  return gateway
}

/**
 * Posts one frame. `gone`: the connection is no more. `late`: not through when the signal fired. `failed`:
 * throttled or refused by the gateway, worth another try. Never throws.
 */
export const post = async (
  endpoint: Endpoint,
  connection: string,
  frame: string,
  signal: AbortSignal,
): Promise<PostOutcome> => {
  try {
    const status = await gatewayOf(endpoint).post(connection, frame, signal)
    if (status === goneStatus) return 'gone'
    return status === 200 ? 'sent' : 'failed'
  } catch {
    return signal.aborted ? 'late' : 'failed'
  }
}

/** Asking the gateway about a connection: what the need `connection_status` gives. */
export interface ConnectionStatus {
  /** Whether the gateway still has a connection; where it does not say, it counts as there. */
  isConnected: (of: Connected) => Promise<boolean>
}

/**
 * Whether the gateway still has a connection; where it does not say so soon, it counts as there. Never
 * throws.
 */
export const isConnected = async (
  endpoint: Endpoint,
  connection: string,
  signal: AbortSignal,
): Promise<boolean> => {
  try {
    await asking(endpoint, signal, (client, options) =>
      client.send(new GetConnectionCommand({ ConnectionId: connection }), options),
    )
    return true
  } catch (error) {
    return !isGone(error)
  }
}

/** Closes a connection; fine where it is gone already. */
export const closeConnection = async (
  endpoint: Endpoint,
  connection: string,
  signal: AbortSignal,
): Promise<void> => {
  try {
    await asking(endpoint, signal, (client, options) =>
      client.send(new DeleteConnectionCommand({ ConnectionId: connection }), options),
    )
  } catch (error) {
    if (!isGone(error)) throw error
  }
}

// a gateway that hangs holds up no login, nor a worker
const askingMs = 2000

const asking = async (
  endpoint: Endpoint,
  signal: AbortSignal,
  ask: (client: ApiGatewayManagementApiClient, options: { abortSignal: AbortSignal }) => Promise<unknown>,
): Promise<void> => {
  const { client } = gatewayOf(endpoint)
  const abortSignal = AbortSignal.any([signal, AbortSignal.timeout(askingMs)])
  await retryTransient(() => ask(client, { abortSignal }))
}

const goneStatus = 410

// the name, or the status where a proxy in between has dropped the error's type header
const isGone = (error: unknown): boolean =>
  error instanceof Error &&
  (error.name === 'GoneException' ||
    ('$metadata' in error &&
      typeof error.$metadata === 'object' &&
      error.$metadata !== null &&
      'httpStatusCode' in error.$metadata &&
      error.$metadata.httpStatusCode === goneStatus))
