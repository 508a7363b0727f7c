import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type ConsoleFile, buildConsole } from '../build.ts'
import { listenOn } from '../local/listen-on.ts'

/** What the page asks its own server for: where to connect, and as whom. */
export interface ConsoleConfig {
  agent_url: string
  customer_url?: string | undefined
  /** Whose customers the widgets are; none without it. */
  license_id?: string | undefined
  /** Demo agents, who log in by a click. */
  agents: readonly { id: string; token: string; permission: string }[]
}

export interface Console {
  url: string
  stop(): Promise<void>
}

const host = '127.0.0.1'

/** The page may run its own files and talk to these endpoints; no text becomes markup or code. */
const policyOf = ({ agent_url, customer_url }: ConsoleConfig): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src 'self' ${[agent_url, customer_url].filter((url) => url !== undefined).join(' ')}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')

/**
 * Serves the console on loopback. Its few files are held in memory: no path leads to a file of this machine.
 * A page of another site reaches none of it, also where its name is made to lead to this machine (DNS
 * rebinding): the `Host` header has to name this server.
 */
export const startConsole = async (config: ConsoleConfig, port: number): Promise<Console> => {
  const files = await buildConsole()
  files.set('/config.json', { type: 'application/json', body: JSON.stringify(config) })
  const headers = {
    'content-security-policy': policyOf(config),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'cache-control': 'no-store',
  }
  let hosts: readonly string[] = []
  const server = createServer((request, response) => {
    const { status, type, body } = answer(request, hosts, files)
    response.writeHead(status, { ...headers, 'content-type': `${type}; charset=utf-8` })
    response.end(request.method === 'HEAD' ? undefined : body)
  })
  const taken = await listenOn(server, port, host)
  hosts = [host, 'localhost'].flatMap((name) => [`${name}:${taken}`, ...(taken === 80 ? [name] : [])])
  return {
    url: `http://${host}:${taken}/`,
    stop: async () => {
      const closed = once(server.close(), 'close')
      server.closeAllConnections()
      await closed
    },
  }
}

const says = (status: number, body: string) => ({ status, type: 'text/plain', body: `${body}\n` })

const answer = (
  { method, url = '/', headers }: IncomingMessage,
  hosts: readonly string[],
  files: ReadonlyMap<string, ConsoleFile>,
): ConsoleFile & { status: number } => {
  if (!hosts.includes(headers.host ?? ''))
    return says(421, `This is the console of ${hosts[0]}: open it under that address.`)
  if (method !== 'GET' && method !== 'HEAD') return says(405, 'Only GET and HEAD are answered.')
  const [path = ''] = url.split('?')
  // browsers say who asks: a page of another origin gets nothing, not even what it could not read
  const site = headers['sec-fetch-site']
  if (path === '/config.json' && site !== undefined && site !== 'same-origin')
    return says(403, 'Only the console itself may ask for this.')
  const file = files.get(path)
  return file === undefined ? says(404, 'Not found') : { status: 200, ...file }
}
