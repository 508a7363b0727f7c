import type { Environment } from '../../../shared/client/client.ts'
import { type Changes, openChanges } from './changes.ts'

/** A frame as it went over the wire. */
export interface Frame {
  id: number
  at: Date
  way: 'sent' | 'received'
  action: string
  text: string
}

/** The network of one client: it shows what goes over it, and can be cut. */
export interface Wire {
  environment: Pick<Environment, 'connect' | 'onOnline'>
  changes: Changes
  frames: readonly Frame[]
  isCut: boolean
  cut: () => void
  mend: () => void
  forget: () => void
}

/** The most frames that are kept: the oldest go first. */
const mostFrames = 300
const mostCharacters = 1_000_000

export const openWire = (): Wire => {
  const changes = openChanges()
  const sockets = new Set<WebSocket>()
  const online = new Set<() => void>()
  let [count, characters] = [0, 0]
  const note = (way: Frame['way'], raw: string): void => {
    const { action, text } = shownOf(raw)
    const frames = [...wire.frames, { id: (count += 1), at: new Date(), way, action, text }]
    characters += text.length
    while (frames.length > mostFrames || (characters > mostCharacters && frames.length > 1))
      characters -= frames.shift()?.text.length ?? 0
    wire.frames = frames
    changes.changed()
  }
  const connect: Environment['connect'] = (url, { opened, received, closed }) => {
    if (wire.isCut) {
      queueMicrotask(closed)
      return { send: () => {}, close: () => {} }
    }
    const socket = new WebSocket(url)
    sockets.add(socket)
    socket.addEventListener('open', opened)
    socket.addEventListener('message', ({ data }) => {
      note('received', String(data))
      received(String(data))
    })
    const gone = () => {
      sockets.delete(socket)
      closed()
    }
    socket.addEventListener('close', gone)
    socket.addEventListener('error', gone)
    const send = (text: string) => {
      note('sent', text)
      socket.send(text)
    }
    return { send, close: () => socket.close() }
  }
  const wire: Wire = {
    environment: { connect, onOnline: (back) => onOnline(online, back) },
    changes,
    frames: [],
    isCut: false,
    cut: () => {
      wire.isCut = true
      for (const socket of sockets) socket.close()
      changes.changed()
    },
    mend: () => {
      wire.isCut = false
      for (const back of online) back()
      changes.changed()
    },
    forget: () => {
      ;[wire.frames, characters] = [[], 0]
      changes.changed()
    },
  }
  return wire
}

/** A line is back where it is mended, and where the browser says that the network is. */
const onOnline = (online: Set<() => void>, back: () => void): (() => void) => {
  online.add(back)
  addEventListener('online', back)
  return () => {
    online.delete(back)
    removeEventListener('online', back)
  }
}

/** The name of a frame, and its text; tokens are left out, since frames are copied. */
const shownOf = (raw: string): { action: string; text: string } => {
  try {
    const frame: unknown = JSON.parse(raw)
    const action =
      typeof frame === 'object' && frame !== null && 'action' in frame ? String(frame.action) : '?'
    return { action, text: action === 'login' ? JSON.stringify(frame, withoutTokens) : raw }
  } catch {
    return { action: '?', text: raw }
  }
}

const withoutTokens = (name: string, value: unknown): unknown =>
  name === 'token' && typeof value === 'string' ? '…' : value
