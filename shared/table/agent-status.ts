import type { AgentStatus } from '../protocol/agent-status.ts'
import type { RoutingStatus } from '../protocol/objects.ts'
import { keys } from './keys.ts'
import type { Op } from './ops.ts'

/**
 * Sets the status of a person that is not deleted, where it is another one; the same write holds again for
 * itself, since its first answer may have been lost. One who is offline keeps it as its last known one.
 */
export const setStatus = (
  license: string,
  agent: string,
  status: RoutingStatus,
  nonce: string,
): Op<'account'> => ({
  Update: {
    Key: keys.agent(license, agent),
    UpdateExpression: 'SET #status = :status, status_by = :nonce',
    ConditionExpression:
      'attribute_exists(pk) AND attribute_not_exists(bot) AND (attribute_not_exists(#deleted) OR #deleted = :false) AND (attribute_not_exists(#status) OR #status <> :status OR status_by = :nonce)',
    ExpressionAttributeNames: { '#status': 'routing_status', '#deleted': 'deleted' },
    ExpressionAttributeValues: { ':status': status, ':nonce': nonce, ':false': false },
  },
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
  const isOff = status === 'offline'
  const isOther = isOff
    ? '#online = :true'
    : 'attribute_not_exists(#online) OR #online = :false OR attribute_not_exists(#status) OR #status <> :status'
  const change = isOff ? '#online = :false' : '#online = :true, #status = :status'
  return {
    Update: {
      Key: keys.agent(license, bot),
      UpdateExpression: `SET ${change}, status_by = :nonce`,
      ConditionExpression: `#bot = :true AND (attribute_not_exists(#suspended) OR #suspended = :false) AND (attribute_not_exists(#deleted) OR #deleted = :false) AND (${isOther} OR status_by = :nonce)`,
      ExpressionAttributeNames: {
        '#bot': 'bot',
        '#online': 'online',
        '#suspended': 'suspended',
        '#deleted': 'deleted',
        ...(isOff ? {} : { '#status': 'routing_status' }),
      },
      ExpressionAttributeValues: {
        ':true': true,
        ':false': false,
        ':nonce': nonce,
        ...(isOff ? {} : { ':status': status }),
      },
    },
  }
}
