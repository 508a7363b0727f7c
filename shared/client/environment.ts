/** What of a WebSocket is used: a browser's and Node's have it. */
export interface Socket {
  send: (text: string) => void
  close: () => void
  onopen: (() => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: (() => void) | null
  onerror: (() => void) | null
}

/** The time, chance and network that a client works with: a test has its own. */
export interface Environment {
  connect: (url: string) => Socket
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
  connect: (url) => {
    const socket = new WebSocket(url)
    const adapter: Socket = {
      send: (text) => socket.send(text),
      close: () => socket.close(),
      ...{ onopen: null, onmessage: null, onclose: null, onerror: null },
    }
    socket.addEventListener('open', () => adapter.onopen?.())
    socket.addEventListener('message', ({ data }) => adapter.onmessage?.({ data }))
    socket.addEventListener('close', () => adapter.onclose?.())
    socket.addEventListener('error', () => adapter.onerror?.())
    return adapter
  },
  now: () => Date.now(),
  delay: (after, ms) => {
    const timer = setTimeout(after, ms)
    return () => clearTimeout(timer)
  },
  random: () => Math.random(),
  onOnline: isScope(page) ? onOnlineOf(page) : undefined,
}
