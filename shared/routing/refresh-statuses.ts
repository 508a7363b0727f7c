import { everyAgent } from '../access/audience.ts'
import {
  anyGroup,
  changedGroups,
  computeStatuses,
  keptStatuses,
  showStatuses,
} from '../chat/compute-statuses.ts'
import type { WorkCtx } from '../delivery/worker-context.ts'
import type { Enqueues } from '../jobs/job-queue.ts'
import { InternalError } from '../protocol/errors.ts'
import { AgentItem, LicenseItem } from '../table/accounts.ts'
import type { Clock, Reads, Writes } from '../table/capabilities.ts'
import type { Common } from '../table/families.ts'
import {
  isOverdue,
  parseStatuses,
  readStatuses,
  removeDue,
  removeUntold,
  setStatusDue,
  setStatuses,
} from '../table/group-statuses.ts'
import { keys } from '../table/keys.ts'
import type { Attributes } from '../table/ops.ts'

// Whether somebody is there for a group is kept, so that a page view costs one small read. The stream says
// what may have changed it, a job looks some seconds later, and the clock finds what both missed.

/** Agents come and go, and loads flap: so long at least passes from one push to the next of a license. */
const delayS = 3

/** Whether there is a license, and it has not run out. */
const isInForce = async (
  { read, now }: Reads & Clock,
  license: string,
  strong: boolean,
): Promise<boolean> => {
  const item = await read.get(keys.license(license), { strong })
  return item !== undefined && LicenseItem.parse(item).expires_at * 1000 > now()
}

/** The same of a license that may be about to be erased: nothing more is written for one that is over. */
export const enqueueStatusesOf = async (
  ctx: Reads & Writes<'groupStatuses'> & Clock & Enqueues,
  license: string,
): Promise<void> => {
  if (await isInForce(ctx, license, true)) await enqueueStatuses(ctx, license)
}

/** Has the statuses of a license's groups looked at soon, unless that is under way. */
export const enqueueStatuses = async (
  ctx: Writes<'groupStatuses'> & Clock & Enqueues,
  license: string,
): Promise<void> => {
  const nowMs = ctx.now()
  const claim = setStatusDue(license, { atMs: nowMs + delayS * 1000, nowMs })
  if ((await ctx.write.write(claim)).done)
    await ctx.enqueue({ job: 'group_statuses', license_id: license }, delayS)
}

/** What of an agent decides whether it is there for a group. */
const deciding = [
  ...(['online', 'away', 'suspended', 'deleted', 'routing_status', 'default_status'] as const),
  ...(['max_chats', 'groups', 'permission'] as const),
]

/**
 * Whether a change of an agent may move a group's status. One that was just created is not there yet, one
 * whose item goes is of a license that is erased.
 */
export const movesStatuses = (before: Attributes | undefined, after: Attributes | undefined): boolean =>
  before !== undefined &&
  after !== undefined &&
  deciding.some((field) => JSON.stringify(before[field]) !== JSON.stringify(after[field]))

/** An agent has more chats or fewer: where that fills it or frees it, its groups are looked at. */
export const loadChanged = async (
  ctx: Reads & Writes<'groupStatuses'> & Clock & Enqueues,
  { license, agent }: { license: string; agent: string },
  active: { before: number; after: number },
): Promise<void> => {
  if (active.before === active.after) return
  const item = await ctx.read.get(keys.agent(license, agent))
  if (item === undefined) return
  const { max_chats } = AgentItem.parse(item)
  if (active.before < max_chats !== active.after < max_chats) await enqueueStatuses(ctx, license)
}

const tries = 5

/**
 * Brings the statuses of a license's groups up to date, and tells its agents which changed. May run twice,
 * and beside itself: what is written says what is still to be told, so that a worker which dies behind its
 * write is made up for by the next run of its job.
 */
export const refreshStatuses = async (ctx: WorkCtx<'groupStatuses'>, license: string): Promise<void> => {
  for (let turn = 1; turn <= tries; turn += 1) {
    const begun = await ctx.write.write(removeDue(license), { returns: 'new' })
    const held = parseStatuses(begun.done ? begun.attributes : undefined)
    const now = await computeStatuses(ctx.read, license, { strong: true, nowMs: ctx.now() })
    if (now === undefined) return
    const before = keptStatuses(held)
    const changed = changedGroups(before, now).filter((id) => id !== anyGroup)
    const untold = [...new Set([...held.untold.filter((id) => now.has(id)), ...changed])]
    const isSame = [...now].every(([id, status]) => before.get(id) === status) && before.size === now.size
    let { version } = held
    if (!isSame || version === 0) {
      const idsOf = (wanted: string) => [...now].flatMap(([id, status]) => (status === wanted ? [id] : []))
      const statuses = {
        online: idsOf('online'),
        online_for_queue: idsOf('online_for_queue'),
        offline: idsOf('offline'),
      }
      const written = await ctx.write.write(setStatuses(license, { ...statuses, untold, version }))
      if (!written.done) {
        await ctx.pause(turn)
        continue
      }
      version += 1
    }
    if (untold.length === 0) return
    ctx.push(everyAgent(license), 'groups_status_updated', { groups_status: showStatuses(now, untold) })
    // the job comes again
    if (!(await ctx.flush())) throw new InternalError('Those who are to be told could not be read')
    await ctx.write.write(removeUntold(license, version))
    return
  }
  throw new InternalError('The statuses of groups are being changed all the time')
}

/**
 * Finds what stream and queue have missed: a license whose statuses nobody has kept yet, a look that has not
 * come, statuses that are not so. `isAnyone`: agents of it are connected.
 */
export const repairStatuses = async (
  ctx: Reads<Common | 'loads' | 'groupStatuses'> & Clock & Enqueues,
  license: string,
  { isAnyone }: { isAnyone: boolean },
): Promise<void> => {
  const kept = await readStatuses(ctx.read, license)
  const isIdle = kept !== undefined && kept.online.length + kept.online_for_queue.length === 0 && !isAnyone
  const isLost = kept === undefined || isOverdue(kept, ctx.now()) || kept.untold.length > 0
  if (!isLost && (isIdle || kept.due_at !== undefined)) return
  // before agents and loads are read: one that is over costs each minute two small reads, and no more
  if (!(await isInForce(ctx, license, false))) return
  const now = await computeStatuses(ctx.read, license, { strong: false, nowMs: ctx.now() })
  if (now === undefined) return
  if (!isLost && changedGroups(keptStatuses(kept), now).length === 0) return
  await ctx.enqueue({ job: 'group_statuses', license_id: license }, 0)
}
