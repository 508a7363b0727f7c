/** A connection that is being made, or is there. */
export interface Socket {
  send: (text: string) => void
  close: () => void
}

/** What becomes of a connection; nothing is told before `connect` has returned. */
export interface SocketListener {
  opened: () => void
  received: (text: string) => void
  /** Also where it never opened. May be told more than once. */
  closed: () => void
}

/** The time, chance and network that a client works with: a test has its own. */
export interface Environment {
  connect: (url: string, listener: SocketListener) => Socket
  now: () => number
  /** Runs `after` in so many milliseconds; what it returns takes that back. */
  delay: (after: () => void, ms: number) => () => void
  random: () => number
  /** Calls back when the network may be there again; undefined where nothing tells. */
  onOnline: ((back: () => void) => () => void) | undefined
}

type Scope = Pick<EventTarget, 'addEventListener' | 'removeEventListener'>

const isScope = (scope: unknown): scope is Scope =>
  typeof scope === 'object' && scope !== null && 'addEventListener' in scope

// Node.js has no such events
const page: unknown = globalThis

const onOnlineOf =
  (scope: Scope): Environment['onOnline'] =>
  (back) => {
    scope.addEventListener('online', back)
    return () => scope.removeEventListener('online', back)
  }

export const defaultEnvironment: Environment = {
  connect: (url, { opened, received, closed }) => {
    const socket = new WebSocket(url)
    socket.addEventListener('open', opened)
    socket.addEventListener('message', ({ data }) => received(String(data)))
    socket.addEventListener('close', closed)
    socket.addEventListener('error', closed)
    return socket
  },
  now: () => Date.now(),
  delay: (after, ms) => {
    const timer = setTimeout(after, ms)
    return () => clearTimeout(timer)
  },
  random: () => Math.random(),
  onOnline: isScope(page) ? onOnlineOf(page) : undefined,
}
