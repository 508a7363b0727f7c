import * as z from 'zod/mini'
import { keys } from '../keys.ts'
import type { Attributes, Op, Reader } from '../ops.ts'
import { absentOr, exists, is, update } from '../update.ts'

// Two items of a license, which workers alone write: positions are some 90 bytes for each chat that waits,
// and a write of any attribute is charged for the whole item. What each run of routing writes stands apart
// from them.

/** Of a waiting chat: its thread, its position from 1, and since when (ms) it waits. */
const Position = z.tuple([z.int(), z.int(), z.int()])
export type Position = z.output<typeof Position>

const Waits = z.object({
  /** How many chats have come to an agent after they waited. */
  waits: z._default(z.int(), 0),
  /** A moving mean of how long (ms) they waited. */
  mean_wait_ms: z._default(z.number(), 0),
})
/** How long chats of a license have waited of late. */
export type Waits = z.output<typeof Waits>

/** `LICENSE#<l>` / `QUEUE`: the positions of a license's waiting chats as they were told last. */
const PositionsItem = z.extend(
  // as they were kept before they had an item of their own: what stands there until the next wait
  Waits,
  {
    /** By chat. */
    positions: z._default(z.record(z.string(), Position), {}),
  },
)
type Positions = Record<string, Position>

/** `LICENSE#<l>` / `QUEUE#TIMES`: how long chats have waited of late, and when positions are told. */
const TimesItem = z.extend(Waits, {
  /** When (ms) positions were told last. */
  told_at: z._default(z.int(), 0),
  /** When (ms) a job tells them that is under way; 0: none is. */
  due_at: z._default(z.int(), 0),
})
export type QueueTimes = z.output<typeof TimesItem>

/** The positions that were told last, and how long chats have waited of late. */
export interface ToldQueue extends Waits {
  positions: Positions
}

/** The positions that an item has, which may not be there. */
export const parsePositions = (item: Attributes | undefined): Positions =>
  PositionsItem.parse(item ?? {}).positions

const readPositions = async (read: Reader, license: string, strong: boolean): Promise<ToldQueue> =>
  PositionsItem.parse((await read.get(keys.queue(license), { strong })) ?? {})

const readTimes = async (read: Reader, license: string, strong: boolean): Promise<QueueTimes> =>
  TimesItem.parse((await read.get(keys.queueTimes(license), { strong })) ?? {})

/**
 * The waits that are known: before the first since there are two items, those that stand by the positions.
 */
const waitsOf = (times: Waits, before: Waits): Waits => {
  const { waits, mean_wait_ms } = times.waits > 0 ? times : before
  return { waits, mean_wait_ms }
}

/** When positions are told. Strongly consistent. */
export const readQueueTimes = (read: Reader, license: string): Promise<QueueTimes> =>
  readTimes(read, license, true)

/** Strongly consistent; the positions are read until the first wait alone. */
export const readWaits = async (read: Reader, license: string): Promise<Waits> => {
  const times = await readTimes(read, license, true)
  return times.waits > 0 ? times : waitsOf(times, await readPositions(read, license, true))
}

/** Both items, in one round trip. */
export const readQueue = async (
  read: Reader,
  license: string,
  { strong }: { strong: boolean },
): Promise<ToldQueue> => {
  const [{ positions, ...before }, times] = await Promise.all([
    readPositions(read, license, strong),
    readTimes(read, license, strong),
  ])
  return { positions, ...waitsOf(times, before) }
}

/** Forgets the position that a chat had. */
export const removePosition = (license: string, chat: string): Op<'account'> =>
  update(keys.queue(license), {
    remove: [`positions.${chat}`],
    when: exists(`positions.${chat}`),
  })

/** A change of a field that stands as it was read, if only one run makes it. */
const setFrom = (
  license: string,
  field: 'told_at' | 'due_at' | 'waits',
  was: number,
  set: Partial<QueueTimes>,
): Op<'account'> =>
  update(keys.queueTimes(license), {
    set,
    // 0 stands for none; the first waits of all may have been read off the other item
    when: was === 0 || field === 'waits' ? absentOr(field, '=', was) : is({ [field]: was }),
  })

/** One run tells positions at a time; a job that is under way still is not waited for. */
export const claimTelling = (license: string, { told_at }: QueueTimes, nowMs: number): Op<'account'> =>
  setFrom(license, 'told_at', told_at, { told_at: nowMs, due_at: 0 })

/** Keeps what the run has told that claimed it at `toldAt`, unless one that claimed it later has done so. */
export const setPositions = (license: string, toldAt: number, positions: Positions): Op<'account'> =>
  update(keys.queue(license), {
    set: { positions, claimed_at: toldAt },
    when: absentOr('claimed_at', '<', toldAt),
  })

export const setDue = (license: string, { due_at }: QueueTimes, dueAt: number): Op<'account'> =>
  setFrom(license, 'due_at', due_at, { due_at: dueAt })

export const setMeanWait = (license: string, { waits }: Waits, mean: Waits): Op<'account'> =>
  setFrom(license, 'waits', waits, mean)
