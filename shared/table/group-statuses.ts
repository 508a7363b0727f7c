import * as z from 'zod/mini'
import { keys } from './keys.ts'
import type { Attributes, Op, Reader } from './ops.ts'
import { absentOr, atVersion, exists, is, update } from './update.ts'

const ids = z._default(z.array(z.int()), [])

/**
 * `STATUS#<l>#GROUPS` / `GROUPS`: the groups of a license by their status, as its agents and their loads were
 * when a job looked last. Workers alone write it. Lists of ids are a third of what a map by ids takes.
 */
const StatusesItem = z.object({
  /** Raised with each change; absent: nobody has looked yet. */
  version: z._default(z.int(), 0),
  online: ids,
  online_for_queue: ids,
  offline: ids,
  /** Those whose change may not have been told yet. */
  untold: ids,
  /** When (ms) a job is to look: what changes before is seen by it. */
  due_at: z.optional(z.int()),
})
export type StatusesItem = z.output<typeof StatusesItem>

export const readStatuses = async (
  read: Reader<'groupStatuses'>,
  license: string,
): Promise<StatusesItem | undefined> => {
  const item = await read.get(keys.groupStatuses(license))
  return item === undefined ? undefined : StatusesItem.parse(item)
}

/** A job that has not begun so long after it was due never will. */
const lostMs = 10_000

/** Whether a job that was to look has not come. */
export const isOverdue = ({ due_at }: Pick<StatusesItem, 'due_at'>, nowMs: number): boolean =>
  due_at !== undefined && due_at < nowMs - lostMs

/** Claims the next look; it holds where none is to come. */
export const setStatusDue = (
  license: string,
  { atMs, nowMs }: { atMs: number; nowMs: number },
): Op<'groupStatuses'> =>
  update(keys.groupStatuses(license), {
    set: { due_at: atMs },
    when: absentOr('due_at', '<', nowMs - lostMs),
  })

/** A look begins: what changes from now on is for the next one. It holds where anything is kept. */
export const removeDue = (license: string): Op<'groupStatuses'> =>
  update(keys.groupStatuses(license), { remove: ['due_at'], when: exists() })

export const parseStatuses = (item: Attributes | undefined): StatusesItem => StatusesItem.parse(item ?? {})

/** Sets the statuses where they still are as they were read. */
export const setStatuses = (
  license: string,
  { version, online, online_for_queue, offline, untold }: Omit<StatusesItem, 'due_at'>,
): Op<'groupStatuses'> =>
  update(keys.groupStatuses(license), {
    set: { online, online_for_queue, offline, untold, version: version + 1 },
    when: atVersion(version),
  })

/** Everyone was told of the statuses of this version. */
export const removeUntold = (license: string, version: number): Op<'groupStatuses'> =>
  update(keys.groupStatuses(license), { remove: ['untold'], when: is({ version }) })
