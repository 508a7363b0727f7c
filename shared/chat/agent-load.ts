import type { ErrorType } from '../protocol/errors.ts'
import type { Chat } from '../table/chat/chats.ts'
import { adjustLoad, incrementLoad } from '../table/chat/loads.ts'
import type { ConditionalWrite } from '../table/optimistic-write.ts'

type Working = Pick<Chat, 'license_id' | 'users' | 'active'>

/** Whose load a chat is: its agents', while it is active and a customer is in it. */
const workingIn = ({ users, active }: Pick<Working, 'users' | 'active'>): string[] => {
  const agents = active ? users.filter(({ type, present }) => present && type === 'agent') : []
  const isCustomers = users.some(({ type, present }) => present && type === 'customer')
  // those of earlier releases, which do not know since when, counted without a customer too
  return agents.filter(({ since }) => isCustomers || since === undefined).map(({ id }) => id)
}

/** Whether an agent's load rises with a change of a chat. */
export const takesOn = (
  agent: string,
  before: Pick<Working, 'users' | 'active'> | undefined,
  after: Pick<Working, 'users' | 'active'>,
): boolean => workingIn(after).includes(agent) && !(before !== undefined && workingIn(before).includes(agent))

/**
 * What a change of a chat does to its agents' loads: in the same transaction, so that they are always right.
 * `assigned`: whose load is moved by its assignment. `coming`: who must be able to work, `onConditionFailed`
 * what it means where one cannot.
 */
export const adjustLoads = (
  before: Pick<Working, 'users' | 'active'> | undefined,
  after: Working,
  {
    assigned,
    coming = [],
    onConditionFailed,
  }: {
    assigned?: string | undefined
    coming?: readonly string[] | undefined
    onConditionFailed?: ErrorType
  } = {},
): ConditionalWrite<'loads'>[] => {
  const { license_id } = after
  const [was, is] = [before === undefined ? [] : workingIn(before), workingIn(after)]
  const more = is.filter((id) => !was.includes(id) && id !== assigned)
  const less = was.filter((id) => !is.includes(id))
  return [
    ...more.map((id) =>
      coming.includes(id)
        ? { op: incrementLoad(license_id, id), onConditionFailed }
        : { op: adjustLoad(license_id, id, 1) },
    ),
    ...less.map((id) => ({ op: adjustLoad(license_id, id, -1) })),
  ]
}
