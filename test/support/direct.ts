// Servers of this process that answer without a socket, by port. Bundles of tests have modules of their own: they meet here.

interface DirectRequest {
  headers: Record<string, string>
  body: Uint8Array
}
export interface DirectAnswer {
  status: number
  headers: Record<string, string>
  body: Uint8Array
}
/** Undefined: this request is to go over the socket. */
type Direct = (request: DirectRequest) => Promise<DirectAnswer> | undefined

const key = Symbol.for('agent-chat: servers of this process')
const servers = ((globalThis as Record<symbol, unknown>)[key] ??= new Map()) as Map<number, Direct>

export const directTo = (port: number | undefined): Direct | undefined =>
  port === undefined ? undefined : servers.get(port)

export const answerDirectly = (port: number, direct: Direct): void => void servers.set(port, direct)
export const answerNoMore = (port: number): void => void servers.delete(port)
