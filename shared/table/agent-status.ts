import type { AgentStatus } from '../protocol/agent-status.ts'
import type { RoutingStatus } from '../protocol/objects.ts'
import { keys } from './keys.ts'
import type { Op } from './ops.ts'
import { absent, absentOr, and, exists, is, isOff, or, update } from './update.ts'

/**
 * Sets the status of a person that is not deleted, where it is another one; the same write holds again for
 * itself, since its first answer may have been lost. One who is offline keeps it as its last known one.
 */
export const setStatus = (
  license: string,
  agent: string,
  status: RoutingStatus,
  nonce: string,
): Op<'account'> =>
  update(keys.agent(license, agent), {
    set: { routing_status: status, status_by: nonce },
    when: and(
      exists(),
      absent('bot'),
      isOff('deleted'),
      or(absentOr('routing_status', '<>', status), is({ status_by: nonce })),
    ),
  })

/**
 * Sets the status of a bot that may work, which by that alone comes online, and goes. The last status before
 * it went is kept.
 */
export const setBotStatus = (
  license: string,
  bot: string,
  status: AgentStatus,
  nonce: string,
): Op<'account'> => {
  const isGoing = status === 'offline'
  const isOther = isGoing
    ? is({ online: true })
    : or(isOff('online'), absentOr('routing_status', '<>', status))
  return update(keys.agent(license, bot), {
    set: { online: !isGoing, ...(isGoing ? {} : { routing_status: status }), status_by: nonce },
    when: and(is({ bot: true }), isOff('suspended'), isOff('deleted'), or(isOther, is({ status_by: nonce }))),
  })
}
