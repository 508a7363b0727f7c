import type { Chat } from '../table/chats.ts'
import type { Tail } from '../table/log.ts'
import type { Session } from '../table/sockets.ts'

/** A chat and the end of its log, as last read. */
export interface ChatView {
  chat: Chat
  tail: Tail
}

/** What a request decides by: also who asks. */
export interface View extends ChatView {
  me: Session
}

export type Placing<V extends ChatView = View> = V & {
  /** Marks what this request writes. */
  nonce: string
  /** Reads it all again, strongly, and checks permission again. Throws as the first check does. */
  refresh(): Promise<V>
  /** Waits a short random time before attempt `tries`; throws `too_many_requests` past the last moment. */
  pause(tries: number): Promise<void>
}

/** Whether chat and tail are of one moment: else users or activity changed between the two reads. */
export const coherent = ({ chat, tail }: ChatView): boolean =>
  tail.last.version <= chat.version && tail.n === chat.thread && (tail.last.closed === true) !== chat.active

/** Whether this request wrote what was read: an attempt that seemed to fail was placed all the same. */
export const isOwnWork = ({ chat, tail }: ChatView, nonce: string): boolean =>
  chat.nonce === nonce || tail.entries.some((entry) => entry.nonce === nonce)

/** What an attempt comes to, and whether it was placed, as far as its own answer tells. */
export interface Attempt<T> {
  result: T
  placed: boolean
}

/**
 * Every write that can lose a race: attempts it on a coherent view until it is placed. An attempt that was not placed
 * runs again on what was read anew, so it may run often and must write once; one whose answer was lost is known by its
 * nonce, and its result stands.
 */
export const untilPlaced = async <T, V extends ChatView>(
  ctx: Placing<V>,
  attempt: (view: V, tries: number) => Promise<Attempt<T>>,
): Promise<T> => {
  let view: V = ctx
  let last: Attempt<T> | undefined
  for (let tries = 1; ; tries += 1) {
    if (last !== undefined && isOwnWork(view, ctx.nonce)) return last.result
    if (coherent(view)) last = await attempt(view, tries)
    if (last?.placed === true) return last.result
    try {
      await ctx.pause(tries)
    } catch (error) {
      // too late for another attempt; what is answered must be so all the same
      if (last !== undefined && isOwnWork(await ctx.refresh(), ctx.nonce)) return last.result
      throw error
    }
    view = await ctx.refresh()
  }
}
