import * as z from 'zod/mini'
import { keys } from '../keys.ts'
import type { Op, Reader } from '../ops.ts'

/** Of a waiting chat: its thread, its position from 1, and since when (ms) it waits. */
const Position = z.tuple([z.int(), z.int(), z.int()])
export type Position = z.output<typeof Position>

/**
 * `LICENSE#<l>` / `QUEUE`: the positions of a license's waiting chats as they were told last, and how long
 * chats have waited of late. Workers alone write it.
 */
const QueueItem = z.object({
  /** By chat. */
  positions: z._default(z.record(z.string(), Position), {}),
  /** When (ms) positions were told last. */
  told_at: z._default(z.int(), 0),
  /** When (ms) a job tells them that is under way; 0: none is. */
  due_at: z._default(z.int(), 0),
  /** How many chats have come to an agent after they waited. */
  waits: z._default(z.int(), 0),
  /** A moving mean of how long (ms) they waited. */
  mean_wait_ms: z._default(z.number(), 0),
})
export type QueueItem = z.output<typeof QueueItem>

export const readQueue = async (
  read: Reader,
  license: string,
  { strong }: { strong: boolean },
): Promise<QueueItem> => QueueItem.parse((await read.get(keys.queue(license), { strong })) ?? {})

/** Forgets the position that a chat had. */
export const removePosition = (license: string, chat: string): Op<'account'> => ({
  Update: {
    Key: keys.queue(license),
    UpdateExpression: 'REMOVE #positions.#chat',
    ConditionExpression: 'attribute_exists(#positions.#chat)',
    ExpressionAttributeNames: { '#positions': 'positions', '#chat': chat },
  },
})

/** A change of a field that stands as it was read, if only one run makes it. */
const setFrom = (
  license: string,
  field: 'told_at' | 'due_at' | 'waits',
  was: number,
  set: Partial<QueueItem>,
): Op<'account'> => {
  const names = Object.keys(set)
  return {
    Update: {
      Key: keys.queue(license),
      UpdateExpression: `SET ${names.map((name) => `#${name} = :${name}`).join(', ')}`,
      // 0 stands for none
      ConditionExpression: `${was === 0 ? `attribute_not_exists(#${field}) OR ` : ''}#${field} = :was`,
      ExpressionAttributeNames: Object.fromEntries(
        [...new Set([...names, field])].map((name) => [`#${name}`, name]),
      ),
      ExpressionAttributeValues: {
        ...Object.fromEntries(Object.entries(set).map(([name, value]) => [`:${name}`, value])),
        ':was': was,
      },
    },
  }
}

/** One run tells positions at a time; a job that is under way still is not waited for. */
export const claimTelling = (license: string, { told_at }: QueueItem, nowMs: number): Op<'account'> =>
  setFrom(license, 'told_at', told_at, { told_at: nowMs, due_at: 0 })

/** What the run has told that claimed it at `toldAt`. */
export const setPositions = (
  license: string,
  toldAt: number,
  positions: Readonly<Record<string, Position>>,
): Op<'account'> => setFrom(license, 'told_at', toldAt, { positions })

export const setDue = (license: string, { due_at }: QueueItem, dueAt: number): Op<'account'> =>
  setFrom(license, 'due_at', due_at, { due_at: dueAt })

export const setMeanWait = (
  license: string,
  { waits }: QueueItem,
  mean: Pick<QueueItem, 'waits' | 'mean_wait_ms'>,
): Op<'account'> => setFrom(license, 'waits', waits, mean)
