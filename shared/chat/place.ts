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
  /** Reads it all again, strongly, and checks permission again. Throws as the first check does. */
  refresh(): Promise<V>
  /** Waits a short random time before attempt `tries`; throws `too_many_requests` past the last moment. */
  pause(tries: number): Promise<void>
}

/** Whether chat and tail are of one moment: else users or activity changed between the two reads. */
const coherent = ({ chat, tail }: ChatView): boolean =>
  tail.last.version <= chat.version && tail.n === chat.thread && (tail.last.closed === true) !== chat.active

/**
 * Every write that can lose a race: attempts it on a coherent view until it is placed. `attempt` resolves to undefined
 * where the race was lost; it runs again then, on what was read anew, so it may run often and must write once.
 */
export const untilPlaced = async <T, V extends ChatView>(
  ctx: Placing<V>,
  attempt: (view: V) => Promise<T | undefined>,
): Promise<T> => {
  let view: V = ctx
  for (let tries = 1; ; tries += 1) {
    const placed = coherent(view) ? await attempt(view) : undefined
    if (placed !== undefined) return placed
    await ctx.pause(tries)
    view = await ctx.refresh()
  }
}
