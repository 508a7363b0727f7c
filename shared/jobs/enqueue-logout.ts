import { randomUUID } from 'node:crypto'
import { log } from '../platform/log.ts'
import type { AgentItem } from '../table/accounts.ts'
import type { Enqueues } from './job-queue.ts'

/** An answer, and what a connection is told of its end, goes out before the connection is closed. */
export const afterAnswerS = 1

/**
 * Has a connection closed whose session has ended by a logout, and its agent taken offline where it was the
 * last one: who leaves on purpose has no time of grace. Never throws: the clock closes such connections too.
 */
export const enqueueLogout = async (
  ctx: Enqueues,
  { license_id, id: agent_id, seq }: Pick<AgentItem, 'license_id' | 'id' | 'seq'>,
  connection: string,
): Promise<void> => {
  const check = randomUUID()
  await Promise.all([
    ctx.enqueue({ job: 'end_session', connection, reason: 'logged_out' }, afterAnswerS),
    ctx.enqueue({ job: 'expect_agent', license_id, agent_id, seq, check }, 0),
  ]).catch((error: unknown) => log.error('The end of a logout could not be put off', { cause: error }))
}
