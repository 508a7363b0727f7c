import { once } from 'node:events'
import * as z from 'zod/mini'
import { WebSocket } from 'ws'
import type { ActionSpec } from '../../shared/protocol/action.ts'
import { agentActions, httpActions, httpPath } from '../../shared/protocol/agent/index.ts'
import { errorTable, type ErrorType } from '../../shared/protocol/errors.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import {
  type CustomerPushName,
  type CustomerPushPayload,
  customerPushes,
} from '../../shared/protocol/customer-pushes.ts'
import { type PushName, pushes, type PushPayload } from '../../shared/protocol/pushes.ts'

const ErrorPayload = z.strictObject({
  error: z.strictObject({
    type: z.enum(Object.keys(errorTable) as ErrorType[]),
    code: z.number(),
    message: z.string(),
    details: z.optional(z.array(z.strictObject({ path: z.string(), message: z.string() }))),
  }),
})
const Frame = z.discriminatedUnion('type', [
  z.strictObject({
    id: z.optional(z.unknown()),
    request_id: z.optional(z.unknown()),
    action: z.optional(z.string()),
    type: z.literal('response'),
    success: z.boolean(),
    payload: z.optional(z.unknown()),
  }),
  z.strictObject({
    action: z.string(),
    type: z.literal('push'),
    payload: z.unknown(),
  }),
])
export type Response = Extract<z.output<typeof Frame>, { type: 'response' }>
export type WireError = z.output<typeof ErrorPayload>['error']

/** What an endpoint sends, by name: the payloads of its pushes. */
type AgentPayloads = { [Name in PushName]: PushPayload<Name> }
type CustomerPayloads = { [Name in CustomerPushName]: CustomerPushPayload<Name> }
type Named<Payloads> = keyof Payloads & string
type PushOf<Payloads, Name extends Named<Payloads> = Named<Payloads>> = {
  [One in Name]: { action: One; payload: Payloads[One] }
}[Name]
export type Pushed<Name extends PushName = PushName> = PushOf<AgentPayloads, Name>
export type CustomerPushed<Name extends CustomerPushName = CustomerPushName> = PushOf<CustomerPayloads, Name>

/** What an endpoint declares that it takes and sends. */
interface Contracts {
  actions: readonly ActionSpec[]
  pushes: Readonly<Record<string, { payload: z.core.$ZodType }>>
}

interface Opening {
  /** Whose app it is; without it an agent's. */
  as?: 'agent' | 'customer'
  /** Of the handshake: `origin`, `user-agent` and the like. */
  headers?: Record<string, string>
  /** The loopback address that it comes from. */
  from?: string | undefined
}

/**
 * An app, strict: a frame that its endpoint's contracts do not declare, down to a field, fails whatever the
 * test waits for. Frames are queued, so that no test races its own listener.
 */
abstract class StrictClient<Payloads> {
  readonly socket: WebSocket
  readonly pushes: PushOf<Payloads>[] = []
  readonly #contracts: Contracts
  /** Every text frame as it came. */
  readonly frames: string[] = []
  /** The close code, once closed. */
  closed: number | undefined
  #nextId = 1
  #waiting = new Map<unknown, (response: Response) => void>()
  #unmatched: Response[] = []
  #wakers: (() => void)[] = []
  #broken: Error | undefined
  /** Set: actions that HTTP has are asked for there, with this token. */
  http: { url: string; token: string } | undefined

  constructor(socket: WebSocket, contracts: Contracts) {
    this.socket = socket
    this.#contracts = contracts
    socket.on('message', (data) => {
      try {
        this.#take(String(data))
      } catch (error) {
        this.#broken = error as Error
      }
      this.#wake()
    })
    socket.on('close', (code) => {
      this.closed = code
      this.#wake()
    })
    socket.on('error', () => this.#wake())
  }

  /** The frames that answer requests, in the order in which they came. */
  get answers(): string[] {
    return this.frames.filter((text) => JSON.parse(text).type !== 'push')
  }

  /** Where pushes of this name wait to be taken. */
  protected queueOf(_name: Named<Payloads>): PushOf<Payloads>[] {
    return this.pushes
  }

  #take(text: string): void {
    this.frames.push(text)
    const frame = Frame.parse(JSON.parse(text))
    if (frame.type === 'push') {
      const { payload: declared } = this.#contracts.pushes[frame.action] ?? {}
      if (declared === undefined) throw new Error(`A push that there is not: ${text}`)
      const payload = z.parse(declared, frame.payload)
      const push = { action: frame.action, payload } as PushOf<Payloads>
      this.queueOf(push.action).push(push)
      return
    }
    this.#check(frame, text)
    const waiting = this.#waiting.get(frame.request_id)
    this.#waiting.delete(frame.request_id)
    if (waiting === undefined) this.#unmatched.push(frame)
    else waiting(frame)
  }

  /** Fails where an answer is not what its action's contract says. */
  #check(answer: Response, text: string): void {
    const spec = this.#specOf(answer.action ?? '')
    if (!answer.success) ErrorPayload.parse(answer.payload)
    else if (spec === undefined) throw new Error(`A success for no action: ${text}`)
    else if (spec.response === null && 'payload' in answer)
      throw new Error(`${spec.name} answers no payload: ${text}`)
    else if (spec.response !== null) z.parse(spec.response, answer.payload)
  }

  /** Asks for an action over HTTP; the answer is made to look as a connection's. */
  async #ask(action: string, payload: unknown, { url, token }: { url: string; token: string }) {
    const response = await fetch(url + httpPath(action), {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(payload === undefined ? {} : { body: JSON.stringify(payload) }),
    })
    const text = await response.text()
    this.frames.push(text)
    const { status, ok: success } = response
    const isEmpty = success && text === '{}' && this.#specOf(action)?.response === null
    const answer: Response = {
      type: 'response',
      action,
      success,
      ...(isEmpty ? {} : { payload: JSON.parse(text) }),
    }
    this.#check(answer, text)
    if (!success && ErrorPayload.parse(answer.payload).error.code !== status)
      throw new Error(`Status ${status} for ${text}`)
    // what it has caused went out before the answer
    await this.caughtUp()
    return answer
  }

  #specOf(action: string): ActionSpec | undefined {
    return this.#contracts.actions.find(({ name }) => name === action)
  }

  #wake(): void {
    for (const waker of this.#wakers.splice(0)) waker()
  }

  async #until<T>(what: string, ready: () => T | undefined): Promise<T> {
    for (;;) {
      if (this.#broken !== undefined) throw this.#broken
      const found = ready()
      if (found !== undefined) return found
      if (this.closed !== undefined) throw new Error(`Closed with ${this.closed} while waiting for ${what}`)
      const woken = new Promise<'woken'>((resolve) => this.#wakers.push(() => resolve('woken')))
      const late = AbortSignal.timeout(25_000)
      const timeout = once(late, 'abort').then(() => 'late' as const)
      if ((await Promise.race([woken, timeout])) === 'late') throw new Error(`Waited in vain for ${what}`)
    }
  }

  /** Sends any text. */
  send(text: string): void {
    this.socket.send(text)
  }

  /** The next answer that no call waits for: to what was sent with `send`. */
  response(): Promise<Response> {
    return this.#until('a response', () => this.#unmatched.shift())
  }

  /** Sends a request under an id of its own and resolves to its answer, whatever it says. */
  async call(action: string, payload?: unknown): Promise<Response> {
    const request_id = `${action}-${this.#nextId++}`
    if (this.http !== undefined && httpActions.some(({ name }) => name === action))
      return { request_id, ...(await this.#ask(action, payload, this.http)) }
    let answer: Response | undefined
    this.#waiting.set(request_id, (response) => {
      answer = response
    })
    this.send(JSON.stringify({ request_id, action, ...(payload === undefined ? {} : { payload }) }))
    return this.#until(`the answer to ${action}`, () => answer)
  }

  /** The payload of a request that succeeds. */
  async ok(action: string, payload?: unknown): Promise<any> {
    const answer = await this.call(action, payload)
    if (!answer.success) throw new Error(`${action} was refused: ${JSON.stringify(answer.payload)}`)
    return answer.payload
  }

  /** The error of a request that is refused. */
  async refused(action: string, payload?: unknown): Promise<WireError> {
    const answer = await this.call(action, payload)
    if (answer.success) throw new Error(`${action} succeeded: ${JSON.stringify(answer.payload)}`)
    return ErrorPayload.parse(answer.payload).error
  }

  /** The payload of the next push, which must be of this name. */
  async next<Name extends Named<Payloads>>(name: Name): Promise<Payloads[Name]> {
    const push = await this.#until(`the push ${name}`, () => this.pushes.shift())
    if (push.action !== name) throw new Error(`Expected ${name}, got ${JSON.stringify(push)}`)
    return push.payload as Payloads[Name]
  }

  /** Waits for a push that fits, passing over others. */
  async eventually<Name extends Named<Payloads>>(
    name: Name,
    fits: (payload: Payloads[Name]) => boolean = () => true,
  ): Promise<Payloads[Name]> {
    const queue = this.queueOf(name)
    const push = await this.#until(`a push ${name} that fits`, () => {
      const index = queue.findIndex(
        ({ action, payload }) => action === name && fits(payload as Payloads[Name]),
      )
      return index < 0 ? undefined : queue.splice(index, 1)[0]
    })
    return push.payload as Payloads[Name]
  }

  /** Resolves when everything that was handed to this socket before has been received. */
  async caughtUp(): Promise<void> {
    if (this.closed !== undefined) return
    const heard = new AbortController()
    const { signal } = heard
    this.socket.ping()
    await Promise.race([once(this.socket, 'pong', { signal }), once(this.socket, 'close', { signal })])
    heard.abort()
    if (this.#broken !== undefined) throw this.#broken
  }

  /** All pushes received up to now, an agent's of accounts left out, and forgets them. */
  async received(): Promise<PushOf<Payloads>[]> {
    await this.caughtUp()
    return this.pushes.splice(0)
  }

  /** Fails where a push came that no one has taken: pushes are out before the answer to what caused them. */
  async receivesNothing(): Promise<void> {
    const got = await this.received()
    if (got.length > 0) throw new Error(`Expected no push, got ${JSON.stringify(got)}`)
  }

  /** Resolves to the close code. */
  closing(): Promise<number> {
    return this.#until('the close', () => this.closed ?? undefined)
  }

  async close(): Promise<void> {
    if (this.closed !== undefined) return
    this.socket.close()
    await once(this.socket, 'close')
  }
}

/** A customer's page. */
export class CustomerClient extends StrictClient<CustomerPayloads> {
  constructor(socket: WebSocket) {
    super(socket, { actions: customerActions, pushes: customerPushes })
  }
}

/** Pushes of accounts that come and go: the stream's worker sends them some time after the change. */
const ofAccounts: ReadonlySet<PushName> = new Set([
  ...(['agent_created', 'agent_deleted', 'agent_suspended', 'agent_unsuspended'] as const),
  ...(['group_created', 'group_updated', 'group_deleted'] as const),
])

/**
 * An agent's app. `agent_updated`, which every login of a license causes, is kept apart as `presence`, and
 * what is told of other changes of accounts as `accounts`, of groups that are there and not as `statuses`.
 */
export class Client extends StrictClient<AgentPayloads> {
  readonly presence: Pushed<'agent_updated'>[] = []
  readonly accounts: Pushed[] = []
  readonly statuses: Pushed[] = []

  constructor(socket: WebSocket) {
    super(socket, { actions: agentActions, pushes })
  }

  /** Opens a connection to an endpoint, as the app that the endpoint is for. */
  static async open(url: string, options?: Opening & { as?: 'agent' }): Promise<Client>
  static async open(url: string, options: Opening & { as: 'customer' }): Promise<CustomerClient>
  static async open(
    url: string,
    { as = 'agent', headers = {}, from }: Opening = {},
  ): Promise<Client | CustomerClient> {
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      headers,
      ...(from === undefined ? {} : { localAddress: from }),
    })
    const client = as === 'customer' ? new CustomerClient(socket) : new Client(socket)
    await once(socket, 'open')
    return client
  }

  protected override queueOf(name: PushName): Pushed[] {
    if (ofAccounts.has(name)) return this.accounts
    if (name === 'groups_status_updated') return this.statuses
    return name === 'agent_updated' ? (this.presence as Pushed[]) : this.pushes
  }
}
