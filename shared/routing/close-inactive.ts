import { pushClosing, pushEntries, pushPropertyChanges } from '../chat/announce/entries.ts'
import { planClosing } from '../chat/close-thread.ts'
import { enqueueRoutingAfterClosing } from '../chat/enqueue-routing.ts'
import { readRouting, routingOps } from '../chat/routing-properties.ts'
import { isOfCustomer } from '../chat/routing-state.ts'
import { routingArchived, routingIdle } from '../chat/system-messages.ts'
import type { ThreadFamily } from '../chat/thread-writes.ts'
import { expectView, readView } from '../chat/view/chat-view.ts'
import { runPart, type WorkCtx } from '../delivery/worker-context.ts'
import type { LicenseItem } from '../table/accounts.ts'
import { type ActiveChat, setNextCheck } from '../table/chat/chats.ts'
import { nextEntry, putEntry } from '../table/chat/log-entries.ts'
import { lastSaid, readEntry } from '../table/chat/thread-log.ts'
import type { Reader } from '../table/ops.ts'
import { type Attempt, type ChatSnapshot, commitAll, updateLog } from '../table/optimistic-write.ts'
import { findUnseen, type Unseen } from './reassign-unseen.ts'

// What becomes of a customer's chat by time alone (protocol §7): the clock looks at it when something can be
// due.

const minuteMs = 60_000

/** Since when (ms) nothing has been said in the active thread: since its start where nothing was. */
const quietSince = async (read: Reader, { chat, tail }: ChatSnapshot): Promise<number> => {
  const m = lastSaid(tail.last)
  if (m === 0) return chat.started_at
  const entry = tail.entries.find((one) => one.m === m) ?? (await readEntry(read, chat.id, { n: tail.n, m }))
  return entry?.at ?? chat.started_at
}

/**
 * Adds to an active thread once it has been quiet for so long, where it still is by what is read; else
 * undefined.
 */
const onceQuiet = <T>(
  ctx: WorkCtx<ThreadFamily>,
  first: ChatSnapshot,
  quietMs: number,
  attempt: (view: ChatSnapshot) => Promise<Attempt<T | undefined>>,
): Promise<T | undefined> => {
  const refresh = () => expectView(ctx.read, first.chat.id)
  return updateLog<T | undefined, ChatSnapshot>({ ...ctx, ...first, refresh }, async (view) => {
    const isDue = view.chat.active && ctx.now() >= (await quietSince(ctx.read, view)) + quietMs
    return isDue ? attempt(view) : { result: undefined, committed: true }
  })
}

/** Resolves to whether it closed the thread. */
const archive = async (
  ctx: WorkCtx<ThreadFamily>,
  first: ChatSnapshot,
  { archive_minutes }: Pick<LicenseItem, 'archive_minutes'>,
): Promise<boolean> => {
  const { nonce } = ctx
  const closing = await onceQuiet(ctx, first, archive_minutes * minuteMs, async (view) => {
    const result = planClosing(view, undefined, routingArchived, { nonce, at: ctx.now() })
    const ops = result.ops.map((op) => ({ op }))
    return { result, committed: commitAll(ctx.write, ops, nonce) }
  })
  if (closing === undefined) return false
  pushClosing(ctx, closing)
  // whoever calls has the agents of those that were closed looked after
  if (closing.chat.waiting_since !== undefined) await enqueueRoutingAfterClosing(ctx, closing.chat)
  return true
}

const markIdle = async (
  ctx: WorkCtx<ThreadFamily>,
  first: ChatSnapshot,
  { idle_minutes }: Pick<LicenseItem, 'idle_minutes'>,
): Promise<void> => {
  const { nonce } = ctx
  const marked = await onceQuiet(ctx, first, idle_minutes * minuteMs, async ({ chat, tail }) => {
    if (tail.last.idle === true) return { result: undefined, committed: true }
    const by = { nonce, version: chat.version, at: ctx.now() }
    const entry = nextEntry(tail, routingIdle(idle_minutes), by)
    const held = await readRouting(ctx.read, chat)
    const { ops, told } = routingOps(chat, held, { idle: true }, { nonce, userIds: [] })
    const all = [putEntry(chat.id, entry), ...ops].map((op) => ({ op }))
    return { result: { chat, entry, told }, committed: commitAll(ctx.write, all, nonce) }
  })
  if (marked === undefined) return
  pushEntries(ctx, marked.chat, [marked.entry])
  pushPropertyChanges(ctx, marked.chat, marked.told)
}

/**
 * Does what is due for a customer's active chat, and notes when something may be next: it is archived, or
 * marked idle and, by `handOn`, handed on. Resolves to whether agents have come free by it. May run twice,
 * and beside anything.
 */
export const closeInactive = async (
  ctx: WorkCtx<ThreadFamily>,
  looked: Pick<ActiveChat, 'id' | 'check_at'>,
  license: LicenseItem,
  handOn: (view: ChatSnapshot, unseen: Unseen) => Promise<boolean>,
): Promise<boolean> => {
  const view = await readView(ctx.read, looked.id)
  if (view === undefined || !view.chat.active || !isOfCustomer(view.chat)) return false
  const now = ctx.now()
  const [unseenMs, idleMs, archiveMs] = [
    license.unseen_minutes * minuteMs,
    license.idle_minutes * minuteMs,
    license.archive_minutes * minuteMs,
  ]
  const quiet = await quietSince(ctx.read, view)
  if (now >= quiet + archiveMs) return runPart(ctx, (own) => archive(own, view, license))

  const isIdleDue = view.tail.last.idle !== true && now >= quiet + idleMs
  if (isIdleDue) await runPart(ctx, (own) => markIdle(own, view, license))
  const unseen = license.routing === 'automatic' ? await findUnseen(ctx.read, view) : undefined
  const isHandedOn = unseen !== undefined && now >= unseen.since + unseenMs && (await handOn(view, unseen))

  // whatever is said from now on may be unseen, or the last for long; where a race was lost, the next run
  // looks again
  const isIdle = isIdleDue || view.tail.last.idle === true
  const next = Math.min(
    quiet + archiveMs,
    isIdle ? now + idleMs : quiet + idleMs,
    unseen === undefined || isHandedOn ? now + unseenMs : unseen.since + unseenMs,
  )
  await ctx.write.write(setNextCheck(license.id, view.chat, next, looked))
  return isHandedOn
}
