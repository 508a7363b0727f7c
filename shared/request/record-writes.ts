import type { Job } from '../jobs/job-queue.ts'
import type { Deadline } from '../platform/deadline.ts'
import { log } from '../platform/log.ts'
import type { Family } from '../protocol/action.ts'
import type { Chat } from '../table/chat/chats.ts'
import type { Key } from '../table/keys.ts'
import type { Op, Writer } from '../table/ops.ts'

/** From then on a request may run out of time between a write and its pushes, in ms after it began. */
const lateMs = 13_000
// a write under way when a request is aborted may still be stored; long enough for its pushes on the usual
// way, too
const tellAfterS = 10
/** Of one request; what it writes more is told by what comes with it. */
const mostKeys = 100

export interface WriteRecord {
  writer: Writer
  /** Sees to it that what is written, or may be, is told by a job. Never rejects. */
  tellLater: () => Promise<void>
  /** Called once nothing is to be told any more, or all that is to be. */
  end: () => void
}

const keyOf = (op: Op): Key | undefined => {
  if ('ConditionCheck' in op) return undefined
  const { pk, sk } = 'Put' in op ? op.Put.Item : 'Update' in op ? op.Update.Key : op.Delete.Key
  return { pk, sk }
}

/** Runs a write of these ops, and records them unless its outcome is that nothing was written. */
type Recorded = <T>(
  ops: readonly Op[],
  run: () => Promise<T>,
  isRefused: (outcome: T) => boolean,
) => Promise<T>

const recordingWriter = ({ write, batch, transact }: Writer, recorded: Recorded): Writer => ({
  write: (op, options) =>
    recorded(
      [op],
      () => write(op, options),
      ({ done }) => !done,
    ),
  batch: (ops) =>
    recorded(
      ops,
      () => batch(ops),
      () => false,
    ),
  transact: (ops) =>
    recorded(
      ops,
      () => transact(ops),
      (refusals) => refusals.length > 0,
    ),
})

/**
 * A writer that remembers what it has written, and what it may have: a request that fails behind a write, or
 * is late with it, leaves a job that tells of it. One that is in time pays nothing for it. `before`: the chat
 * as `action` has read it; `tag`: the one that the request names, since no key does.
 */
export const recordWrites = (
  writer: Writer,
  ctx: {
    action: string
    deadline: Pick<Deadline, 'startedAt'>
    enqueue: (job: Job, delayS: number) => Promise<void>
    before: () => Chat | undefined
    tag: string | undefined
  },
): WriteRecord => {
  const written = new Map<string, Key>()
  let told: Promise<void> | undefined
  let toldKeys = 0

  const tellLater = async (): Promise<void> => {
    const all = [...written.values()].slice(0, mostKeys)
    if (all.length === 0 || all.length === toldKeys) return told
    toldKeys = all.length
    const job: Job = {
      job: 'tell_written',
      action: ctx.action,
      keys: all.map(({ pk, sk }) => [pk, sk]),
      before: ctx.before(),
      ...(ctx.tag === undefined ? {} : { tag: ctx.tag }),
    }
    told = ctx
      .enqueue(job, tellAfterS)
      .catch((error: unknown) => log.error('What was written is not told', { cause: error }))
    await told
  }
  const isLate = () => performance.now() - ctx.deadline.startedAt >= lateMs
  const timer = setTimeout(() => void tellLater(), lateMs)

  const recorded: Recorded = async (ops, run, isRefused) => {
    const own = ops.flatMap((op) => keyOf(op) ?? []).map((key) => [`${key.pk}\n${key.sk}`, key] as const)
    const fresh = own.filter(([name]) => !written.has(name))
    for (const [name, key] of own) written.set(name, key)
    // after that there may be no time to say so
    if (isLate()) await tellLater()
    const outcome = await run()
    if (isRefused(outcome)) for (const [name] of fresh) written.delete(name)
    return outcome
  }
  return {
    writer: recordingWriter(writer, recorded),
    tellLater,
    end: () => clearTimeout(timer),
  }
}

/** A writer whose writes wait until their request is counted. */
export const writingAfter = <F extends Family>(
  allowed: Promise<void>,
  { write, batch, transact }: Writer<F>,
): Writer<F> => ({
  write: async (...given) => allowed.then(() => write(...given)),
  batch: async (...given) => allowed.then(() => batch(...given)),
  transact: async (...given) => allowed.then(() => transact(...given)),
})
