import { roleOf } from '../access/permissions.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { User } from '../protocol/objects.ts'
import type { PushPayload } from '../protocol/pushes.ts'
import { requireAgentActive } from '../table/accounts.ts'
import { type ChatUser, departed, newlyHad, customerOf } from '../table/chat/chat-users.ts'
import type { Chat } from '../table/chat/chats.ts'
import type { ChatRecord } from '../table/chat/read-chats.ts'
import type { ChatSnapshot } from '../table/optimistic-write.ts'
import type { Session } from '../table/sockets.ts'
import type { UsersChange } from './change-users.ts'
import { agentJoined, agentLeft, customerLeft } from './system-messages.ts'
import type { Profiles } from './view/profiles.ts'
import { unnamed, usersOf } from './view/wire-objects.ts'

export type Names = ReadonlyMap<string, string>

/**
 * Makes agents agents of a chat, those who supervise it too. Undefined where all of them are already, and the
 * chat does not wait: whoever joins one that does is there for its customer.
 */
export const planJoin = ({ chat }: ChatSnapshot, names: Names): UsersChange<'account'> | undefined => {
  const waits = chat.waiting_since !== undefined
  const isIn = (id: string) => roleOf(id, chat) === 'agent'
  const change = adding(
    chat,
    [...names].filter(([id]) => !isIn(id)),
    'agent',
  )
  if (!waits || names.size === 0) return change
  const users = newlyHad(change?.users ?? chat.users)
  const rest = change ?? { messages: [] }
  return { ...rest, users, routing: { unassigned: false }, waitingSince: null }
}

/** Makes agents supervisors of a chat, but those who are in it already; undefined where all of them are. */
export const planSupervise = ({ chat }: ChatSnapshot, names: Names): UsersChange<'account'> | undefined =>
  adding(
    chat,
    [...names].filter(([id]) => roleOf(id, chat) === undefined),
    'supervisor',
  )

const adding = (
  chat: Chat,
  added: readonly (readonly [id: string, name: string])[],
  type: 'agent' | 'supervisor',
): UsersChange<'account'> | undefined => {
  if (added.length === 0) return undefined
  const isAdded = (user: ChatUser) => user.type !== 'customer' && added.some(([id]) => id === user.id)
  const users = [
    ...chat.users.filter((user) => !isAdded(user)),
    ...added.map(([id]): ChatUser => {
      const before = chat.users.find((user) => user.id === id && isAdded(user))
      if (type === 'agent') return { id, type, present: true, met: true }
      const { met, left } = before ?? {}
      return { id, type, present: true, ...(met && { met }), ...(left !== undefined && { left }) }
    }),
  ]
  if (users.filter(({ present }) => present).length > limits.presentUsers)
    throw new ProtocolError('validation', {
      details: [
        { path: 'payload.agent_ids', message: `At most ${limits.presentUsers} users can be in a chat` },
      ],
    })
  return {
    users,
    messages: added.map(([, name]) => agentJoined(name, type === 'supervisor')),
    // whose load the chat is is held by it; others by what is known of them
    ...(type === 'agent' && chat.active && customerOf(chat) !== undefined
      ? { coming: added.map(([id]) => id) }
      : {
          guards: added.map(([id]) => ({
            op: requireAgentActive(chat.license_id, id),
            onConditionFailed: 'not_found' as const,
          })),
        }),
  }
}

/** Takes users out of a chat; undefined where none of them is in it. */
export const planLeave = (
  { chat }: ChatSnapshot,
  who: { agents: readonly string[]; customers: readonly string[] },
  { agents, customers }: Profiles,
  me?: Pick<Session, 'agent_id' | 'name'>,
): UsersChange | undefined => {
  const left = chat.users.filter(
    ({ id, type, present }) => present && (type === 'customer' ? who.customers : who.agents).includes(id),
  )
  if (left.length === 0) return undefined
  const isMe = ({ id, type }: ChatUser) => type === 'agent' && id === me?.agent_id
  return {
    users: chat.users.map((user) => {
      if (!left.includes(user)) return user
      return isMe(user) ? { ...departed(user), left: chat.thread } : departed(user)
    }),
    messages: left.map(({ id, type }) =>
      type === 'customer'
        ? customerLeft(customers.get(id)?.name ?? unnamed)
        : agentLeft(id === me?.agent_id ? me.name : (agents.get(id)?.name ?? id), type === 'supervisor'),
    ),
  }
}

const byType = (users: readonly User[], removed: readonly ChatUser[], type: ChatUser['type']) => ({
  added: users.filter((user) => user.type === type),
  removed_ids: removed.filter((user) => user.type === type).map(({ id }) => id),
})

/**
 * What changed of a chat's users, as its agents are told. `seen`: where users came who may have been there
 * before.
 */
export const usersUpdated = (
  before: Chat,
  after: Chat,
  profiles: Profiles,
  seen?: ChatRecord['seen'],
): PushPayload<'chat_users_updated'> => {
  const within = (users: readonly ChatUser[], { id, type }: ChatUser) =>
    users.some((user) => user.id === id && user.type === type && user.present)
  const added = usersOf(
    after.users.filter((user) => user.present && !within(before.users, user)),
    profiles,
    seen,
  )
  const removed = before.users.filter((user) => user.present && !within(after.users, user))
  return {
    chat_id: after.id,
    updated_users: {
      customers: byType(added, removed, 'customer'),
      agents: byType(added, removed, 'agent'),
      supervisors: byType(added, removed, 'supervisor'),
    },
  }
}
