import type { EventLike, Queue, Thread, UserLike, WireChat } from './chats.ts'
import type { ChatReader, Reading } from './chat-reader.ts'

type Users<U> = { added: U[]; removed_ids: string[] }
type Properties = Record<string, Record<string, { value: unknown }>>
interface OfChat {
  chat_id: string
}
interface OfThread extends OfChat {
  thread_id: string
}
interface OfCustomer {
  customer_id: string
}
interface Tagged {
  tags: string[]
  version: number
}
interface InQueue extends OfThread {
  queue: Queue
}

/** The pushes that change a chat, as both endpoints send them. */
export interface ChatPushes<U, E> {
  incoming_event: OfThread & { event: E }
  incoming_chat_thread: {
    chat: Omit<WireChat<U, E>, 'threads'> & { thread: WireChat<U, E>['threads'][number] }
  }
  thread_closed: OfThread
  chat_deleted: OfChat
  chat_users_updated: OfChat & {
    updated_users: Users<U> | Record<'customers' | 'agents' | 'supervisors', Users<U>>
  }
  chat_scopes_updated: OfChat
  chat_transferred: OfThread & { transferred_to: { agent_ids: string[] }; queue?: Queue | undefined }
  queue_positions_updated: InQueue[]
  queue_position_updated: InQueue
  chat_properties_updated: OfChat & { properties: Properties; version: number }
  chat_thread_properties_updated: OfThread & { properties: Properties; version: number }
  thread_tagged: OfThread & Tagged
  thread_untagged: OfThread & Tagged
  last_seen_timestamp_updated: OfChat & { user_id: string; timestamp: number }
  customer_updated: OfChat & { customer: Partial<U> & { id: string } }
  customer_banned: OfCustomer
  customer_unbanned: OfCustomer
}

type About = OfChat | { chat: { id: string } } | OfCustomer

/** The chats that a push is about; undefined: whichever its customer is in. */
const chatsOf = (payload: About | OfChat[]): (string | undefined)[] =>
  [payload].flat().map((one) => ('chat_id' in one ? one.chat_id : 'chat' in one ? one.chat.id : undefined))

/** The keeper brings the store to what pushes say, and has read what they leave out. */
export class Keeper<U extends UserLike, E extends EventLike> {
  readonly #ctx: Reading<U, E>
  readonly #reader: ChatReader<U, E>

  constructor(ctx: Reading<U, E>, reader: ChatReader<U, E>) {
    this.#ctx = ctx
    this.#reader = reader
  }

  take(
    push: { [N in keyof ChatPushes<U, E>]: { name: N; payload: ChatPushes<U, E>[N] } }[keyof ChatPushes<
      U,
      E
    >],
  ): void {
    const { chats } = this.#ctx
    if (push.name !== 'incoming_event') for (const chat of chatsOf(push.payload)) this.#reader.overtake(chat)
    switch (push.name) {
      case 'incoming_event':
        return this.#event(push.payload)
      case 'incoming_chat_thread': {
        const { thread, ...chat } = push.payload.chat
        return this.#thread(chat, thread)
      }
      case 'thread_closed':
        return this.#changeThread(push.payload, () => ({ active: false, queue: undefined }))
      case 'chat_deleted':
        return chats.remove(push.payload.chat_id)
      case 'chat_users_updated': {
        const { updated_users: updated } = push.payload
        return chats.update(push.payload.chat_id, ({ users }) => ({ users: usersAfter(users, updated) }))
      }
      case 'chat_scopes_updated':
        // what they are by now is read: a push says what was added and what was removed
        return void this.#reader.read(push.payload.chat_id)
      case 'chat_transferred':
        return this.#transferred(push.payload)
      case 'queue_positions_updated':
        return push.payload.forEach((one) => this.#queue(one, one.queue))
      case 'queue_position_updated':
        return this.#queue(push.payload, push.payload.queue)
      case 'chat_properties_updated':
        return this.#properties(push.payload)
      case 'chat_thread_properties_updated':
        return this.#threadProperties(push.payload)
      case 'thread_tagged':
      case 'thread_untagged':
        return this.#tag(push.payload)
      case 'last_seen_timestamp_updated': {
        const { chat_id, user_id, timestamp } = push.payload
        return this.#user(chat_id, user_id, (user) => ({
          ...user,
          last_seen_timestamp: Math.max(user.last_seen_timestamp ?? 0, timestamp),
        }))
      }
      case 'customer_updated': {
        const { chat_id, customer } = push.payload
        // what has none any more comes without
        const none = { email: undefined, properties: undefined }
        return this.#user(chat_id, customer.id, (user) => ({ ...user, ...none, ...customer }))
      }
      case 'customer_banned':
      case 'customer_unbanned':
        return this.#ban(push.payload.customer_id, push.name === 'customer_banned')
    }
  }

  #event(push: ChatPushes<U, E>['incoming_event']): void {
    const { chats, heard } = this.#ctx
    const { chat_id, thread_id, event } = push
    const outcome = chats.append(chat_id, thread_id, event)
    if (outcome === 'added') heard(push)
    if (outcome === 'gap')
      void this.#reader.read(chat_id, thread_id, this.#reader.upTo(chat_id, thread_id, event.order - 1))
  }

  #thread(chat: Omit<WireChat<U, E>, 'threads'>, thread: WireChat<U, E>['threads'][number]): void {
    const { chats, heard } = this.#ctx
    const upTo = this.#reader.upTo(chat.id, thread.id, 0)
    const [first] = thread.events
    if (first !== undefined && first.order > upTo + 1 && upTo > 0) return void this.#reader.read(chat.id)
    const threads = chats.get(chat.id)?.threads ?? []
    const last = threads.at(-1)
    chats.show({ ...chat, threads: [thread] })
    if (last !== undefined && threads.every(({ id }) => id !== thread.id)) {
      this.#reader.overtakeThread(chat.id, last.id, last.upTo)
      // how it ended was missed
      if (last.active) void this.#reader.read(chat.id)
    }
    for (const event of thread.events)
      if (event.order > upTo) heard({ chat_id: chat.id, thread_id: thread.id, event })
  }

  #changeThread({ chat_id, thread_id }: OfThread, change: (thread: Thread<E>) => Partial<Thread<E>>): void {
    this.#ctx.chats.update(chat_id, ({ threads }) => ({
      threads: threads.map((one) => (one.id === thread_id ? { ...one, ...change(one) } : one)),
    }))
  }

  /** Tags follow the newest push: one that comes late tells of tags that were changed again since. */
  #tag({ tags, version, ...thread }: OfThread & Tagged): void {
    this.#changeThread(thread, ({ tags_version = 0 }) =>
      version <= tags_version ? {} : { tags: tags.length > 0 ? tags : undefined, tags_version: version },
    )
  }

  /** The place of a chat that routing lets wait is told by a push of its own. */
  #transferred({ transferred_to: to, queue, ...thread }: ChatPushes<U, E>['chat_transferred']): void {
    if (to.agent_ids.length > 0 || queue !== undefined) this.#queue(thread, queue)
  }

  /**
   * A thread waits at this place, or no longer. Where the chat's properties say otherwise, or the thread is
   * not the one that is held, another push comes late: how it is, is read.
   */
  #queue({ chat_id, thread_id }: OfThread, queue: Queue | undefined): void {
    const chat = this.#ctx.chats.get(chat_id)
    const last = chat?.threads.at(-1)
    if (chat === undefined || last === undefined) return
    const isOther = last.id !== thread_id || !last.active
    const waits = isUnassigned(chat.properties)
    if (isOther || (waits !== undefined && waits !== (queue !== undefined)))
      return void this.#reader.read(chat_id)
    this.#changeThread({ chat_id, thread_id }, () => ({ queue }))
  }

  /**
   * Properties follow the newest push. One that comes before another's turn tells of its own names alone:
   * what the other changed is read.
   */
  #properties({ chat_id, properties, version }: ChatPushes<U, E>['chat_properties_updated']): void {
    const known = this.#ctx.chats.get(chat_id)?.properties_version
    if (known !== undefined && version > known + 1) void this.#reader.read(chat_id)
    this.#ctx.chats.update(chat_id, (chat) => {
      if (version <= (chat.properties_version ?? 0)) return {}
      const now = merged(chat.properties, properties)
      const { threads } = chat
      return {
        properties: now,
        properties_version: version,
        // whoever joins a waiting chat has it from now on
        ...(isUnassigned(now) === false && {
          threads: threads.map((thread) => ({ ...thread, queue: undefined })),
        }),
      }
    })
  }

  /** Of a thread no answer says the version: it is known from the first push on. */
  #threadProperties(push: ChatPushes<U, E>['chat_thread_properties_updated']): void {
    const { chat_id, thread_id, properties, version } = push
    const held = this.#ctx.chats.get(chat_id)?.threads.find(({ id }) => id === thread_id)
    const known = held?.properties_version
    if (version === known) return
    if (known !== undefined && version !== known + 1) void this.#reader.read(chat_id, thread_id)
    if (known !== undefined && version < known) return
    this.#changeThread(push, (thread) => ({
      properties: merged(thread.properties, properties),
      properties_version: version,
    }))
  }

  #ban(customer: string, banned: boolean): void {
    for (const { id, users } of this.#ctx.chats.all())
      if (users.some((user) => user.id === customer))
        this.#user(id, customer, (user) => ({ ...user, banned }))
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

/** A chat waits for an agent, or does not, as its properties say; undefined: they say nothing. */
const isUnassigned = (properties: Properties | undefined): boolean | undefined => {
  const value = properties?.['routing']?.['unassigned']?.value
  return typeof value === 'boolean' ? value : undefined
}

/** Properties are merged by name; null removes one. */
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
