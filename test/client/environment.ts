import { WebSocket } from 'ws'
import type { Environment } from '../../shared/client/client.ts'

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
  const sockets = new Set<WebSocket>()
  const timers = new Map<() => void, number>()
  let isSilent: boolean | 'in' = false
  let [isDown, aheadMs] = [false, 0]
  let back = () => {}
  const connect: Environment['connect'] = (url, { opened, received, closed }) => {
    network.connections += 1
    const socket = new WebSocket(isDown ? 'ws://127.0.0.1:1' : url)
    sockets.add(socket)
    socket.on('open', opened)
    socket.on('message', (data) => {
      if (isSilent === false) received(String(data))
    })
    socket.on('error', closed)
    socket.on('close', () => {
      sockets.delete(socket)
      if (isSilent === false) closed()
    })
    return {
      send: (text) => {
        network.sent.push(JSON.parse(text))
        if (isSilent !== true) socket.send(text)
      },
      close: () => socket.terminate(),
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
      for (const socket of sockets) socket.terminate()
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
