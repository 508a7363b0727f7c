import { ChatError } from './chat-error.ts'
import type { Chats, EventLike, UserLike, WireChat } from './chats.ts'

/** What `get_chat_threads` answers, on either endpoint. */
export interface ThreadsAnswer<U, E> {
  chat: WireChat<U, E> & { threads_summary: { thread_id: string; order: number }[] }
}

/** What is asked of `get_chat_threads`. */
export interface ReadThreads {
  chat_id: string
  thread_ids?: string[] | null | undefined
  before_order?: number | null | undefined
  after_order?: number | null | undefined
  limit?: number | null | undefined
}

export interface Reading<U extends UserLike, E extends EventLike> {
  chats: Chats<U, E>
  read: (payload: ReadThreads) => Promise<ThreadsAnswer<U, E>>
  /** A new event, pushed or read: each once, in the order of its thread. */
  heard: (event: { chat_id: string; thread_id: string; event: E }) => void
}

const pageSize = 100

/** Reads what is missing of chats, and takes from what an app reads what the store can use. */
export class ChatReader<U extends UserLike, E extends EventLike> {
  readonly #ctx: Reading<U, E>
  readonly #wanted = new Map<string, Map<string, number>>()
  readonly #reading = new Map<string, Promise<boolean>>()
  /** Chats of which something is missing. */
  readonly #unread = new Set<string>()
  /** Reads that have no answer yet; overtaken where a push came that their answer may not know of. */
  readonly #underWay = new Set<{ chat: string; isOvertaken: boolean }>()

  constructor(ctx: Reading<U, E>) {
    this.#ctx = ctx
  }

  /** Whether nothing is missing that is known to be there. */
  get isComplete(): boolean {
    return this.#unread.size === 0
  }

  /**
   * Reads what is missing of a chat: from what is held of its threads on, or from the order before an event
   * that nothing is held before. Resolves to whether nothing is missing then.
   */
  read(chat: string, thread?: string, after = 0): Promise<boolean> {
    this.#want(chat, new Map(thread === undefined ? [] : [[thread, after]]))
    const before = this.#reading.get(chat)
    if (before !== undefined) return before
    const reading = this.#readAll(chat)
    this.#reading.set(chat, reading)
    return reading
  }

  /** Reads each thread that is held as well: tags and properties of older ones change without an event. */
  readHeld(chat: string): Promise<boolean> {
    const held = this.#ctx.chats.get(chat)?.threads ?? []
    this.#want(chat, new Map(held.map(({ id, upTo }) => [id, upTo])))
    return this.read(chat)
  }

  /**
   * A newer thread has begun: whatever else the last one was to have is read with the chat, the next time.
   */
  overtakeThread(chat: string, thread: string, upTo: number): void {
    this.#forget()
    this.#want(chat, new Map([[thread, upTo]]))
  }

  /** Nothing is to be read any more of chats and threads that the store has no room for. */
  #forget(): void {
    for (const [chat, wanted] of this.#wanted) {
      if (this.#unread.has(chat)) continue
      const held = this.#ctx.chats.get(chat)?.threads ?? []
      for (const thread of wanted.keys()) if (held.every(({ id }) => id !== thread)) wanted.delete(thread)
      if (wanted.size === 0) this.#wanted.delete(chat)
    }
  }

  #want(chat: string, threads: ReadonlyMap<string, number>): void {
    const wanted = this.#wanted.get(chat) ?? new Map<string, number>()
    this.#wanted.set(chat, wanted)
    for (const [thread, after] of threads) wanted.set(thread, Math.min(wanted.get(thread) ?? after, after))
  }

  /** Reads as an app asks, and takes what lies next to what is held. */
  async ask(payload: ReadThreads): Promise<ThreadsAnswer<U, E>> {
    const { chats } = this.#ctx
    const reading = { chat: payload.chat_id, isOvertaken: false }
    const answer = await this.#read(payload, reading)
    const { threads, threads_summary: summary, ...rest } = answer.chat
    const newest = summary.at(-1)
    const isPage = (payload.before_order ?? payload.after_order ?? undefined) !== undefined
    if (chats.get(rest.id) !== undefined) for (const thread of threads) this.#page(rest.id, thread, payload)
    else if (!isPage && threads.some(({ id }) => id === newest?.thread_id)) chats.show({ ...rest, threads })
    if (reading.isOvertaken && chats.get(rest.id) !== undefined) void this.read(rest.id)
    return answer
  }

  /** A push came that the reads under way may not know of: those of a chat, or all. */
  overtake(chat: string | undefined): void {
    for (const reading of this.#underWay)
      if (chat === undefined || reading.chat === chat) reading.isOvertaken = true
  }

  /** Tries again what could not be read. */
  retry(): void {
    for (const chat of this.#unread) void this.read(chat)
  }

  async #readAll(chat: string): Promise<boolean> {
    this.#unread.add(chat)
    try {
      for (let wanted = this.#taken(chat); wanted !== undefined; wanted = this.#taken(chat))
        if (!(await this.#readOrRemove(chat, wanted))) return false
      this.#unread.delete(chat)
      return true
    } finally {
      this.#reading.delete(chat)
    }
  }

  /** Takes the chat out where it may be read no more; false where it could not be read this time. */
  async #readOrRemove(chat: string, wanted: Map<string, number>): Promise<boolean> {
    try {
      await this.#readOnce(chat, wanted)
      return true
    } catch (error) {
      if (!(error instanceof ChatError)) throw error
      // no access any more, or erased; whatever else it is may be over the next time
      const isGone = error.type === 'authorization' || error.type === 'not_found'
      // a refusal says nothing of an access that a push or a sync has told of since
      if (isGone && !this.#wanted.has(chat)) this.#ctx.chats.remove(chat)
      else this.#want(chat, wanted)
      return isGone
    }
  }

  #taken(chat: string): Map<string, number> | undefined {
    const wanted = this.#wanted.get(chat)
    this.#wanted.delete(chat)
    return wanted
  }

  async #read(
    payload: ReadThreads,
    reading: { chat: string; isOvertaken: boolean },
  ): Promise<ThreadsAnswer<U, E>> {
    this.#underWay.add(reading)
    try {
      return await this.#ctx.read(payload)
    } finally {
      this.#underWay.delete(reading)
    }
  }

  /** Reads what is missing, and once more where a push came meanwhile, whatever the answer is. */
  async #readAgain(payload: ReadThreads): Promise<ThreadsAnswer<U, E>> {
    const reading = { chat: payload.chat_id, isOvertaken: false }
    try {
      return await this.#read(payload, reading)
    } finally {
      if (reading.isOvertaken) void this.read(payload.chat_id)
    }
  }

  async #readOnce(id: string, wanted: Map<string, number>): Promise<void> {
    const { chats } = this.#ctx
    const held = chats.get(id)?.threads ?? []
    const [oldest, last] = [held[0], held.at(-1)]
    const threads = new Map(wanted)
    if (last !== undefined) threads.set(last.id, threads.get(last.id) ?? last.upTo)
    if (threads.size === 0) return chats.show((await this.#readAgain({ chat_id: id })).chat)
    const newest = await this.#readThreads(id, threads)
    const known = newest.findIndex(
      ({ thread_id }) => thread_id === (oldest?.id ?? [...threads.keys()].at(-1)),
    )
    const isKnown = (thread: string) => threads.has(thread) || held.some((one) => one.id === thread)
    // threads that began since are read from their first event on
    const begun = newest.slice(known + 1).filter(({ thread_id }) => known >= 0 && !isKnown(thread_id))
    await this.#readThreads(id, new Map(begun.map(({ thread_id }) => [thread_id, 0])))
  }

  async #readThreads(
    id: string,
    threads: ReadonlyMap<string, number>,
  ): Promise<{ thread_id: string; order: number }[]> {
    const { chats, heard } = this.#ctx
    let summary: { thread_id: string; order: number }[] = []
    for (const [thread_id, from] of threads)
      for (let after: number | undefined = from; after !== undefined;) {
        const { chat } = await this.#readAgain({
          chat_id: id,
          thread_ids: [thread_id],
          after_order: after,
          limit: pageSize,
        })
        const { threads_summary, threads: pages, ...rest } = chat
        summary = threads_summary
        const [page] = pages
        const upTo: number = this.upTo(id, thread_id, after)
        // what is held ends before this page: the app has read it meanwhile
        if (upTo < after) {
          after = upTo
          continue
        }
        const news = page?.events.filter(({ order }) => order > upTo) ?? []
        const held = chats.get(id)?.threads.find((one) => one.id === thread_id)
        const isMore = held === undefined ? after > 0 : held.has_more
        chats.show({ ...rest, threads: page === undefined ? [] : [forwards(page, isMore)] }, true)
        for (const event of news) heard({ chat_id: id, thread_id, event })
        after = page?.has_more === true ? page.events.at(-1)?.order : undefined
      }
    return summary
  }

  /** The order up to which a thread is held. */
  upTo(chat: string, thread: string, otherwise: number): number {
    return this.#ctx.chats.get(chat)?.threads.find(({ id }) => id === thread)?.upTo ?? otherwise
  }

  /**
   * Takes a page of a thread that an app has read: what follows the events that are held is news, what lies
   * right before them is added, and what is apart from them is the app's alone.
   */
  #page(
    chat: string,
    thread: WireChat<U, E>['threads'][number],
    { before_order: before, after_order: after }: ReadThreads,
  ): void {
    const { chats, heard } = this.#ctx
    const threads = chats.get(chat)?.threads ?? []
    const held = threads.find(({ id }) => id === thread.id)
    if (held === undefined) {
      // one that has begun since is read from its first event on
      if (thread.timestamp > (threads.at(-1)?.timestamp ?? 0)) void this.read(chat)
      else if (typeof before !== 'number' && typeof after !== 'number') chats.showThread(chat, thread)
      return
    }
    const { upTo, events: known } = held
    const oldest = known[0]?.order ?? upTo + 1
    const [first, last] = [thread.events[0]?.order ?? 0, thread.events.at(-1)?.order ?? 0]
    const isCut = typeof after === 'number' && thread.has_more === true
    // older events may end before those that are held: more was said while the answer came
    if ((isCut ? last : Math.max(last, thread.last_order ?? 0)) < oldest - 1) return
    if (typeof before === 'number') {
      const events = thread.events.filter(({ order }) => order <= upTo)
      if (events.length < thread.events.length) void this.read(chat)
      if (before >= oldest && events.length > 0 === thread.events.length > 0)
        chats.showThread(chat, { ...held, events, has_more: thread.has_more }, true)
      return
    }
    if (typeof after === 'number') {
      if (after > upTo) return void this.read(chat)
      const isOlder = after < oldest - 1
      chats.showThread(chat, forwards(thread, isOlder ? after > 0 : held.has_more), isOlder)
    } else {
      if (thread.has_more === true && first > upTo + 1) return void this.read(chat)
      chats.showThread(chat, thread)
    }
    for (const event of thread.events)
      if (event.order > upTo) heard({ chat_id: chat, thread_id: thread.id, event })
  }
}

/** A page that was read forwards: that there is more says nothing of older events. */
const forwards = <E>(page: WireChat<unknown, E>['threads'][number], has_more: boolean | undefined) => ({
  ...page,
  has_more,
  last_order: page.has_more === true ? undefined : page.last_order,
})
