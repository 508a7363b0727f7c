import type { Chats, EventLike, Thread, UserLike, WireChat } from './chats.ts'
import { ChatError } from './chat-error.ts'

type Users<U> = { added: U[]; removed_ids: string[] }
type Properties = Record<string, Record<string, { value: unknown }>>
interface OfChat {
  chat_id: string
}
interface OfThread extends OfChat {
  thread_id: string
}

/** The pushes that change a chat, as both endpoints send them. */
export interface ChatPushes<U, E> {
  incoming_event: OfThread & { event: E }
  incoming_chat_thread: {
    chat: Omit<WireChat<U, E>, 'threads'> & { thread: WireChat<U, E>['threads'][number] }
  }
  thread_closed: OfThread
  chat_users_updated: OfChat & {
    updated_users: Users<U> | Record<'customers' | 'agents' | 'supervisors', Users<U>>
  }
  chat_scopes_updated: OfChat
  chat_properties_updated: OfChat & { properties: Properties; version: number }
  chat_thread_properties_updated: OfThread & { properties: Properties; version: number }
  last_seen_timestamp_updated: OfChat & { user_id: string; timestamp: number }
  customer_updated: OfChat & { customer: Partial<U> & { id: string } }
}

/** What `get_chat_threads` answers, on either endpoint. */
export interface ThreadsAnswer<U, E> {
  chat: WireChat<U, E> & { threads_summary: { thread_id: string; order: number }[] }
}

interface Reading<U extends UserLike, E extends EventLike> {
  chats: Chats<U, E>
  read: (payload: object) => Promise<ThreadsAnswer<U, E>>
  /** A new event, pushed or read: each once, in the order of its thread. */
  heard: (event: ChatPushes<U, E>['incoming_event']) => void
}

const pageSize = 100

/** Brings the store to what the server holds: by pushes, and by reads where these leave a gap. */
export class Keeper<U extends UserLike, E extends EventLike> {
  readonly #ctx: Reading<U, E>
  readonly #wanted = new Map<string, Map<string, number>>()
  readonly #reading = new Map<string, Promise<void>>()
  /** Chats of which something is missing. */
  readonly #unread = new Set<string>()

  constructor(ctx: Reading<U, E>) {
    this.#ctx = ctx
  }

  /** Whether nothing is missing that is known to be there. */
  get isComplete(): boolean {
    return this.#unread.size === 0
  }

  take(
    push: { [N in keyof ChatPushes<U, E>]: { name: N; payload: ChatPushes<U, E>[N] } }[keyof ChatPushes<
      U,
      E
    >],
  ): void {
    const { chats } = this.#ctx
    switch (push.name) {
      case 'incoming_event':
        return this.#event(push.payload)
      case 'incoming_chat_thread': {
        const { thread, ...chat } = push.payload.chat
        return this.#thread(chat, thread)
      }
      case 'thread_closed':
        return this.#changeThread(push.payload, () => ({ active: false }))
      case 'chat_users_updated': {
        const { updated_users: updated } = push.payload
        return chats.update(push.payload.chat_id, ({ users }) => ({ users: usersAfter(users, updated) }))
      }
      case 'chat_scopes_updated':
        // what they are by now is read: a push says what was added and what was removed
        return void this.read(push.payload.chat_id)
      case 'chat_properties_updated':
        return this.#properties(push.payload)
      case 'chat_thread_properties_updated':
        return this.#changeThread(push.payload, ({ properties }) => ({
          properties: merged(properties, push.payload.properties),
        }))
      case 'last_seen_timestamp_updated': {
        const { chat_id, user_id, timestamp } = push.payload
        return this.#user(chat_id, user_id, (user) => ({
          ...user,
          last_seen_timestamp: Math.max(user.last_seen_timestamp ?? 0, timestamp),
        }))
      }
      case 'customer_updated': {
        const { chat_id, customer } = push.payload
        return this.#user(chat_id, customer.id, (user) => ({ ...user, ...customer }))
      }
    }
  }

  /**
   * Reads what is missing of a chat: from what is held of its threads on, or from the order before an event
   * that nothing is held before.
   */
  read(chat: string, thread?: string, after = 0): Promise<void> {
    const wanted = this.#wanted.get(chat) ?? new Map<string, number>()
    this.#wanted.set(chat, wanted)
    if (thread !== undefined) wanted.set(thread, Math.min(wanted.get(thread) ?? after, after))
    const before = this.#reading.get(chat)
    if (before !== undefined) return before
    const reading = this.#readAll(chat)
    this.#reading.set(chat, reading)
    return reading
  }

  /** Tries again what could not be read. */
  retry(): void {
    for (const chat of this.#unread) void this.read(chat)
  }

  async #readAll(chat: string): Promise<void> {
    this.#unread.add(chat)
    try {
      for (let wanted = this.#taken(chat); wanted !== undefined; wanted = this.#taken(chat))
        await this.#readOnce(chat, wanted)
      this.#unread.delete(chat)
    } catch (error) {
      if (!(error instanceof ChatError)) throw error
      // no access any more, or erased; whatever else it is may be over the next time
      if (error.type !== 'authorization' && error.type !== 'not_found') return
      this.#unread.delete(chat)
      this.#ctx.chats.remove(chat)
    } finally {
      this.#reading.delete(chat)
    }
  }

  #taken(chat: string): Map<string, number> | undefined {
    const wanted = this.#wanted.get(chat)
    this.#wanted.delete(chat)
    return wanted
  }

  async #readOnce(id: string, wanted: Map<string, number>): Promise<void> {
    const { chats, read } = this.#ctx
    const held = chats.get(id)?.threads.at(-1)
    const threads = new Map(wanted)
    if (held !== undefined) threads.set(held.id, threads.get(held.id) ?? held.upTo)
    if (threads.size === 0) return chats.show((await read({ chat_id: id })).chat)
    const newest = await this.#readThreads(id, threads)
    const known = newest.findIndex(({ thread_id }) => thread_id === (held?.id ?? [...threads.keys()].at(-1)))
    // threads that began since are read from their first event on
    const begun = newest.slice(known + 1).filter(({ thread_id }) => known >= 0 && !threads.has(thread_id))
    await this.#readThreads(id, new Map(begun.map(({ thread_id }) => [thread_id, 0])))
  }

  async #readThreads(
    id: string,
    threads: ReadonlyMap<string, number>,
  ): Promise<{ thread_id: string; order: number }[]> {
    const { chats, read, heard } = this.#ctx
    let summary: { thread_id: string; order: number }[] = []
    for (const [thread_id, from] of threads)
      for (let after: number | undefined = from; after !== undefined;) {
        const { chat } = await read({
          chat_id: id,
          thread_ids: [thread_id],
          after_order: after,
          limit: pageSize,
        })
        const { threads_summary, threads: pages, ...rest } = chat
        summary = threads_summary
        const [page] = pages
        const upTo: number = this.#upTo(id, thread_id, after)
        const news = page?.events.filter(({ order }) => order > upTo) ?? []
        chats.show({
          ...rest,
          threads:
            page === undefined
              ? []
              : [
                  {
                    ...page,
                    has_more: undefined,
                    last_order: page.has_more === true ? undefined : page.last_order,
                  },
                ],
        })
        for (const event of news) heard({ chat_id: id, thread_id, event })
        after = page?.has_more === true ? page.events.at(-1)?.order : undefined
      }
    return summary
  }

  #upTo(chat: string, thread: string, otherwise: number): number {
    return this.#ctx.chats.get(chat)?.threads.find(({ id }) => id === thread)?.upTo ?? otherwise
  }

  #event(push: ChatPushes<U, E>['incoming_event']): void {
    const { chats, heard } = this.#ctx
    const { chat_id, thread_id, event } = push
    const outcome = chats.append(chat_id, thread_id, event)
    if (outcome === 'added') heard(push)
    if (outcome === 'gap') void this.read(chat_id, thread_id, this.#upTo(chat_id, thread_id, event.order - 1))
  }

  #thread(chat: Omit<WireChat<U, E>, 'threads'>, thread: WireChat<U, E>['threads'][number]): void {
    const { chats, heard } = this.#ctx
    const upTo = this.#upTo(chat.id, thread.id, 0)
    const [first] = thread.events
    if (first !== undefined && first.order > upTo + 1 && upTo > 0) return void this.read(chat.id)
    chats.show({ ...chat, threads: [thread] })
    for (const event of thread.events)
      if (event.order > upTo) heard({ chat_id: chat.id, thread_id: thread.id, event })
  }

  #changeThread({ chat_id, thread_id }: OfThread, change: (thread: Thread<E>) => Partial<Thread<E>>): void {
    this.#ctx.chats.update(chat_id, ({ threads }) => ({
      threads: threads.map((one) => (one.id === thread_id ? { ...one, ...change(one) } : one)),
    }))
  }

  /** A push that comes late tells of what was changed again since. */
  #properties({ chat_id, properties, version }: ChatPushes<U, E>['chat_properties_updated']): void {
    this.#ctx.chats.update(chat_id, (chat) =>
      version <= (chat.properties_version ?? 0)
        ? {}
        : { properties: merged(chat.properties, properties), properties_version: version },
    )
  }

  #user(chat: string, id: string, change: (user: U) => U): void {
    this.#ctx.chats.update(chat, ({ users }) => ({
      users: users.map((user) => (user.id === id ? change(user) : user)),
    }))
  }
}

const usersAfter = <U extends UserLike>(
  users: U[],
  updated: ChatPushes<U, EventLike>['chat_users_updated']['updated_users'],
): U[] => {
  const changes = 'added' in updated ? [updated] : [updated.customers, updated.agents, updated.supervisors]
  const added = changes.flatMap((change) => change.added)
  const removed = changes.flatMap(({ removed_ids }) => removed_ids)
  return [
    ...users
      .filter(({ id }) => !added.some((user) => user.id === id))
      .map((user) => (removed.includes(user.id) ? { ...user, present: false } : user)),
    ...added,
  ]
}

/** By name; null removes one. */
const merged = (held: Properties | undefined, change: Properties): Properties => {
  const spaces = [...new Set([...Object.keys(held ?? {}), ...Object.keys(change)])]
  return Object.fromEntries(
    spaces.map((space) => [
      space,
      Object.fromEntries(
        Object.entries({ ...held?.[space], ...change[space] }).filter(([, { value }]) => value !== null),
      ),
    ]),
  )
}
