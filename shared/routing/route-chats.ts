import type { WorkCtx } from '../delivery/worker-context.ts'
import { type ActiveChat, readActiveChats } from '../table/chats.ts'
import { ofEachChat } from '../platform/for-each.ts'
import type { ChatView } from '../table/optimistic-write.ts'
import {
  customerOf,
  type Desk,
  lacksAgent,
  presentAgents,
  readDesk,
  staffedAgain,
  type Staffing,
  type StaffingFamily,
} from '../chat/assign-agent.ts'
import { routeSoon } from '../chat/enqueue-routing.ts'
import { expectView, readView } from '../chat/view/chat-view.ts'
import { tellChanged } from '../chat/announce/users-changed.ts'
import { changeUsers, type ThreadFamily, type UsersChange } from '../chat/append-event.ts'

// Routing after the start of a thread (protocol §7): what waits is given to whoever comes to be free.

/** What routing writes or checks. */
export type RoutingFamily = ThreadFamily | StaffingFamily

/** A staffing as a change of the chat's users. */
export const changeBy = ({ waitingSince, ...staffing }: Staffing): UsersChange<StaffingFamily> => ({
  ...staffing,
  waitingSince: waitingSince ?? null,
})

/**
 * Changes who attends a chat, as `decide` says of it and of the licence's agents, and tells. Resolves to
 * whether it did.
 */
export const restaff = async (
  ctx: WorkCtx<RoutingFamily>,
  id: string,
  first: Desk,
  decide: (view: ChatView, desk: Desk) => UsersChange<StaffingFamily> | undefined,
): Promise<boolean> => {
  let desk = first
  const view = await readView(ctx.read, id)
  if (view === undefined) return false
  const refresh = async (): Promise<ChatView> => {
    const [now, agents] = await Promise.all([
      expectView(ctx.read, id),
      readDesk(ctx.read, view.chat.license_id, { strong: true }),
    ])
    desk = agents ?? desk
    return now
  }
  const changed = await changeUsers<ChatView, StaffingFamily>({ ...ctx, ...view, refresh }, (now) =>
    decide(now, desk),
  )
  if (changed.chat === changed.before) return false
  await tellChanged(ctx, changed)
  return true
}

/**
 * Gives a licence's waiting chats, and those that all agents have left, to the agents who are free, the one
 * waiting longest first. `chat`: also one whose agents may all be away; `agent`: also those of an agent who
 * has gone. May run twice, and beside any other change.
 */
export const route = async (
  ctx: WorkCtx<RoutingFamily>,
  license: string,
  { chat, agent }: { chat?: string | undefined; agent?: string | undefined } = {},
): Promise<void> => {
  const isConcerned = (row: ActiveChat): boolean =>
    row.id === chat ||
    lacksAgent(row) ||
    (agent !== undefined && customerOf(row) !== undefined && presentAgents(row).includes(agent))
  const concerned = (await readActiveChats(ctx.read, license))
    .filter(isConcerned)
    .toSorted((a, b) => (a.waiting_since ?? ctx.now()) - (b.waiting_since ?? ctx.now()))
  if (concerned.length === 0) return
  // read after the chats: whoever came after one began to wait is seen
  const found = await readDesk(ctx.read, license, { strong: true })
  if (found === undefined) return
  let desk = found
  await ofEachChat(
    concerned,
    async (row) => {
      // most of those who wait still have to: that needs no look at the chat itself
      const asRow = { ...row, license_id: license, active: true }
      if (row.id !== chat && staffedAgain(asRow, desk, ctx.now()) === undefined) return
      let [waits, frees] = [false, false]
      const done = await restaff(ctx, row.id, desk, ({ chat: now, tail }, agents) => {
        const staffing = staffedAgain(now, agents, ctx.now(), tail)
        waits = staffing?.waitingSince !== undefined
        frees = staffing?.assigned !== undefined && presentAgents(now).length > 0
        return staffing && changeBy(staffing)
      })
      if (!done) return
      // written first, looked after: whoever came to be free meanwhile did not find it waiting; and whom it
      // was taken from may be free for one that was looked at before
      if (waits || frees) await routeSoon(ctx, license)
      // what each has to do is another now
      desk = (await readDesk(ctx.read, license, { strong: true })) ?? desk
    },
    1,
  )
}
