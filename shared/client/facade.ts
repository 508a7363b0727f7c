import { Chats, type EventLike, type StoreLimits, type UserLike, type WireChat } from './chats.ts'
import type { Endpoint } from './contracts.ts'
import { type ClientEvents, Core, type Login, type State } from './core.ts'
import { defaultEnvironment, type Environment } from './environment.ts'
import { ChatReader, type ReadThreads, type ThreadsAnswer } from './chat-reader.ts'
import { type ChatPushes, Keeper } from './keeper.ts'
import { Listeners } from './listeners.ts'

export interface CommonOptions {
  /**
   * How often a quiet connection is asked whether it lives; 60 s. The gateway ends what is silent for ten
   * minutes.
   */
  pingEveryMs?: number
  /** The most that `chats` keeps: 200 chats, 3 threads each, 500 events each. */
  keeps?: Partial<StoreLimits>
  environment?: Partial<Environment>
}

/** The store, as an app reads it. */
type Store<U extends UserLike, E extends EventLike> = Pick<Chats<U, E>, 'get' | 'all' | 'subscribe'>

type Own = 'login' | 'ping' | 'sync'

/** What an endpoint tells: its pushes, and what it answers each login. */
type Heard<E extends Endpoint> = E['pushes'] & { logged_in: E['actions']['login']['answer'] }
type Told<E extends Endpoint> = Heard<E> & ClientEvents

/** A client of one endpoint. */
export interface Client<E extends Endpoint, U extends UserLike, Event extends EventLike> {
  /** The connection as it is. */
  readonly state: State
  readonly chats: Store<U, Event>
  /**
   * Sends a request, over as many connections as it takes, and resolves to its answer. Requests about one
   * chat go one after the other. Throws `ChatError`.
   */
  request: <Name extends Exclude<keyof E['actions'], Own> & string>(
    action: Name,
    payload: E['actions'][Name]['request'],
  ) => Promise<E['actions'][Name]['answer']>
  /** Calls `listener` for each; returns how to stop that. An event comes once, also one that was read. */
  on: <Name extends keyof Told<E>>(name: Name, listener: (payload: Told<E>[Name]) => void) => () => void
  /** The same for `for await`, until the client is closed. */
  each: <Name extends keyof Told<E>>(name: Name) => AsyncGenerator<Told<E>[Name], void, void>
  /** Ends the connection for good; what waits fails with `closed`. */
  close: () => void
}

interface Parts<U extends UserLike, Event extends EventLike> {
  core: {
    ping: (payload: object) => Promise<unknown>
    ask: (action: string, payload: object) => Promise<unknown>
  }
  chats: Chats<U, Event>
  reader: ChatReader<U, Event>
  environment: Environment
  recovered: (recovered: boolean) => void
}

/** What differs between agents' apps and customers' pages. */
export interface Behaviour {
  credentials: (isReconnect: boolean, isRefused: boolean) => Promise<object>
  loggedIn: (answer: unknown, login: Login) => number | undefined
  ping: () => Promise<void>
}

export const createClient = <E extends Endpoint, U extends UserLike, Event extends EventLike>(
  kind: 'agent' | 'customer',
  url: string,
  options: CommonOptions,
  behave: (parts: Parts<U, Event>) => Behaviour,
): Client<E, U, Event> => {
  const environment = { ...defaultEnvironment, ...options.environment }
  const listeners = new Listeners<Told<E>>()
  const chats = new Chats<U, Event>({ chats: 200, threadsPerChat: 3, eventsPerThread: 500, ...options.keeps })
  const emit = (name: string, payload: unknown): void =>
    // a push is emitted under its own name
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
    listeners.emit(name, payload as Told<E>[string])
  const ask = (action: string, payload: object): Promise<unknown> =>
    isReadThreads(action, payload) ? reader.ask(payload) : core.requests.add(action, payload)
  const reading = {
    chats,
    read: async (payload: ReadThreads) => {
      const answer = await core.requests.add('get_chat_threads', payload)
      if (!isThreads<U, Event>(answer)) throw new TypeError('get_chat_threads answered no chat')
      return answer
    },
    heard: (event: { chat_id: string; thread_id: string; event: Event }) => emit('incoming_event', event),
  }
  const reader = new ChatReader<U, Event>(reading)
  const keeper = new Keeper<U, Event>(reading, reader)
  const behaviour = behave({
    core: { ping: (payload) => core.ping(payload), ask },
    chats,
    reader,
    environment,
    recovered: (recovered) => emit('recovered', { recovered }),
  })
  const core: Core<Heard<E>> = new Core<Heard<E>>({
    kind,
    url,
    environment,
    listeners,
    ...behaviour,
    loggedIn: (answer, login) => {
      const renewAt = behaviour.loggedIn(answer, login)
      emit('logged_in', answer)
      return renewAt
    },
    pingEveryMs: options.pingEveryMs ?? 60_000,
    pushed: (name, payload) => {
      if (isKept(name)) keeper.take(pushOf<U, Event>(name, payload))
      if (name !== 'incoming_event') emit(name, payload)
    },
  })
  return {
    get state() {
      return core.state
    },
    chats,
    request: closingWith(ask, () => core.close()),
    on: (name, listener) => listeners.on(name, listener),
    each: (name) => listeners.each(name, core.ended.signal),
    close: () => core.close(),
  }
}

/** The server closes a connection that has logged out: the client is not to come back. */
const closingWith =
  (ask: (action: string, payload: object) => Promise<unknown>, close: () => void) =>
  async (action: string, payload: object): Promise<unknown> => {
    const answer = await ask(action, payload)
    if (action === 'logout') close()
    return answer
  }

const kept = new Set([
  'incoming_event',
  'incoming_chat_thread',
  'thread_closed',
  'chat_deleted',
  'chat_users_updated',
  'chat_scopes_updated',
  'chat_transferred',
  'queue_positions_updated',
  'queue_position_updated',
  'chat_properties_updated',
  'chat_thread_properties_updated',
  'thread_tagged',
  'thread_untagged',
  'last_seen_timestamp_updated',
  'customer_updated',
  'customer_banned',
  'customer_unbanned',
])

const isKept = (name: string): name is keyof ChatPushes<unknown, unknown> => kept.has(name)

type Kept<U, E> = {
  [N in keyof ChatPushes<U, E>]: { name: N; payload: ChatPushes<U, E>[N] }
}[keyof ChatPushes<U, E>]

const pushOf = <U, E>(name: keyof ChatPushes<U, E>, payload: object): Kept<U, E> =>
  // the contract of the push says so
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
  ({ name, payload }) as unknown as Kept<U, E>

const isReadThreads = (action: string, payload: object): payload is ReadThreads =>
  action === 'get_chat_threads' && 'chat_id' in payload

const isThreads = <U, E>(answer: unknown): answer is ThreadsAnswer<U, E> & { chat: WireChat<U, E> } =>
  typeof answer === 'object' && answer !== null && 'chat' in answer
