import { customersIn, watchingAgents } from '../access/audience.ts'
import { positionsOf, queueWith } from '../chat/view/queue.ts'
import { runPart, type WorkCtx } from '../delivery/worker-context.ts'
import { InternalError } from '../protocol/errors.ts'
import type { PushPayload } from '../protocol/pushes.ts'
import {
  claimTelling,
  type Position,
  type QueueTimes,
  readQueue,
  readQueueTimes,
  readWaits,
  setDue,
  setMeanWait,
  setPositions,
  type ToldQueue,
  type Waits,
} from '../table/chat/queue.ts'
import { readWaitingChats, type WaitingChat } from '../table/chat/waiting-chats.ts'
import { threadId } from '../table/ids.ts'

// The positions of waiting chats are told where routing runs (extensions §3): to a license at most every ten
// seconds, and only those that changed.

const tellEveryMs = 10_000
/** A job that is so late is taken for lost. */
const lostAfterMs = 20_000
/** The mean follows this many waits. */
const meanOf = 10
const mostTries = 5
/** More are not told: nobody counts on being the two thousandth. */
const mostTold = 1000
const chatsPerPush = 500

/** Keeps how long chats of a license wait until an agent has them, by the last of them (ms). */
export const recordWaits = async (
  ctx: WorkCtx<'account'>,
  license: string,
  waits: readonly number[],
): Promise<void> => {
  for (let tries = 1; waits.length > 0 && tries <= mostTries; tries += 1) {
    const queue = await readWaits(ctx.read, license)
    const now = waits.reduce<Waits>(
      ({ waits: n, mean_wait_ms: mean }, ms) => ({
        waits: n + 1,
        mean_wait_ms: mean + (ms - mean) / Math.min(n + 1, meanOf),
      }),
      queue,
    )
    if ((await ctx.write.write(setMeanWait(license, queue, now))).done) return
  }
}

/**
 * Tells the positions of a license's waiting chats, where they differ from what was told last: now, or by a
 * job where they were told less than ten seconds ago. `isDue`: it is that job. May run twice, and beside
 * itself.
 */
export const tellQueue = async (
  ctx: WorkCtx<'account' | 'waitingChats'>,
  license: string,
  { isDue = false } = {},
): Promise<void> => {
  for (let tries = 1; tries <= mostTries; tries += 1) {
    const times = await readQueueTimes(ctx.read, license)
    if (!isDue && ctx.now() < times.told_at + tellEveryMs) {
      if (await enqueueTelling(ctx, license, times)) return
      continue
    }
    // after the last claim even where the clock of that one was ahead: else its positions would stand
    const at = Math.max(ctx.now(), times.told_at + 1)
    // before the list is read: what comes into it from then on sets off another run
    if (!(await ctx.write.write(claimTelling(license, times, at))).done) continue
    const [rows, queue] = await Promise.all([
      readWaitingChats(ctx.read, license),
      readQueue(ctx.read, license, { strong: true }),
    ])
    const now = [...positionsOf(rows).values()].slice(0, mostTold)
    const changed = now.filter(({ chat, position }) => !isTold(queue, chat, position))
    if (changed.length === 0) return
    await runPart(ctx, async (own) => {
      pushPositions(own, license, changed, queue)
      // the job comes again
      if (!(await own.flush())) throw new InternalError('Those who are to be told could not be read')
    })
    const told = now.map(({ chat, position }) => [chat.id, storedAs(chat, position)] as const)
    // told first: a run that dies in between tells it once more
    await ctx.write.write(setPositions(license, at, Object.fromEntries(told)))
    return
  }
}

/** Resolves to whether a job is under way, set off by this run or another. */
const enqueueTelling = async (
  ctx: WorkCtx<'account'>,
  license: string,
  times: QueueTimes,
): Promise<boolean> => {
  const { due_at, told_at } = times
  const now = ctx.now()
  // it has not read the list yet
  if (due_at > 0 && now < due_at + lostAfterMs) return true
  // a clock that was ahead has told it: no later than by this one
  const dueAt = Math.min(told_at, now) + tellEveryMs
  if (!(await ctx.write.write(setDue(license, times, dueAt))).done) return false
  await ctx.enqueue({ job: 'tell_queue', license_id: license }, Math.ceil((dueAt - now) / 1000))
  return true
}

const storedAs = ({ thread, waiting_since = 0 }: WaitingChat, position: number): Position => [
  thread,
  position,
  waiting_since,
]

const isTold = ({ positions }: ToldQueue, chat: WaitingChat, position: number): boolean =>
  positions[chat.id]?.join() === storedAs(chat, position).join()

interface Positioned {
  chat: WaitingChat
  position: number
}

const pushPositions = (ctx: WorkCtx, license: string, changed: readonly Positioned[], queue: Waits): void => {
  const shown = ({ chat, position }: Positioned): PushPayload<'queue_positions_updated'>[number] => ({
    chat_id: chat.id,
    thread_id: threadId(chat.id, chat.thread),
    queue: queueWith(position, chat.waiting_since ?? 0, queue),
  })
  // those of chats that the same agents see go out together
  const alike = Map.groupBy(changed, ({ chat: { scopes, users } }) =>
    JSON.stringify([scopes, users.filter(({ type, present }) => type !== 'customer' && present)]),
  )
  for (const all of alike.values())
    for (let from = 0; from < all.length; from += chatsPerPush) {
      const some = all.slice(from, from + chatsPerPush)
      const [first] = some
      if (first === undefined) continue
      const to = watchingAgents({ ...first.chat, license_id: license })
      ctx.push(to, 'queue_positions_updated', some.map(shown))
    }
  for (const one of changed)
    ctx.push(customersIn({ ...one.chat, license_id: license }), 'queue_positions_updated', [shown(one)])
}
