import { ProtocolError } from '../protocol/errors.ts'
import { LicenseItem } from '../table/accounts.ts'
import type { Reads } from '../table/capabilities.ts'
import type { ChatScopes } from '../table/chat/chats.ts'
import { keys } from '../table/keys.ts'
import { type AnySession, isCustomers } from '../table/sockets.ts'
import type { RoutingState } from './routing-state.ts'

// Names in scopes that do not exist any more (protocol §7): a deleted group counts as its successor, where it
// has one.

const unique = <T>(list: readonly T[]): T[] => [...new Set(list)]

/** The group that a deleted one is read as; undefined: none. */
const successorOf = (
  group: number,
  { deleted_groups, successors }: Pick<LicenseItem, 'deleted_groups' | 'successors'>,
): number | undefined => {
  let now: number | undefined = group
  // each was deleted after those that it succeeds: no way leads back
  while (now !== undefined && deleted_groups.includes(now)) now = successors[String(now)]
  return now
}

/**
 * What names are looked up in: which of them were deleted. One that a read which lags behind lacks is none of
 * these.
 */
export type Names = Pick<RoutingState, 'deleted'> & {
  license: Pick<LicenseItem, 'deleted_groups' | 'successors'>
}

/** Scopes as they count. What names nobody any more is empty: every agent sees the chat. */
export const existingScopes = ({ groups, agents }: ChatScopes, names: Names): ChatScopes => ({
  groups: unique(groups.flatMap((group) => successorOf(group, names.license) ?? [])),
  agents: agents.filter((id) => !names.deleted.some((agent) => agent.id === id)),
})

/** Whether scopes name a group that was deleted. */
export const namesDeletedGroup = ({ groups }: ChatScopes, { deleted_groups }: LicenseItem): boolean =>
  groups.some((group) => deleted_groups.includes(group))

interface Asking extends Reads {
  me: AnySession
}

/**
 * Scopes of a request with successors in place of deleted groups; of a customer's without those that never
 * were.
 */
export const resolveNames = async ({ me, read }: Asking, asked: ChatScopes): Promise<ChatScopes> => {
  if (asked.groups.length === 0) return asked
  const wanted = asked.groups.map((group) => keys.group(me.license_id, group))
  const [found, license] = await Promise.all([
    read.batchGet(wanted, { strong: true }),
    read.get(keys.license(me.license_id), { strong: true }),
  ])
  const existing = found.map((item) => item['id'])
  const known = LicenseItem.parse(license)
  const groups = asked.groups.flatMap((group) => {
    if (existing.includes(group)) return group
    const successor = successorOf(group, known)
    if (successor !== undefined && successor !== group) return successor
    return isCustomers(me) ? [] : group
  })
  return { ...asked, groups: unique(groups) }
}

/**
 * Runs with scopes as a request names them; where that is `not_found`, once more with what their names stand
 * for now.
 */
export const withSuccessors = async <T>(
  ctx: Asking,
  asked: readonly ChatScopes[],
  run: (...scopes: ChatScopes[]) => Promise<T>,
): Promise<T> => {
  try {
    return await run(...asked)
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.type !== 'not_found') throw error
    const named = await Promise.all(asked.map((scopes) => resolveNames(ctx, scopes)))
    if (JSON.stringify(named) === JSON.stringify(asked)) throw error
    return run(...named)
  }
}
