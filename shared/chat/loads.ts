import type { Chat } from '../table/chats.ts'
import { loadMoved } from '../table/loads.ts'
import type { Op } from '../table/ops.ts'

type Working = Pick<Chat, 'license_id' | 'users' | 'active'>

const workingIn = ({ users, active }: Pick<Working, 'users' | 'active'>): string[] =>
  active ? users.filter(({ type, present }) => present && type === 'agent').map(({ id }) => id) : []

/**
 * What a change of a chat does to its agents' loads: in the same transaction, so that they are always right. `but`: whose
 * load is moved by its assignment.
 */
export const loadsMoved = (
  before: Pick<Working, 'users' | 'active'> | undefined,
  after: Working,
  but?: string,
): Op[] => {
  const [was, is] = [before === undefined ? [] : workingIn(before), workingIn(after)]
  const moved = (ids: readonly string[], by: 1 | -1) =>
    ids.filter((id) => id !== but).map((id) => loadMoved(after.license_id, id, by))
  return [
    ...moved(
      is.filter((id) => !was.includes(id)),
      1,
    ),
    ...moved(
      was.filter((id) => !is.includes(id)),
      -1,
    ),
  ]
}
