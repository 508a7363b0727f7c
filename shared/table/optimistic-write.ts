import type { Family } from '../protocol/action.ts'
import { type ErrorType, ProtocolError } from '../protocol/errors.ts'
import type { Retries } from './capabilities.ts'
import type { Chat } from './chat/chats.ts'
import type { Tail } from './chat/thread-log.ts'
import type { Attributes, CancellationReason, Op, Writer } from './ops.ts'
import type { AnySession } from './sockets.ts'

/** A chat and the end of its log, as last read. */
export interface ChatSnapshot {
  chat: Chat
  tail: Tail
}

/** What a request decides by: also who asks. */
export interface RequestSnapshot extends ChatSnapshot {
  me: AnySession
}

export type LogUpdate<V extends ChatSnapshot = RequestSnapshot> = V & Rereads<V>

interface Rereads<V> extends Retries {
  /** Reads it all again, strongly, and checks permission again. Throws as the first check does. */
  refresh: () => Promise<V>
}

/** Whether chat and tail are of one moment: else users or activity changed between the two reads. */
export const isConsistentSnapshot = ({ chat, tail }: ChatSnapshot): boolean =>
  tail.last.version <= chat.version && tail.n === chat.thread && (tail.last.closed === true) !== chat.active

/** Whether this request wrote what was read: an attempt that seemed to fail was placed all the same. */
export const wasWrittenBy = ({ chat, tail }: ChatSnapshot, nonce: string): boolean =>
  chat.nonce === nonce || tail.entries.some((entry) => entry.nonce === nonce)

/** What an attempt comes to, and whether its write was placed, as far as the write's own answer tells. */
export interface Attempt<T> {
  result: T
  committed: boolean | Promise<boolean>
}

/**
 * Attempts a request's write on what was read until it is placed: the loop of writes that can lose a race.
 * An attempt that was not placed runs again on what is read anew, so it may run often and must write once.
 * One whose answer was lost is known by `isOwn`, and its result stands: also where it is too late for
 * another, or where its write failed in a way that leaves open what was stored. An attempt is undefined
 * where chat and log, as read, are not of one moment.
 */
export const retryUntilCommitted = async <T, V>(
  ctx: Omit<Rereads<V>, 'nonce'>,
  first: V,
  {
    isOwn,
    attempt,
  }: { isOwn: (view: V) => boolean; attempt: (view: V, tries: number) => Promise<Attempt<T> | undefined> },
): Promise<T> => {
  let view = first
  let last: Attempt<T> | undefined
  for (let tries = 1; ; tries += 1) {
    if (last !== undefined && isOwn(view)) return last.result
    last = (await attempt(view, tries)) ?? last
    if (last !== undefined && (await isPlaced(last))) return last.result
    try {
      await ctx.pause(tries)
    } catch (error) {
      // too late for another attempt; what is answered must be so all the same
      if (last !== undefined && isOwn(await ctx.refresh())) return last.result
      throw error
    }
    view = await ctx.refresh()
  }

  async function isPlaced({ committed: placed }: Attempt<T>): Promise<boolean> {
    try {
      return await placed
    } catch (error) {
      // a condition that does not hold says that nothing was stored; any other failure leaves it open
      if (error instanceof ProtocolError) throw error
      const now = await ctx.refresh().catch(() => undefined)
      if (now !== undefined && isOwn(now)) return true
      throw error
    }
  }
}

/** The same for a chat's log, on a consistent snapshot of it. */
export const updateLog = <T, V extends ChatSnapshot>(
  ctx: LogUpdate<V>,
  attempt: (view: V, tries: number) => Promise<Attempt<T>>,
): Promise<T> =>
  retryUntilCommitted<T, V>(ctx, ctx, {
    isOwn: (view) => wasWrittenBy(view, ctx.nonce),
    attempt: async (view, tries) => (isConsistentSnapshot(view) ? attempt(view, tries) : undefined),
  })

/**
 * A write of a transaction. `otherwise`: what it means where its condition does not hold, in the words of
 * `message`; without it a race is lost.
 */
export interface ConditionalWrite<F extends Family = Family> {
  op: Op<F>
  onConditionFailed?: ErrorType | undefined
  message?: string | undefined
}

const isMine = (found: Attributes | undefined, nonce: string): boolean => found?.['nonce'] === nonce

/** Whether a transaction stands: it did not fail, or what stands in its way is its own entry. */
const stands = (refusals: readonly CancellationReason[], nonce: string): boolean =>
  refusals.length === 0 || refusals.some(({ found }) => isMine(found, nonce))

/** Writes all or nothing; resolves to whether it stands. Throws what a condition that does not hold means. */
export const commitAll = async <F extends Family>(
  write: Writer<F>,
  guarded: readonly ConditionalWrite<F>[],
  nonce: string,
): Promise<boolean> => {
  const refusals = await write.transact(guarded.map(({ op }) => op))
  if (stands(refusals, nonce)) return true
  for (const { index, reason } of refusals) {
    const { onConditionFailed, message } = (reason === 'condition' ? guarded[index] : undefined) ?? {}
    if (onConditionFailed !== undefined) throw new ProtocolError(onConditionFailed, { message })
  }
  return false
}

/** Writes one item; resolves to whether it stands. */
export const commitOne = async <F extends Family>(
  write: Writer<F>,
  op: Op<F>,
  nonce: string,
): Promise<boolean> => {
  const outcome = await write.write(op)
  return outcome.done || isMine(outcome.found, nonce)
}
