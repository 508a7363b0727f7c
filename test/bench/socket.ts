import { once } from 'node:events'
import { WebSocket } from 'ws'

interface Frame {
  request_id?: string
  type: 'response' | 'push'
  success?: boolean
  action?: string
  payload?: any
}

/** What a request brought to its own socket. */
export interface Answer {
  payload: any
  ms: number
  bytes: number
}

/** A client that does no more than a figure needs: its own work must not show in what it measures. */
export class Socket {
  readonly #socket: WebSocket
  readonly #waiting = new Map<string, (frame: Frame, bytes: number) => void>()
  #nextId = 1
  /** Pushes received, and their bytes. */
  pushes = 0
  pushBytes = 0
  /** Called with each push as it came. */
  onPush: ((text: string) => void) | undefined

  private constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data: Buffer) => this.#take(data))
  }

  static async open(url: string): Promise<Socket> {
    const socket = new WebSocket(url, { perMessageDeflate: false })
    const opened = new Socket(socket)
    await once(socket, 'open')
    return opened
  }

  #take(data: Buffer): void {
    const text = data.toString()
    // an answer begins with its id; pushes, of which there are many, are not parsed
    if (!text.startsWith('{"request_id"')) {
      this.pushes += 1
      this.pushBytes += data.length
      this.onPush?.(text)
      return
    }
    const frame: Frame = JSON.parse(text)
    const id = frame.request_id ?? ''
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (waiting === undefined) throw new Error(`Nobody waits for ${text}`)
    waiting(frame, data.length)
  }

  /** Sends a request; resolves to its answer, which must be success. */
  async ask(action: string, payload: object = {}): Promise<Answer> {
    const request_id = `r${this.#nextId++}`
    const frame = JSON.stringify({ request_id, action, payload })
    const answered = new Promise<Answer>((resolve, reject) => {
      const startedAt = performance.now()
      this.#waiting.set(request_id, (answer, bytes) => {
        const ms = performance.now() - startedAt
        if (answer.success === true) resolve({ payload: answer.payload, ms, bytes })
        else reject(new Error(`${action} was refused: ${JSON.stringify(answer)}`))
      })
      this.#socket.send(frame)
    })
    return answered
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return
    this.#socket.close()
    await once(this.#socket, 'close')
  }
}
