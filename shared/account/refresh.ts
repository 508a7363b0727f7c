import { connections, watchingEither } from '../access/audience.ts'
import { mayRead, type VisibleChat } from '../access/permissions.ts'
import { pushEntries } from '../chat/announce/entries.ts'
import { changeUsers } from '../chat/change-users.ts'
import { enqueueRouting } from '../chat/enqueue-routing.ts'
import { planLeave, usersUpdated } from '../chat/membership.ts'
import type { UsersFamily } from '../chat/thread-writes.ts'
import { expectView, readView, showChat } from '../chat/view/chat-view.ts'
import { profilesOf } from '../chat/view/profiles.ts'
import type { WorkCtx } from '../delivery/worker-context.ts'
import { mapIsolated } from '../platform/for-each.ts'
import { limits } from '../protocol/limits.ts'
import { AgentItem, LicenseItem } from '../table/accounts.ts'
import type { ActiveChat, Chat } from '../table/chat/chats.ts'
import { readActiveChats } from '../table/chat/read-chats.ts'
import type { DeviceFamily } from '../table/devices.ts'
import { keys } from '../table/keys.ts'
import { endSession, extendSession } from '../table/session-writes.ts'
import { readAgentSockets, readCustomerSockets } from '../table/socket-lists.ts'
import type { AgentSocketItem, SocketRow } from '../table/sockets.ts'
import { dropDevices } from './devices.ts'
import { beginCatchUp, type Shown } from '../chat/enqueue-catch-up.ts'
import { refreshConnection } from './refresh-session.ts'
import { disconnectIfOver, endSessions } from './disconnect.ts'

// What follows from a change of an account. Each reads the account as it is now, so that it may run twice and
// late.

const readLicense = async ({ read }: WorkCtx, id: string): Promise<LicenseItem | undefined> => {
  const item = await read.get(keys.license(id), { strong: true })
  return item === undefined ? undefined : LicenseItem.parse(item)
}

/** A license changed: every session of it gets its new end. One that is over is closed by now. */
export const licenseChanged = async (
  ctx: WorkCtx,
  id: string,
  { isGroupGone }: { isGroupGone: boolean },
): Promise<void> => {
  const [license, rows] = [await readLicense(ctx, id), await readAgentSockets(ctx.read, id)]
  if (license === undefined) return
  if (isGroupGone) await ctx.enqueue({ job: 'rescope', license_id: id }, 0)
  const over = license.expires_at * 1000 <= ctx.now()
  await Promise.all(
    rows.map(async (row) => {
      await extend(ctx, row, license)
      if (over) await disconnectIfOver(ctx, row.connection, row)
    }),
  )
  if (over) await endCustomers(ctx, id)
  else await extendCustomers(ctx, license)
}

/**
 * The customers of active chats: they stay connected, and are told, for as long as their license lasts now.
 */
const extendCustomers = async (ctx: WorkCtx, { id, expires_at }: LicenseItem): Promise<void> => {
  const active = await readActiveChats(ctx.read, id)
  const customers = active.flatMap(({ users }) => users.filter(({ type }) => type === 'customer'))
  await Promise.all(
    customers.map(async (customer) => {
      const rows = await readCustomerSockets(ctx.read, id, customer.id)
      await Promise.all(rows.map((row) => extend(ctx, row, { expires_at })))
    }),
  )
}

const extend = async (
  { write }: WorkCtx,
  row: SocketRow,
  { expires_at }: Pick<LicenseItem, 'expires_at'>,
): Promise<void> => {
  if (row.license_expires_at === expires_at) return
  await Promise.all(extendSession(row, expires_at).map((op) => write.write(op)))
}

/**
 * The customers of a license that is over who are in an active chat are disconnected; others' sessions end by
 * themselves, or with whatever they start.
 */
export const endCustomers = async (ctx: WorkCtx, license: string): Promise<void> => {
  const active = await readActiveChats(ctx.read, license)
  const customers = active.flatMap(({ users }) => users.filter(({ type }) => type === 'customer'))
  await Promise.all(
    customers.map(async ({ id }) =>
      endSessions(ctx, await readCustomerSockets(ctx.read, license, id), 'license_expired'),
    ),
  )
}

/** An agent changed: its sessions follow, or end where it was suspended or deleted. */
export const agentChanged = async (
  ctx: WorkCtx<UsersFamily | DeviceFamily>,
  license: string,
  id: string,
): Promise<void> => {
  const item = await ctx.read.get(keys.agent(license, id), { strong: true })
  const agent = item === undefined ? undefined : AgentItem.parse(item)
  const rows = await readAgentSockets(ctx.read, license, id)
  if (agent === undefined || agent.suspended || agent.deleted) {
    const reason =
      agent?.suspended === true && !agent.deleted ? 'access_token_revoked' : 'agent_disconnected_by_server'
    // first no session may do anything more, then the connections are told and closed
    await Promise.all(rows.flatMap((row) => endSession(row, reason)).map((op) => ctx.write.write(op)))
    await Promise.all(rows.map((row) => disconnectIfOver(ctx, row.connection, row)))
    if (agent === undefined || agent.deleted) await dropDevices(ctx, license, id)
    if (agent !== undefined) await leaveActiveChats(ctx, agent)
    if (agent?.deleted === true) await ctx.enqueue({ job: 'rescope', license_id: license }, 0)
    return
  }
  const { name, permission, groups } = agent
  const catchUp = beginCatchUp(ctx)
  await Promise.all(rows.map((row) => refreshConnection(ctx, row, { name, permission, groups })))
  if (rows.length > 0) await showGained(ctx, rows, agent, catchUp)
  if (agent.online) await enqueueRouting(ctx, license)
}

// each with the end of its log
const chatsAtOnce = 16

/** Active chats that an agent's new permission or groups open to it are shown to its connections. */
const showGained = async (
  ctx: WorkCtx,
  rows: readonly AgentSocketItem[],
  now: Pick<AgentSocketItem, 'permission' | 'groups'>,
  catchUp: ReturnType<typeof beginCatchUp>,
): Promise<void> => {
  const changed = rows.filter(
    (row) => row.permission !== now.permission || row.groups.join() !== now.groups.join(),
  )
  const [first] = changed
  if (first === undefined) return
  const gainedBy = (before: ActiveChat, chat: VisibleChat) =>
    changed
      .filter((row) => !mayRead(row, before) && mayRead({ ...row, ...now }, chat))
      .map(({ connection }) => connection)
  const active = await readActiveChats(ctx.read, first.license_id)
  const gained = active.filter((row) => gainedBy(row, row).length > 0)
  const shownChats: Shown[] = []
  const newest = gained.toSorted((a, b) => b.started_at - a.started_at).slice(0, limits.chatsSummary)
  await mapIsolated(
    newest,
    async (row) => {
      const view = await readView(ctx.read, row.id)
      // users and scopes may have changed since the list was read
      const to = view === undefined ? [] : gainedBy(row, view.chat)
      if (view === undefined || to.length === 0) return
      const { chat, tail } = view
      const { shown } = await showChat(ctx.read, { chat, events: tail.entries.toReversed() })
      ctx.push(connections(chat.license_id, first.agent_id, to), 'incoming_chat_thread', { chat: shown })
      shownChats.push({ id: row.id, thread: tail.n, order: tail.m, version: chat.version })
    },
    chatsAtOnce,
  )
  // an event whose audience was read before this came is told others alone
  await Promise.all(changed.map(({ connection }) => catchUp(connection, shownChats)))
}

/** A suspended or deleted agent is no longer in any active chat. */
const leaveActiveChats = async (ctx: WorkCtx<UsersFamily>, agent: AgentItem): Promise<void> => {
  const active = await readActiveChats(ctx.read, agent.license_id)
  const isIn = ({ users }: ActiveChat | Chat) =>
    users.some(({ id, type, present }) => id === agent.id && type !== 'customer' && present)
  for (const { id } of active.filter(isIn)) {
    const refresh = () => expectView(ctx.read, id)
    const { before, chat, entries } = await changeUsers({ ...ctx, ...(await refresh()), refresh }, (view) =>
      planLeave(view, { agents: [agent.id], customers: [] }, profilesOf([agent])),
    )
    if (chat === before) continue
    pushEntries(ctx, chat, entries)
    ctx.push(
      watchingEither(before, chat),
      'chat_users_updated',
      usersUpdated(before, chat, profilesOf([agent])),
    )
    await enqueueRouting(ctx, agent.license_id, id)
  }
}
