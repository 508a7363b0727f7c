import { limits } from '../protocol/limits.ts'
import type { GroupsStatus } from '../protocol/objects.ts'
import type { Clock, Reads } from '../table/capabilities.ts'
import type { Common } from '../table/families.ts'
import { readStatuses } from '../table/group-statuses.ts'
import { anyGroup, computeStatuses, keptStatuses, showStatuses } from './compute-statuses.ts'

/**
 * The statuses of a license's groups, or of those named: one read, however many agents there are. Where
 * nobody has kept them yet, which the clock does within a minute, they are computed.
 */
export const listStatuses = async (
  { read, now }: Reads<Common | 'loads' | 'groupStatuses'> & Clock,
  license: string,
  named: readonly number[] | undefined,
): Promise<GroupsStatus> => {
  const kept = await readStatuses(read, license)
  const statuses =
    kept === undefined || kept.version === 0
      ? ((await computeStatuses(read, license, { strong: false, nowMs: now() })) ?? new Map())
      : keptStatuses(kept)
  const all = [...statuses.keys()].filter((id) => id !== anyGroup).toSorted((a, b) => a - b)
  return showStatuses(statuses, named ?? all.slice(0, limits.directory))
}
