import * as z from 'zod/mini'
import { keys, loadsPk } from '../keys.ts'
import type { Op, Reader } from '../ops.ts'
import { absent, absentOr, and, exists, update } from '../update.ts'

/**
 * `LICENSE#<l>#LOAD` / `<agent>`: how many active chats with a customer an agent has, and when it was last
 * given one (ms).
 */
const LoadItem = z.object({
  agent: z.string(),
  active: z._default(z.int(), 0),
  assigned_at: z._default(z.int(), 0),
})
export type Load = z.output<typeof LoadItem>

/** An agent is in so many more active chats; in fewer by a negative number. */
export const adjustLoad = (license: string, agent: string, by: 1 | -1): Op<'loads'> =>
  update(keys.load(license, agent), { set: { agent }, add: { active: by } })

/**
 * An agent takes on a chat, where it exists and may work: `off` is set while it is suspended, and once it is
 * deleted.
 */
export const incrementLoad = (license: string, agent: string): Op<'loads'> =>
  update(keys.load(license, agent), { add: { active: 1 }, when: and(exists(), absent('off')) })

/** An agent may take on chats, or no more. */
export const switchLoad = (license: string, agent: string, off: boolean): Op<'loads'> =>
  update(keys.load(license, agent), { set: { agent, off: off ? true : undefined } })

/** An agent is given a chat, where it is in fewer than `limit`. */
export const setAssignedChat = (license: string, agent: string, limit: number, nowMs: number): Op<'loads'> =>
  update(keys.load(license, agent), {
    set: { agent, assigned_at: nowMs },
    add: { active: 1 },
    when: absentOr('active', '<', limit),
  })

export const readLoads = async (
  read: Reader<'loads'>,
  license: string,
  { strong }: { strong: boolean },
): Promise<Load[]> => (await read.query({ pk: loadsPk(license), strong })).map((item) => LoadItem.parse(item))
