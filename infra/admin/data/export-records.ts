import type { Properties } from '../../../shared/protocol/properties.ts'
import type { AgentItem, GroupItem, LicenseItem } from '../../../shared/table/accounts.ts'
import type { ChatRecord } from '../../../shared/table/chat/read-chats.ts'
import { type Entry, eventOf, type Head } from '../../../shared/table/chat/thread-log.ts'
import { type CustomerItem, pageViewsOf } from '../../../shared/table/customers.ts'
import type { DeviceItem } from '../../../shared/table/devices.ts'
import { threadId } from '../../../shared/table/ids.ts'
import { isCustomers, type SocketItem } from '../../../shared/table/sockets.ts'
import { isoTime } from '../cli/output.ts'

// Stored items as people read them: a record a line, each saying what it is. Books that the backend keeps
// for itself (versions, nonces, the index) are left out, and so is whatever opens anything (tokens).

/** A line of an export. What is undefined is left out. */
export type ExportRecord = { record: string } & Record<string, unknown>

const isoMs = (ms: number): string => new Date(ms).toISOString()
const optional = (time: number | undefined, iso: (time: number) => string): string | undefined =>
  time === undefined ? undefined : iso(time)

/** `{namespace: {name: value}}`; undefined where there are none. */
const plain = (properties: Properties = {}): Record<string, Record<string, unknown>> | undefined => {
  const spaces = Object.entries(properties).map(
    ([space, names]) =>
      [space, Object.fromEntries(Object.entries(names).map(([name, { value }]) => [name, value]))] as const,
  )
  return spaces.length === 0 ? undefined : Object.fromEntries(spaces)
}

export const licenseRecord = (license: LicenseItem): ExportRecord => {
  const { id, plan, origins, routing, unseen_minutes, idle_minutes, archive_minutes, index_texts } = license
  return {
    record: 'license',
    id,
    plan,
    created_at: optional(license.created_at, isoTime),
    expires_at: isoTime(license.expires_at),
    origins,
    routing,
    unseen_minutes,
    idle_minutes,
    archive_minutes,
    index_texts,
    events: license.events ?? false,
  }
}

export const groupRecord = ({ id, name }: GroupItem): ExportRecord => ({ record: 'group', id, name })

export const agentRecord = (agent: AgentItem): ExportRecord => {
  const { id, name, email, avatar, permission, groups, suspended, deleted, identities, max_chats, bot } =
    agent
  if (deleted) return { record: 'agent', id, name, deleted }
  return {
    record: 'agent',
    id,
    name,
    email,
    avatar,
    permission,
    groups,
    suspended,
    deleted,
    identities,
    max_chats,
    ...(bot ? { bot, priority: agent.priority ?? 'normal' } : { status_after_login: agent.default_status }),
    last_status: agent.routing_status,
    online: agent.online,
  }
}

/** Without its token: by what that was hashed to, it can be told from others. */
export const deviceRecord = ({
  agent_id,
  hash,
  platform,
  enabled,
  token_scopes,
}: DeviceItem): ExportRecord => ({
  record: 'device',
  agent_id,
  token_sha256: hash,
  platform,
  enabled,
  token_scopes,
})

export const customerRecord = (customer: CustomerItem): ExportRecord => {
  const { id, name, email, properties, visits, threads, online, visit, last_visit, ban } = customer
  if (customer.erased_at !== undefined)
    return { record: 'customer', id, erased_at: isoMs(customer.erased_at) }
  return {
    record: 'customer',
    id,
    name,
    email,
    properties,
    online,
    stats: {
      visits,
      threads,
      page_views: pageViewsOf(customer),
      last_visit: last_visit === undefined ? undefined : isoTime(last_visit),
    },
    current_visit: visit && {
      started_at: isoTime(visit.started_timestamp),
      pages: visit.pages.map(({ url, title, opened_timestamp }) => ({
        url,
        title,
        opened_at: isoTime(opened_timestamp),
      })),
      referrer: visit.referrer,
      ip: visit.ip,
      user_agent: visit.user_agent,
      timezone: visit.timezone,
    },
    ban: ban && { days: ban.days, until: isoTime(ban.until), by_agent_id: ban.by },
  }
}

/** A connection that is open, or was until a moment ago. */
export const connectionRecord = ({
  connection,
  connected_at,
  visitor,
  session,
}: SocketItem): ExportRecord => ({
  record: 'connection',
  id: connection,
  ...(session === undefined
    ? {}
    : isCustomers(session)
      ? { customer_id: session.customer_id }
      : { agent_id: session.agent_id, application: session.application }),
  connected_at: isoMs(connected_at),
  ip: visitor?.ip,
  user_agent: visitor?.user_agent,
})

export const chatRecord = ({ chat, properties, seen }: ChatRecord): ExportRecord => ({
  record: 'chat',
  id: chat.id,
  users: chat.users.map(({ id, type, present }) => ({
    id,
    type,
    present,
    seen_up_to: optional(seen.get(id), isoTime),
  })),
  // who was never one of its users can have looked at it too
  also_seen_by: others(chat.users, seen),
  scopes: chat.scopes,
  properties: plain(properties),
  active: chat.active,
  threads_count: chat.thread,
  last_thread_started_at: isoMs(chat.started_at),
  users_changed_at: isoMs(chat.changed_at),
  waiting_since: optional(chat.waiting_since, isoMs),
})

const others = (users: ChatRecord['chat']['users'], seen: ChatRecord['seen']) => {
  const left = [...seen].filter(([id]) => !users.some((user) => user.id === id))
  return left.length === 0
    ? undefined
    : left.map(([user_id, time]) => ({ user_id, seen_up_to: isoTime(time) }))
}

export const threadRecord = (chat: string, { n, at, user_ids, properties, tags }: Head): ExportRecord => ({
  record: 'thread',
  id: threadId(chat, n),
  chat_id: chat,
  started_at: isoMs(at),
  user_ids: [...user_ids].toSorted(),
  properties: plain(properties),
  tags,
})

export const eventRecord = (chat: string, entry: Entry): ExportRecord => {
  const { timestamp: _, properties, ...event } = eventOf(chat, entry)
  return {
    record: 'event',
    ...event,
    chat_id: chat,
    thread_id: threadId(chat, entry.n),
    sent_at: isoMs(entry.at),
    properties: plain(properties),
    ...(entry.closed === true ? { thread_closed: true, closed_by: entry.closed_by } : {}),
  }
}
