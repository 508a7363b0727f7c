import type { WebSocket } from 'ws'
import type { Origin } from './events.ts'
import type { Clock, Limits } from './settings.ts'

/** One client, from its handshake on; events take their origin from it. */
export class Connection implements Origin {
  readonly apiId: string
  readonly stage: string
  readonly connectionId: string
  readonly connectedAt: number
  readonly sourceIp: string
  readonly userAgent: string | undefined
  lastActiveAt: number
  /** What becomes of a POST where the client is gone and the gateway has not noticed. */
  unnoticed: 'lost' | 'hangs' | undefined
  #socket: WebSocket | undefined
  #stopWatch: () => void = () => {}

  constructor(origin: Origin) {
    this.apiId = origin.apiId
    this.stage = origin.stage
    this.connectionId = origin.connectionId
    this.connectedAt = origin.connectedAt
    this.sourceIp = origin.sourceIp
    this.userAgent = origin.userAgent
    this.lastActiveAt = origin.connectedAt
  }

  attach(socket: WebSocket): void {
    this.#socket = socket
  }

  /** Whether a POST to it would be taken. */
  get isThere(): boolean {
    return this.unnoticed !== undefined || this.#socket?.readyState === 1
  }

  /** Whether its closing handshake has begun, and the gateway has yet to end it. */
  get isClosing(): boolean {
    return this.unnoticed === undefined && this.#socket !== undefined && this.#socket.readyState !== 1
  }

  /** Bytes that the client has yet to read. */
  get unreadBytes(): number {
    return this.#socket?.bufferedAmount ?? 0
  }

  /** Hands one text message to the socket, at once; to a closed one it is lost. */
  send(text: string | Buffer, now: number, frameBytes: number): void {
    if (this.#socket?.readyState !== 1) return
    this.lastActiveAt = now
    const bytes = typeof text === 'string' ? Buffer.from(text) : text
    for (let at = 0; at === 0 || at < bytes.length; at += frameBytes) {
      const isLast = at + frameBytes >= bytes.length
      this.#socket.send(bytes.subarray(at, at + frameBytes), { binary: false, fin: isLast })
    }
  }

  close(code: number, reason: string): void {
    this.#socket?.close(code, reason)
  }

  /** Takes the network away, without a closing handshake. */
  cut(): void {
    this.#socket?.terminate()
  }

  /** Calls `expired` once when idle for too long, or too old. Costs no timer per message. */
  watch(clock: Clock, limits: Limits, expired: () => void): void {
    this.#stopWatch()
    const due = Math.min(this.lastActiveAt + limits.idleMs, this.connectedAt + limits.maxAgeMs)
    this.#stopWatch = clock.after(Math.max(0, due - clock.now()), () => {
      const dueNow = Math.min(this.lastActiveAt + limits.idleMs, this.connectedAt + limits.maxAgeMs)
      if (clock.now() >= dueNow) expired()
      else this.watch(clock, limits, expired)
    })
  }

  stopWatch(): void {
    this.#stopWatch()
  }
}
