import { InternalError } from '../protocol/errors.ts'
import type { WorkCtx } from '../runtime/work.ts'
import { type Chat, readActiveChats } from '../table/chats.ts'
import { ofEachChat } from './each-chat.ts'
import type { ChatView } from './place.ts'
import {
  attendants,
  customerOf,
  type Desk,
  lacksAgent,
  readDesk,
  type Routable,
  staffed,
  type Staffing,
  type StaffingFamily,
} from './routing.ts'
import { readView } from './show.ts'
import { tellChanged } from './changed.ts'
import { changeUsers, type ThreadFamily, type UsersChange } from './threads.ts'

// Routing after the start of a thread (protocol §7): what waits is given to whoever comes to be free.

/** What routing writes or checks. */
export type RoutingFamily = ThreadFamily | StaffingFamily

/** Undefined where there is nothing to be done for the chat, or nobody to do it. */
const dueFor = (
  chat: Routable & Pick<Chat, 'active'>,
  desk: Desk,
  at: number,
): UsersChange<StaffingFamily> | undefined => {
  if (!chat.active || customerOf(chat) === undefined) return undefined
  const waits = chat.waiting_since !== undefined
  if (!waits && attendants(chat, desk).length > 0) return undefined
  const staffing = staffed(chat, desk, at)
  return waits && staffing.routing.unassigned === true ? undefined : changeBy(staffing)
}

/** A staffing as a change of the chat's users. */
export const changeBy = ({ waitingSince, ...staffing }: Staffing): UsersChange<StaffingFamily> => ({
  ...staffing,
  waitingSince: waitingSince ?? null,
})

/** Changes who attends a chat, as `decide` says of it and of the licence's agents, and tells. Resolves to whether it did. */
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
      readView(ctx.read, id),
      readDesk(ctx.read, view.chat.license_id, { strong: true }),
    ])
    if (now === undefined) throw new InternalError('A chat is gone')
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
 * Gives a licence's waiting chats, and those that all agents have left, to the agents who are free, the one waiting longest
 * first; `chat`: also one whose agents may all be away. May run twice, and beside any other change.
 */
export const route = async (ctx: WorkCtx<RoutingFamily>, license: string, chat?: string): Promise<void> => {
  const waiting = (await readActiveChats(ctx.read, license))
    .filter((row) => row.id === chat || lacksAgent(row))
    .toSorted((a, b) => (a.waiting_since ?? ctx.now()) - (b.waiting_since ?? ctx.now()))
  if (waiting.length === 0) return
  // read after the chats: whoever came after one began to wait is seen
  const found = await readDesk(ctx.read, license, { strong: true })
  if (found === undefined) return
  let desk = found
  await ofEachChat(
    waiting,
    async (row) => {
      // most of those who wait still have to: that needs no look at the chat itself
      if (dueFor({ ...row, license_id: license, active: true }, desk, ctx.now()) === undefined) return
      const done = await restaff(ctx, row.id, desk, ({ chat: now }, agents) => dueFor(now, agents, ctx.now()))
      // what each has to do is another now
      if (done) desk = (await readDesk(ctx.read, license, { strong: true })) ?? desk
    },
    1,
  )
}
