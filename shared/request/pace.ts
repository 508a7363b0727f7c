import { type Job, Momentary } from '../jobs/job-queue.ts'
import type { ActionSpec } from '../protocol/action.ts'
import type { Chat } from '../table/chat/chats.ts'
import { countedUser, putOff } from '../table/counters.ts'
import type { Key } from '../table/keys.ts'
import type { CustomerSession } from '../table/sockets.ts'
import type { Limiting } from './rate-limits.ts'

/**
 * What a customer has done and others are to hear of: what is stored by its keys, what is not as it is.
 * `before`: the chat as it was.
 */
export type Paced = { keys: readonly Key[]; before?: Chat } | { payload: unknown }

const paceMs = 1000

/**
 * Whether others hear of it now: what a customer can repeat reaches them once a second. Else the last of it
 * is told by a job, a second later, of which there is one at a time.
 */
export const pace = async (
  { name: action }: Pick<ActionSpec, 'name'>,
  ctx: Limiting,
  previousAt: number,
  me: CustomerSession,
  paced: Paced,
): Promise<boolean> => {
  const nowMs = Date.now()
  if (nowMs - previousAt >= paceMs) return true
  const payload = 'keys' in paced ? true : paced.payload
  const isFirst = await putOff(ctx.write, countedUser(me), action, { payload, nowMs, dueMs: nowMs + paceMs })
  const { license_id, customer_id } = me
  const job: Job =
    'keys' in paced
      ? { job: 'tell_written', action, keys: paced.keys.map(({ pk, sk }) => [pk, sk]), before: paced.before }
      : { job: 'tell_pending', action: Momentary.parse(action), license_id, customer_id }
  if (isFirst) await ctx.enqueue(job, paceMs / 1000)
  return false
}
