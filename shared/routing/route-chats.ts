import { pushTransferred } from '../chat/announce/transferred.ts'
import { announceUsersChanged } from '../chat/announce/users-changed.ts'
import { type Assignment, type AssignmentFamily, reassign } from '../chat/choose-agent.ts'
import { changeUsers, type UsersChange } from '../chat/change-users.ts'
import { enqueueRouting } from '../chat/enqueue-routing.ts'
import { readRoutingState, type RoutingState } from '../chat/routing-state.ts'
import type { UsersFamily } from '../chat/thread-writes.ts'
import { expectView, readView } from '../chat/view/chat-view.ts'
import type { WorkCtx } from '../delivery/worker-context.ts'
import { mapIsolated } from '../platform/for-each.ts'
import { customerOf, presentAgents } from '../table/chat/chat-users.ts'
import { type ActiveChat, setNextCheck } from '../table/chat/chats.ts'
import { readActiveChats } from '../table/chat/read-chats.ts'
import { readWaitingChats } from '../table/chat/waiting-chats.ts'
import type { ChatSnapshot } from '../table/optimistic-write.ts'
import { recordWaits, tellQueue } from './queue.ts'
import { refreshWaiting } from './waiting-list.ts'

// Routing after the start of a thread (protocol §7): what waits is given to whoever comes to be free.

/** What routing writes or checks. */
export type RoutingFamily = UsersFamily | AssignmentFamily | 'waitingChats'

/** A staffing as a change of the chat's users. */
const usersChangeOf = ({ waitingSince, reason, ...staffing }: Assignment): UsersChange<AssignmentFamily> => ({
  ...staffing,
  waitingSince: waitingSince ?? null,
  transfer: reason && { reason },
})

/**
 * Changes who attends a chat, as `decide` says of it and of the license's agents, and tells. Resolves to
 * whether it did.
 */
export const reassignChat = async (
  ctx: WorkCtx<RoutingFamily>,
  id: string,
  first: RoutingState,
  decide: (view: ChatSnapshot, desk: RoutingState) => Assignment | undefined,
): Promise<boolean> => {
  let desk = first
  const view = await readView(ctx.read, id)
  if (view === undefined) return false
  const refresh = async (): Promise<ChatSnapshot> => {
    const [now, agents] = await Promise.all([
      expectView(ctx.read, id),
      readRoutingState(ctx.read, view.chat.license_id, { strong: true }),
    ])
    desk = agents ?? desk
    return now
  }
  const changed = await changeUsers<ChatSnapshot, AssignmentFamily>({ ...ctx, ...view, refresh }, (now) => {
    const assignment = decide(now, desk)
    return assignment && usersChangeOf(assignment)
  })
  const { before, chat } = changed
  if (chat === before) return false
  await announceUsersChanged(ctx, changed)
  pushTransferred(ctx, before, chat)
  const { waitedMs } = await refreshWaiting(ctx, chat.license_id, id)
  await recordWaits(ctx, chat.license_id, waitedMs === undefined ? [] : [waitedMs])
  return true
}

/** So many chats are noted for the clock side by side. */
const checksAtOnce = 25

interface Concerned {
  /** Also one whose agents may all be away. */
  chat?: string | undefined
  /** Also the chats of one who has gone. */
  agent?: string | undefined
}

/**
 * Gives a license's waiting chats, and those that all agents have left, to the agents who are free, the one
 * waiting longest first; then tells those that still wait their positions. May run twice, and beside any
 * other change.
 */
export const routeChats = async (
  ctx: WorkCtx<RoutingFamily>,
  license: string,
  { chat, agent }: Concerned = {},
): Promise<void> => {
  // the chat is listed before agents are read: an agent who comes to be free from then on finds it
  const one = chat === undefined ? {} : await refreshWaiting(ctx, license, chat)
  await recordWaits(ctx, license, one.waitedMs === undefined ? [] : [one.waitedMs])
  const waiting = await giveOut(ctx, license, { chat, agent, row: one.row })
  if (waiting === 0) return
  // what became of the chats is told before where the others stand
  await ctx.flush()
  await tellQueue(ctx, license)
}

/** Resolves to how many chats were waiting. */
const giveOut = async (
  ctx: WorkCtx<RoutingFamily>,
  license: string,
  { chat, agent, row: one }: Concerned & { row: ActiveChat | undefined },
): Promise<number> => {
  const hasGoneAgent = (row: ActiveChat): boolean =>
    agent !== undefined && customerOf(row) !== undefined && presentAgents(row).includes(agent)
  const [waiting, active] = await Promise.all([
    readWaitingChats(ctx.read, license),
    agent === undefined ? [] : readActiveChats(ctx.read, license),
  ])
  const rows = [...waiting, ...(one === undefined ? [] : [one]), ...active.filter(hasGoneAgent)]
  const concerned = [...new Map(rows.map((row) => [row.id, row])).values()].toSorted(
    (a, b) => (a.waiting_since ?? ctx.now()) - (b.waiting_since ?? ctx.now()),
  )
  if (concerned.length === 0) return 0
  const [found] = await Promise.all([
    // read after the chats: an agent who came after one began to wait is seen
    readRoutingState(ctx.read, license, { strong: true }),
    // what an agent has seen who has gone helps no customer any more: the others may have left it unseen
    mapIsolated(
      concerned.filter(hasGoneAgent),
      (row) => ctx.write.write(setNextCheck(license, row, ctx.now())),
      checksAtOnce,
    ),
  ])
  if (found === undefined) return 0
  let desk = found
  await mapIsolated(
    concerned,
    async (row) => {
      // most of those who wait still have to: that needs no look at the chat itself
      const asRow = { ...row, license_id: license, active: true }
      if (row.id !== chat && reassign(asRow, desk, ctx.now()) === undefined) return
      let [waits, frees] = [false, false]
      const done = await reassignChat(ctx, row.id, desk, ({ chat: now, tail }, agents) => {
        const staffing = reassign(now, agents, ctx.now(), tail)
        waits = staffing?.waitingSince !== undefined
        frees = staffing?.assigned !== undefined && presentAgents(now).length > 0
        return staffing
      })
      if (!done) {
        await refreshWaiting(ctx, license, row.id)
        return
      }
      // written first, looked after: whoever came to be free meanwhile did not find it waiting; and whom it
      // was taken from may be free for one that was looked at before
      if (waits || frees) await enqueueRouting(ctx, license)
      // what each has to do is another now
      desk = (await readRoutingState(ctx.read, license, { strong: true })) ?? desk
    },
    1,
  )
  return concerned.length
}
