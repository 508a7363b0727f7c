import type { Event } from '../../../shared/protocol/events.ts'
import type { Changes } from './changes.ts'

type Properties = Record<string, Record<string, { value: unknown }>>

/** A thread as answers, pushes and the client's store have it. */
interface AnyThread {
  id: string
  active: boolean
  timestamp: number
  events: readonly Event[]
  properties?: Properties | undefined
  has_more?: boolean | undefined
}

interface Page {
  chat: { threads: readonly AnyThread[]; threads_summary: readonly { thread_id: string }[] }
}

type Ask = { thread_ids?: string[]; before_order?: number; limit?: number }

export interface ShownThread extends Omit<AnyThread, 'has_more'> {
  /** The thread is here from its first event on. */
  isWhole: boolean
}

/**
 * The threads of a chat that are shown: up to one of them, read backwards as far as somebody has scrolled.
 */
export interface History {
  threads: () => ShownThread[]
  hasOlder: () => boolean
  /** The thread that it ends with, where that is not the last one. */
  endsAt: string | undefined
  /** Reads the last thread and, where one is named, that one. */
  open: (thread?: string) => Promise<void>
  older: () => Promise<void>
  /** Takes the threads that the client's store holds, newer than those read here. */
  take: (threads: readonly AnyThread[]) => void
}

const pageSize = 40

export const openHistory = (read: (ask: Ask) => Promise<Page>, { changed }: Changes): History => {
  const held = new Map<string, ShownThread>()
  /** All of the chat's threads, the oldest first. */
  let ids: string[] = []
  let reading: Promise<void> | undefined
  const show = (thread: AnyThread, isPage: boolean): void => {
    held.set(thread.id, merged(held.get(thread.id), thread, isPage))
    if (!ids.includes(thread.id)) ids = [...ids, thread.id]
  }
  const readPage = async (ask: Ask): Promise<void> => {
    const { chat } = await read(ask)
    ids = chat.threads_summary.map(({ thread_id }) => thread_id)
    for (const thread of chat.threads) show(thread, true)
    changed()
  }
  const shown = (): ShownThread[] => {
    const end = history.endsAt === undefined ? ids.length : ids.indexOf(history.endsAt) + 1
    const threads: ShownThread[] = []
    // backwards, as far as one follows the other
    for (const id of ids.slice(0, end).toReversed()) {
      const thread = held.get(id)
      if (thread === undefined) break
      threads.unshift(thread)
      if (!thread.isWhole) break
    }
    return threads
  }
  const readOlder = async (): Promise<void> => {
    const [first] = shown()
    if (first === undefined) return
    const [event] = first.events
    if (!first.isWhole)
      return readPage({
        thread_ids: [first.id],
        limit: pageSize,
        ...(event && { before_order: event.order }),
      })
    const before = ids[ids.indexOf(first.id) - 1]
    if (before !== undefined) return readPage({ thread_ids: [before], limit: pageSize })
  }
  const history: History = {
    endsAt: undefined,
    threads: shown,
    hasOlder: () => {
      const [first] = shown()
      return first !== undefined && (!first.isWhole || ids.indexOf(first.id) > 0)
    },
    open: async (thread) => {
      await readPage({})
      const isLast = thread === undefined || thread === ids.at(-1)
      history.endsAt = isLast ? undefined : thread
      if (!isLast) await readPage({ thread_ids: [thread], limit: pageSize })
      changed()
    },
    older: () => (reading ??= readOlder().finally(() => (reading = undefined))),
    take: (threads) => {
      for (const thread of threads) if (thread.events.length > 0 || held.has(thread.id)) show(thread, false)
    },
  }
  return history
}

/** A thread with what else is known of it. Of a page it is known whether something is before it. */
const merged = (before: ShownThread | undefined, thread: AnyThread, isPage: boolean): ShownThread => {
  const byOrder = new Map([...(before?.events ?? []), ...thread.events].map((event) => [event.order, event]))
  const events = [...byOrder.values()].toSorted((a, b) => a.order - b.order)
  const isWhole = events[0]?.order === 1 || (isPage ? thread.has_more !== true : before?.isWhole === true)
  return { ...before, ...thread, events, isWhole }
}
