/** Users and events as the store needs them, an agent's or a customer's. */
export interface UserLike {
  id: string
  present: boolean
  last_seen_timestamp?: number | undefined
  /** Of customers, as agents are shown them. */
  banned?: boolean | undefined
}
export interface EventLike {
  id: string
  order: number
}
type Properties = Record<string, Record<string, { value: unknown }>>

/** The place of a chat that waits for an agent. */
export interface Queue {
  position: number
  wait_time?: number | undefined
  queued_at: number
}

/** A thread as it comes in answers and pushes. */
interface WireThread<E> {
  id: string
  active: boolean
  timestamp: number
  user_ids: string[]
  events: E[]
  properties?: Properties | undefined
  /** Agents alone are shown them. */
  tags?: string[] | undefined
  tags_version?: number | undefined
  has_more?: boolean | undefined
  last_order?: number | undefined
  /** Absent where it does not wait, or its place is not known yet. */
  queue?: Queue | undefined
}

export interface Thread<E> extends Omit<WireThread<E>, 'last_order'> {
  /** Of the last push about its properties. */
  properties_version?: number | undefined
  /** Ascending, without repeats or gaps; the newest ones. */
  events: E[]
  /** Everything up to this order is here, or was. */
  upTo: number
  /** There are events before the first one here: `before_order` of `get_chat_threads` reads them. */
  has_more?: boolean | undefined
}

export interface WireChat<U, E> {
  id: string
  users: U[]
  properties?: Properties | undefined
  properties_version?: number | undefined
  scopes?: object | undefined
  threads: WireThread<E>[]
}

export interface Chat<U, E> extends WireChat<U, E> {
  threads: Thread<E>[]
}

/** The most that a store keeps. */
export interface StoreLimits {
  chats: number
  threadsPerChat: number
  eventsPerThread: number
}

/** Chats by id, the newest changed last, each in the state that pushes and reads have brought it to. */
export class Chats<U extends UserLike, E extends EventLike> {
  readonly #chats = new Map<string, Chat<U, E>>()
  readonly #listeners = new Map<string, Set<(chat: Chat<U, E> | undefined) => void>>()
  readonly #limits: StoreLimits

  constructor(limits: StoreLimits) {
    this.#limits = limits
  }

  get(id: string): Chat<U, E> | undefined {
    return this.#chats.get(id)
  }

  all(): Chat<U, E>[] {
    return [...this.#chats.values()]
  }

  /** Calls `listener` with each state of a chat; with undefined once it is gone. Returns how to stop that. */
  subscribe(id: string, listener: (chat: Chat<U, E> | undefined) => void): () => void {
    const own = this.#listeners.get(id) ?? new Set()
    this.#listeners.set(id, own.add(listener))
    return () => {
      own.delete(listener)
      if (own.size === 0) this.#listeners.delete(id)
    }
  }

  remove(id: string): void {
    if (this.#chats.delete(id)) this.#tell(id)
  }

  /**
   * Takes what the server shows of a chat, with the newest events of some threads, or, where `isAdjacent`,
   * with those that lie next to the events that are held.
   */
  show({ threads, ...shown }: WireChat<U, E>, isAdjacent = false): void {
    const held = this.#chats.get(shown.id)
    // what has none any more comes without
    const none = { properties: undefined, scopes: undefined }
    const chat: Chat<U, E> = { ...held, ...none, ...shown, threads: held?.threads ?? [] }
    this.#put(threads.reduce((all, thread) => this.#withThread(all, thread, isAdjacent), chat))
  }

  /**
   * Takes a page of a thread of a chat that is held, next to the events that are held. `isWanted`: it is kept
   * whole until more is said.
   */
  showThread(id: string, thread: WireThread<E>, isWanted = false): void {
    const chat = this.#chats.get(id)
    if (chat !== undefined) this.#put(this.#withThread(chat, thread, true, isWanted))
  }

  /** Adds an event that follows what is held: not one that is known, nor one behind a gap. */
  append(id: string, thread: string, event: E): 'added' | 'known' | 'gap' {
    const chat = this.#chats.get(id)
    const held = chat?.threads.find((one) => one.id === thread)
    if (chat === undefined || held === undefined || event.order > held.upTo + 1) return 'gap'
    if (event.order <= held.upTo) return 'known'
    const all = [...held.events, event]
    const events = all.slice(-this.#limits.eventsPerThread)
    const has_more = events.length < all.length || held.has_more
    const longer = { ...held, events, has_more, upTo: event.order }
    const threads = chat.threads.map((one) => (one === held ? longer : one))
    this.#put({ ...chat, threads })
    return 'added'
  }

  /** Changes what is held of a chat; nothing where it is not. */
  update(
    id: string,
    change: (chat: Chat<U, E>) => Partial<WireChat<U, E>> & { threads?: Thread<E>[] },
  ): void {
    const held = this.#chats.get(id)
    if (held !== undefined) this.#put({ ...held, ...change(held) })
  }

  #withThread(
    chat: Chat<U, E>,
    { last_order, ...shown }: WireThread<E>,
    isAdjacent: boolean,
    isWanted = false,
  ): Chat<U, E> {
    const held = chat.threads.find(({ id }) => id === shown.id)
    const first = shown.events[0]?.order
    const next = (held?.upTo ?? 0) + 1
    // what lies between what is held and a newer page was not read: the page alone has no gap
    const isApart = !isAdjacent && shown.has_more === true && first !== undefined && first > next
    const before = isApart ? [] : (held?.events ?? [])
    const upTo = Math.max(held?.upTo ?? 0, shown.events.at(-1)?.order ?? 0, last_order ?? 0)
    const byOrder = new Map([...before, ...shown.events].map((event) => [event.order, event]))
    const all = [...byOrder.values()].toSorted((a, b) => a.order - b.order)
    const events = isWanted ? all : all.slice(-this.#limits.eventsPerThread)
    const isFirst =
      held === undefined ||
      (first === undefined ? isAdjacent : isApart || first <= (before[0]?.order ?? next))
    const has_more = events.length < all.length || (isFirst ? shown.has_more : held?.has_more)
    // one that there was no room for comes bare
    const isEmpty = shown.events.length === 0 && shown.user_ids.length === 0
    const isBare = held !== undefined && isEmpty && shown.has_more === true
    const own = isBare ? { properties: held.properties, user_ids: held.user_ids } : {}
    const none = { properties: undefined, tags: undefined, queue: undefined }
    // a push has told of newer tags meanwhile
    const isLate = held !== undefined && (shown.tags_version ?? 0) < (held.tags_version ?? 0)
    const { tags, tags_version } = isBare || isLate ? held : shown
    const tagged = { tags, ...(tags_version !== undefined && { tags_version }) }
    const thread: Thread<E> = { ...held, ...none, ...shown, ...own, ...tagged, has_more, events, upTo }
    const others = chat.threads.filter(({ id }) => id !== shown.id)
    const threads = [...others, thread].toSorted((a, b) => a.timestamp - b.timestamp)
    return { ...chat, threads: threads.slice(-this.#limits.threadsPerChat) }
  }

  /** The newest last, and the oldest out that nobody looks at: those without an active thread first. */
  #put(chat: Chat<U, E>): void {
    this.#chats.delete(chat.id)
    this.#chats.set(chat.id, chat)
    this.#tell(chat.id)
    if (this.#chats.size <= this.#limits.chats) return
    const free = this.all().filter(({ id }) => !this.#listeners.has(id) && id !== chat.id)
    const out = free.find(({ threads }) => threads.at(-1)?.active !== true) ?? free[0]
    if (out !== undefined) this.#chats.delete(out.id)
  }

  #tell(id: string): void {
    for (const listener of this.#listeners.get(id) ?? []) listener(this.#chats.get(id))
  }
}
