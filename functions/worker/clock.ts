import pLimit, { type LimitFunction } from 'p-limit'
import { placesOf } from '../../shared/access/audience-lists.ts'
import { disconnectIfOver } from '../../shared/account/disconnect.ts'
import { refreshConnection } from '../../shared/account/refresh-session.ts'
import { endCustomers } from '../../shared/account/refresh.ts'
import { namesDeletedGroup } from '../../shared/chat/deleted-names.ts'
import { enqueueRouting } from '../../shared/chat/enqueue-routing.ts'
import { isOfCustomer } from '../../shared/chat/routing-state.ts'
import { lacksAgent, presentAgents } from '../../shared/table/chat/chat-users.ts'
import { runWork, type WorkCtx } from '../../shared/delivery/worker-context.ts'
import { measured } from '../../shared/platform/metrics.ts'
import type { WorkerWrites } from '../../shared/platform/writes.ts'
import { InternalError } from '../../shared/protocol/errors.ts'
import { closeInactive } from '../../shared/routing/close-inactive.ts'
import { repairStatuses } from '../../shared/routing/refresh-statuses.ts'
import { repairWaiting } from '../../shared/routing/waiting-list.ts'
import { tellQueue } from '../../shared/routing/queue.ts'
import { reassignUnseen } from '../../shared/routing/reassign-unseen.ts'
import { noteClosed } from '../../shared/sync/note-closed.ts'
import { LicenseItem, LicenseListed } from '../../shared/table/accounts.ts'
import type { ActiveChat } from '../../shared/table/chat/chats.ts'
import { readListedChats } from '../../shared/table/chat/read-chats.ts'
import { removeConnection } from '../../shared/table/end-session.ts'
import { keys, licensesPk, listOfPlace } from '../../shared/table/keys.ts'
import { readAgentSockets, readAudienceList } from '../../shared/table/socket-lists.ts'
import { type AgentSocketItem, isLive, readSocket } from '../../shared/table/sockets.ts'

// of the Lambda's 60 s
const deadlineMs = 50_000
const sideBySide = 16

type Ctx = WorkCtx<WorkerWrites['clock']>

interface ClockEvent {
  time?: string
}

/**
 * Each minute: closes the connections whose token or license has run out, clears rows that the TTL has not
 * yet, and does what is due for customers' chats. An event that comes late does not put back the clock.
 */
const tick = ({ time }: ClockEvent = {}): Promise<void> => {
  const aheadMs = time === undefined ? 0 : Math.max(0, Date.parse(time) - Date.now())
  return runWork<'clock'>(run, { deadlineMs, now: () => Date.now() + aheadMs })
}

export const handler = measured('worker', 'clock', tick)

/** For all licenses together: however many rows or chats are due, so many are at work side by side. */
interface Limits {
  ending: LimitFunction
  looking: LimitFunction
}

const run = async (ctx: Ctx): Promise<void> => {
  const licenses = await ctx.read.query({ pk: licensesPk })
  const limits: Limits = { ending: pLimit(sideBySide), looking: pLimit(sideBySide) }
  const sweeping = pLimit(sideBySide)
  const swept = inTurn(licenses, ctx.now()).map((item) => {
    const { id } = LicenseListed.parse(item)
    return sweeping(() =>
      allOf([sweep(ctx, id, limits), lookAfterChats(ctx, id, limits)], 'A license not swept'),
    )
  })
  await allOf(swept, 'Licenses not swept')
}

// the golden ratio: each start falls into one of the widest gaps between those before it
const step = (Math.sqrt(5) - 1) / 2

/**
 * The list from another place each minute, so that runs which do not come to its end get everywhere within a
 * few.
 */
export const inTurn = <T>(list: readonly T[], nowMs: number): T[] => {
  const first = Math.floor(((Math.floor(nowMs / 60_000) * step) % 1) * list.length)
  return [...list.slice(first), ...list.slice(0, first)]
}

/** Waits for all, whichever fail. */
const allOf = async (runs: Promise<void>[], failure: string): Promise<void> => {
  const failures = (await Promise.allSettled(runs)).filter((result) => result.status === 'rejected')
  if (failures.length > 0)
    throw new InternalError(failure, { cause: new AggregateError(failures.map(({ reason }) => reason)) })
}

const sweep = async (ctx: Ctx, license: string, { ending }: Limits): Promise<void> => {
  const rows = await readAgentSockets(ctx.read, license)
  const isNow = (row: AgentSocketItem) => isLive(row, ctx.now())
  const due = rows.filter((row) => !isNow(row))
  const strays = isListsTurn(ctx.now()) ? await straysOf(ctx, license, rows) : []
  // of a login before there were lists of audiences
  const unlisted = rows.filter((row) => isNow(row) && row.places === undefined && placesOf(row) !== undefined)
  await allOf(
    [
      ...[...due, ...strays].map((row) => ending(() => endIfDue(ctx, row))),
      ...unlisted.map((row) => ending(() => refreshConnection(ctx, row))),
      ending(() => repairStatuses(ctx, license, { isAnyone: rows.length > 0 })),
    ],
    'Connections not ended',
  )
}

// a row that is left behind harms nobody: its own fields decide, and the first push finds its connection gone
const listsEachMinutes = 10
const isListsTurn = (nowMs: number): boolean => Math.floor(nowMs / 60_000) % listsEachMinutes === 0

/** Rows in lists of audiences that are over, or that the license's list does not know. */
const straysOf = async (
  { read, now }: Ctx,
  license: string,
  rows: readonly AgentSocketItem[],
): Promise<AgentSocketItem[]> => {
  const known = new Set(rows.map(({ connection }) => connection))
  const lists = new Set(rows.flatMap((row) => row.places?.map(listOfPlace) ?? []))
  const listed = await Promise.all([...lists].map((list) => readAudienceList(read, license, list)))
  return listed.flat().filter((row) => !known.has(row.connection) || !isLive(row, now()))
}

const endIfDue = async (ctx: Ctx, row: AgentSocketItem): Promise<void> => {
  const { connection, ttl } = row
  const socket = await readSocket(ctx.read, connection, ctx.now())
  // past its TTL, or of a socket that went without taking its row along
  if (ttl * 1000 <= ctx.now() || socket === undefined) {
    for (const op of removeConnection(row)) await ctx.write.write(op)
  } else await disconnectIfOver(ctx, connection)
}

/**
 * Whether routing may have something to do: in manual mode a chat waits until somebody joins it, or its own
 * agent is back.
 */
const isToRoute = (chat: ActiveChat, { routing }: LicenseItem): boolean =>
  lacksAgent(chat) &&
  (routing === 'automatic' || (chat.waiting_since === undefined) === (presentAgents(chat).length === 0))

/**
 * The work that is due for the customers' chats of a license. Of those that nothing is due for no more is
 * read than the list has.
 */
const lookAfterChats = async (ctx: Ctx, id: string, { looking }: Limits): Promise<void> => {
  const listed = await readListedChats(ctx.read, id)
  await noteClosed(ctx, id, listed, looking)
  const chats = listed.filter((chat) => chat.closed_at === undefined && isOfCustomer(chat))
  const repaired =
    chats.some(lacksAgent) || isListsTurn(ctx.now())
      ? repairWaiting(ctx, id, chats, looking)
      : Promise.resolve()
  // what fails of it keeps nothing else from being done
  await repaired.catch(() => {})
  const item = chats.length === 0 ? undefined : await ctx.read.get(keys.license(id))
  if (item === undefined) return repaired
  const license = LicenseItem.parse(item)
  if (license.expires_at * 1000 <= ctx.now()) await endCustomers(ctx, id)
  if (chats.some(({ scopes }) => namesDeletedGroup(scopes, license)))
    await ctx.enqueue({ job: 'rescope', license_id: id }, 0)
  if (chats.some((chat) => isToRoute(chat, license))) await enqueueRouting(ctx, id)

  const due = chats.filter(({ check_at: at }) => at === undefined || at <= ctx.now())
  const handOn = reassignUnseen(ctx, license)
  let isFreed = false
  try {
    const looked = due.map((chat) =>
      looking(async () => {
        isFreed = (await closeInactive(ctx, chat, license, handOn)) || isFreed
      }),
    )
    // positions that nobody has told: of chats that routing has nothing to do with as well
    const told = chats.some(lacksAgent) ? repaired.then(() => tellQueue(ctx, id)) : repaired
    await allOf([...looked, told], 'Chats not looked after')
  } finally {
    // agents who were in them may take others
    if (isFreed) await enqueueRouting(ctx, id)
  }
}
