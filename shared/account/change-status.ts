import { ProtocolError } from '../protocol/errors.ts'
import type { AgentStatus } from '../protocol/agent-status.ts'
import { AgentItem } from '../table/accounts.ts'
import { setBotStatus, setStatus } from '../table/agent-status.ts'
import type { Retries, Writes } from '../table/capabilities.ts'
import type { Attributes } from '../table/ops.ts'

interface Changing extends Writes<'account'>, Pick<Retries, 'nonce'> {}

/**
 * Sets the status of an agent: a bot comes and goes by it. Resolves to whether it was another one. Throws
 * `not_found`, and `validation` for a status that the agent cannot have.
 */
export const changeStatus = async (
  { write, nonce }: Changing,
  license: string,
  id: string,
  status: AgentStatus,
): Promise<boolean> => {
  // most are people: one write is all that theirs take
  if (status !== 'offline') {
    const outcome = await write.write(setStatus(license, id, status, nonce))
    if (outcome.done) return true
    if (!living(outcome.found).bot) return false
  }
  const outcome = await write.write(setBotStatus(license, id, status, nonce))
  if (outcome.done) return true
  const { bot, suspended } = living(outcome.found)
  if (!bot) throw refused('A person is offline once its last connection has ended; offline is for bots')
  if (suspended) throw refused('The bot is suspended: it is offline until it is resumed')
  return false
}

const living = (found: Attributes | undefined): AgentItem => {
  const agent = found && AgentItem.parse(found)
  if (agent === undefined || agent.deleted) throw new ProtocolError('not_found')
  return agent
}

const refused = (message: string) =>
  new ProtocolError('validation', { details: [{ path: 'payload.routing_status', message }] })
