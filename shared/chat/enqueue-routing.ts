import { isShown } from '../access/visibility.ts'
import type { Pushing } from '../delivery/outbox.ts'
import type { Enqueues, Job } from '../jobs/job-queue.ts'
import { log } from '../platform/log.ts'
import type { AgentStatus } from '../protocol/agent-status.ts'
import type { Chat } from '../table/chat/chats.ts'
import { type Entry, isSaid } from '../table/chat/thread-log.ts'
import { customerOf, presentAgents } from '../table/chat/chat-users.ts'

/**
 * Has a license's waiting chats given to whoever is free, by a worker: an answer does not wait for it.
 * `chat`: also this one, where nobody may be there for it. Never throws: the clock finds what was missed.
 */
export const enqueueRouting = async (ctx: Enqueues, license: string, chat?: string): Promise<void> => {
  await enqueue(ctx, { job: 'route', license_id: license, ...(chat === undefined ? {} : { chat }) })
}

const enqueue = (ctx: Enqueues, job: Job): Promise<void> =>
  ctx.enqueue(job, 0).catch((error: unknown) => log.error('Routing was not set off', { cause: error }))

/**
 * Has a license routed for another status of an agent: waiting chats go to one who accepts them, and those of
 * a bot that goes to others, where their customers wait. Never throws.
 */
export const enqueueRoutingBy = async (
  ctx: Enqueues,
  license: string,
  agent: string,
  status: AgentStatus,
): Promise<void> => {
  if (status === 'accepting_chats') return enqueueRouting(ctx, license)
  if (status === 'offline') return enqueue(ctx, { job: 'route', license_id: license, agent })
}

/**
 * Has a license routed after a thread was closed: its agents may take another chat. A chat that waited leaves
 * the line, and the others move up.
 */
export const enqueueRoutingAfterClosing = (
  ctx: Enqueues,
  { license_id, id, waiting_since }: Pick<Chat, 'license_id' | 'id' | 'waiting_since'>,
): Promise<void> => enqueueRouting(ctx, license_id, waiting_since === undefined ? undefined : id)

/**
 * Has a chat routed for what was added to its active thread: its customer asks, and none of its agents is
 * connected; or an agent has answered, where it waits for one. Reads no more than the audience of the pushes.
 */
export const enqueueRoutingOf = async (
  ctx: Enqueues & Pick<Pushing, 'hasConnected'>,
  chat: Chat,
  entries: readonly Entry[],
): Promise<void> => {
  const customer = customerOf(chat)
  const authors = entries
    .filter(({ event }) => isSaid(event) && isShown(event))
    .map(({ event }) => event.author_id)
  if (customer === undefined || authors.length === 0) return
  const isDue =
    chat.waiting_since === undefined
      ? authors.includes(customer.id) && !(await ctx.hasConnected(chat.license_id, presentAgents(chat)))
      : authors.some((author) => author !== customer.id)
  if (isDue) await enqueueRouting(ctx, chat.license_id, chat.id)
}
