import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { SocketListener } from '../../shared/client/client.ts'
import type { FrameRecord, RequestRecord, SocketRecord } from './history.ts'

/** What came of a request: its answer's payload, or why there is none. */
export type Reply =
  | { kind: 'success'; payload: any }
  | { kind: 'refused'; error: string }
  /** The gateway answered in the Lambda's place, the socket closed, or the outcome is not known. */
  | { kind: 'unknown'; error: string }

/** Everything that the apps of a run sent and got, in order. */
export class Recorder {
  readonly sockets: SocketRecord[] = []
  readonly requests: RequestRecord[] = []
  readonly frames: FrameRecord[] = []
  /** By action and outcome. */
  readonly outcomes = new Map<string, Map<string, number>>()

  replied(action: string, reply: Reply): void {
    const outcome = reply.kind === 'success' ? 'success' : reply.error
    const counts = this.outcomes.get(action) ?? new Map<string, number>()
    this.outcomes.set(action, counts.set(outcome, (counts.get(outcome) ?? 0) + 1))
  }
}

const openErrors: ReadonlySet<string> = new Set(['request_timeout', 'internal'])

/** What a response says of its request. */
export const replyOf = ({ success, payload }: { success: boolean; payload?: any }): Reply => {
  if (success) return { kind: 'success', payload }
  const error: string = payload?.error?.type ?? 'internal'
  return { kind: openErrors.has(error) ? 'unknown' : 'refused', error }
}

/** What an agent's connection wants to hear, as its login says. */
export type Wants = Pick<SocketRecord, 'chats' | 'pushes'>

interface Opening {
  /** The loopback address that it comes from. */
  from: string
  /** Who hears what comes, beside what is noted. */
  hears?: SocketListener
}

interface Waiting {
  action: string
  resolve(reply: Reply): void
}

/** An app or a page as it is in the field: it survives whatever comes, and notes it. */
export class App {
  readonly #recorder: Recorder
  readonly #socket: WebSocket
  readonly index: number
  /** By id; what answers a frame that has none comes without one. */
  readonly #waiting = new Map<string | undefined, Waiting>()
  #unclaimed = 0
  /** Called with each push. */
  onPush: (push: any) => void = () => undefined

  constructor(
    recorder: Recorder,
    url: string,
    { from, hears, ...of }: Pick<SocketRecord, 'license' | 'as'> & Opening,
  ) {
    this.#recorder = recorder
    const socket = new WebSocket(url, { perMessageDeflate: false, localAddress: from })
    this.#socket = socket
    this.index = recorder.sockets.push({ ...of, openedAt: performance.now() }) - 1
    socket.on('open', () => hears?.opened())
    socket.on('message', (data) => {
      this.#take(String(data))
      hears?.received(String(data))
    })
    socket.on('close', () => {
      this.#end()
      hears?.closed()
    })
    socket.on('error', ({ message }) => {
      const [, status] = /server response: (\d+)/.exec(message) ?? []
      if (status !== undefined) this.record.refusedWith = Number(status)
    })
  }

  /** An app that is not open where the handshake was refused: a Lambda died, or there are too many. */
  static async open(...of: ConstructorParameters<typeof App>): Promise<App> {
    const app = new App(...of)
    await once(app.#socket, 'open').catch(() => app.#end())
    return app
  }

  get record(): SocketRecord {
    const record = this.#recorder.sockets[this.index]
    if (record === undefined) throw new Error('A socket without a record')
    return record
  }

  get isOpen(): boolean {
    return this.record.closedAt === undefined && this.#socket.readyState === WebSocket.OPEN
  }

  /** How many requests have no answer yet. */
  get open(): number {
    return this.#waiting.size
  }

  call(action: string, payload: object = {}, id = `r${this.#recorder.requests.length}`): Promise<Reply> {
    if (!this.isOpen) return Promise.resolve({ kind: 'unknown', error: 'closed' })
    this.#recorder.requests.push({ socket: this.index, id, action, payload, sentAt: performance.now() })
    const { promise, resolve } = Promise.withResolvers<Reply>()
    this.#waiting.set(id, { action, resolve })
    const { chats, pushes }: Wants = action === 'login' ? payload : {}
    Object.assign(this.record, { ...(chats && { chats }), ...(pushes && { pushes }) })
    this.#socket.send(JSON.stringify({ request_id: id, action, payload }))
    return promise
  }

  /** Sends a frame that is no request and so has no id; one at a time. */
  sendBroken(text: string): Promise<Reply> {
    if (!this.isOpen) return Promise.resolve({ kind: 'unknown', error: 'closed' })
    const { promise, resolve } = Promise.withResolvers<Reply>()
    this.#waiting.set(undefined, { action: 'a broken frame', resolve })
    this.#socket.send(text)
    return promise
  }

  #settle(id: string | undefined, reply: Reply): void {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return
    this.#waiting.delete(id)
    this.#recorder.replied(waiting.action, reply)
    waiting.resolve(reply)
  }

  #take(text: string): void {
    const at = performance.now()
    this.#recorder.frames.push({ socket: this.index, at, text })
    const frame = JSON.parse(text)
    if (frame.type === 'push') {
      this.onPush(frame)
      return
    }
    if (frame.type === 'response') {
      const { success, payload, request_id: id } = frame
      if (success && this.#waiting.get(id)?.action === 'login')
        Object.assign(this.record, { user: payload.my_profile?.id ?? payload.customer_id, isLoggedIn: true })
      this.#settle(id, replyOf(frame))
    } else this.#unclaimed += 1
    // the gateway does not say which request it answers: once as many are open, it is all of them
    if (this.#unclaimed === 0 || this.#waiting.size > this.#unclaimed) return
    this.#unclaimed = 0
    for (const id of [...this.#waiting.keys()]) this.#settle(id, { kind: 'unknown', error: 'gateway' })
  }

  #end(): void {
    this.record.closedAt ??= performance.now()
    for (const id of [...this.#waiting.keys()]) this.#settle(id, { kind: 'unknown', error: 'closed' })
  }

  /** Resolves when everything that was handed to this socket before has been received. */
  async caughtUp(): Promise<void> {
    if (!this.isOpen) return
    const heard = new AbortController()
    this.#socket.ping()
    await Promise.race([
      once(this.#socket, 'pong', { signal: heard.signal }),
      once(this.#socket, 'close', { signal: heard.signal }),
    ])
    heard.abort()
  }

  /** Takes the network away. */
  cut(): void {
    this.#socket.terminate()
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return
    this.#socket.close()
    await once(this.#socket, 'close')
  }
}
