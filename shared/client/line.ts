import { ChatError } from './chat-error.ts'
import type { Environment, Socket } from './environment.ts'

/** The connection broke, or nobody answered in time, so that the outcome of a request is not known. */
export class LineLost extends Error {}

interface Heard {
  opened: () => void
  pushed: (name: string, payload: object) => void
  lost: () => void
}

/** What the server sends. Its own tests hold that it sends nothing else. */
interface Frame {
  type?: 'response' | 'push'
  request_id?: string
  action?: string
  success?: boolean
  payload?: object & { error?: ConstructorParameters<typeof ChatError>[0] }
}

interface Waiting {
  answered: (frame: Frame) => void
  lost: () => void
}

// to open, with the proxy's and the function's time
const openingMs = 15_000

/** One connection at a time, with its answers matched by id. */
export class Line {
  readonly #url: string
  readonly #environment: Environment
  readonly #heard: Heard
  readonly #waiting = new Map<string, Waiting>()
  #socket: Socket | undefined
  #stopOpening = () => {}
  #nextId = 1

  constructor(url: string, environment: Environment, heard: Heard) {
    this.#url = url
    this.#environment = environment
    this.#heard = heard
  }

  open(): void {
    const heard = (then: () => void) => () => {
      if (this.#socket === socket) then()
    }
    const socket: Socket = this.#environment.connect(this.#url, {
      opened: heard(() => {
        this.#stopOpening()
        this.#heard.opened()
      }),
      received: (text) => heard(() => this.#take(text))(),
      closed: heard(() => this.drop()),
    })
    this.#socket = socket
    this.#stopOpening = this.#environment.delay(() => this.drop(), openingMs)
  }

  /** Ends the connection, whatever the socket says of it: one that is half dead says nothing for minutes. */
  drop(): void {
    const socket = this.#socket
    if (socket === undefined) return
    this.#socket = undefined
    this.#stopOpening()
    socket.close()
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const { lost } of waiting) lost()
    this.#heard.lost()
  }

  /**
   * Sends a request; nothing but its answer says that the connection lives. Throws `ChatError`, `LineLost`.
   */
  call(action: string, payload: object, withinMs: number): Promise<unknown> {
    const socket = this.#socket
    return new Promise((resolve, reject) => {
      if (socket === undefined) return reject(new LineLost())
      const id = String(this.#nextId++)
      const stop = this.#environment.delay(() => this.drop(), withinMs)
      this.#waiting.set(id, {
        answered: ({ success, payload: answer }) => {
          stop()
          if (success === true) resolve(answer)
          else reject(new ChatError(answer?.error ?? { type: 'internal', message: 'No reason was given' }))
        },
        lost: () => {
          stop()
          reject(new LineLost())
        },
      })
      socket.send(JSON.stringify({ request_id: id, action, payload }))
    })
  }

  #take(text: string): void {
    const frame = frameOf(text)
    const { type, request_id: id, action, payload } = frame
    if (type === 'push' && action !== undefined && payload !== undefined) this.#heard.pushed(action, payload)
    if (type !== 'response' || id === undefined) return
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    waiting?.answered(frame)
  }
}

const frameOf = (text: string): Frame => {
  try {
    // what the contracts say, no parser of theirs is bundled to check
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
    return JSON.parse(text) as Frame
  } catch {
    // the gateway's own messages of failure are JSON too: this is none of either
    return {}
  }
}
