import { type AgentOptions, createAgentClient, type Environment } from '../../shared/client/client.ts'

/** A client's network and time, in the hands of a test. */
export interface Network extends Environment {
  /** Frames are lost, in both directions or those that come in, and nobody notices. */
  setSilent(isSilent: boolean | 'in'): void
  /** Every connection breaks; while `isDown`, none is made. */
  cut(isDown?: boolean): void
  /** So much time passes at once, as it does for a laptop that slept. */
  pass(ms: number): void
  /** As a browser says that it is online again. */
  comeBack(): void
  /** What was sent, as frames. */
  sent: { action: string; payload: any }[]
  connections: number
}

// what a client waits for longer than this passes by `pass` alone
const realMs = 1000

export const openNetwork = (): Network => {
  const sockets = new Map<WebSocket, () => void>()
  const timers = new Map<() => void, number>()
  let isSilent: boolean | 'in' = false
  let [isDown, aheadMs] = [false, 0]
  let back = () => {}
  const connect: Environment['connect'] = (url, { opened, received, closed }) => {
    network.connections += 1
    const socket = new WebSocket(isDown ? 'ws://127.0.0.1:1' : url)
    const gone = () => {
      sockets.delete(socket)
      if (isSilent === false) closed()
    }
    sockets.set(socket, gone)
    socket.addEventListener('open', opened)
    socket.addEventListener('message', ({ data }) => {
      if (isSilent === false) received(String(data))
    })
    socket.addEventListener('error', closed)
    socket.addEventListener('close', gone)
    return {
      send: (text) => {
        network.sent.push(JSON.parse(text))
        if (isSilent !== true) socket.send(text)
      },
      close: () => socket.close(),
    }
  }
  const network: Network = {
    connect,
    sent: [],
    connections: 0,
    now: () => Date.now() + aheadMs,
    random: Math.random,
    delay: (after, ms) => {
      if (ms >= realMs) {
        timers.set(after, network.now() + ms)
        return () => void timers.delete(after)
      }
      const timer = setTimeout(after, ms)
      return () => clearTimeout(timer)
    },
    onOnline: (listener) => {
      back = listener
      return () => (back = () => {})
    },
    setSilent: (silent) => (isSilent = silent),
    cut: (down = false) => {
      isDown = down
      for (const [socket, gone] of sockets) {
        socket.close()
        gone()
      }
    },
    pass: (ms) => {
      aheadMs += ms
      const due = [...timers].filter(([, at]) => at <= network.now()).toSorted(([, a], [, b]) => a - b)
      for (const [after] of due) if (timers.delete(after)) after()
    },
    comeBack: () => back(),
  }
  return network
}

/** A client of a server that answers as `answer` says. */
export const clientOf = (
  answer: (frame: any, turn: number) => object | undefined,
  login: object = { chats_summary: [] },
  options: Partial<AgentOptions> = {},
) => {
  const network = openNetwork()
  let turn = 0
  let [cut, receive] = [() => {}, (_: string) => {}]
  const connect: Environment['connect'] = (_, { opened, received, closed }) => {
    queueMicrotask(opened)
    ;[cut, receive] = [closed, received]
    return {
      close: () => {},
      send: (text) => {
        const frame = JSON.parse(text)
        network.sent.push(frame)
        const said =
          frame.action === 'login'
            ? { success: true, payload: { agents: [], groups: [], cursor: 'c', ...login } }
            : answer(frame, (turn += 1))
        const { request_id, action } = frame
        if (said !== undefined)
          queueMicrotask(() => received(JSON.stringify({ request_id, action, type: 'response', ...said })))
      },
    }
  }
  const environment = { ...network, connect }
  const client = createAgentClient({ url: 'ws://test', token: 'x', environment, ...options })
  const push = (action: string, payload: object) => receive(JSON.stringify({ action, type: 'push', payload }))
  return { client, network, cut: () => cut(), push }
}
