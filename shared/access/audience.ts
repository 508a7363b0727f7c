import type { AgentAudience, Audience, CustomerAudience } from '../delivery/outbox.ts'
import { pushKindOf } from '../protocol/push-kinds.ts'
import type { Chat, ChatScopes } from '../table/chat/chats.ts'
import type { Entry } from '../table/chat/thread-log.ts'
import type { CustomerItem } from '../table/customers.ts'
import type { AgentSocketItem, CustomerSocketItem } from '../table/sockets.ts'
import { type HeardChat, hearsContent, listsFor, listsOfStaff } from './audience-lists.ts'
import { mayRead, roleOf } from './permissions.ts'
import { isShown, redactedFor } from './visibility.ts'

type SeenChat = HeardChat & { license_id: string }

const everyTab = () => true

/** The chat's customers who are in it; none of what is for agents only. */
const customersOf = (chat: Pick<Chat, 'users'>, before?: Pick<Chat, 'users'>): CustomerAudience => {
  const present = [...(before?.users ?? []), ...chat.users].filter(
    ({ type, present: isIn }) => type === 'customer' && isIn,
  )
  const ids = [...new Set(present.map(({ id }) => id))]
  return { ids, includes: everyTab, redact: redactedFor({ before, chat }) }
}

const usersOf = ({ users }: SeenChat): Pick<Chat, 'users'> => ({ users: [...users] })

/** Agents with access to one of these chats, for what each of them wants to hear. */
const agentsOf = (
  chats: readonly SeenChat[],
  includes: (row: AgentSocketItem) => boolean = (row) => chats.some((chat) => mayRead(row, chat)),
): AgentAudience => ({
  includes: (row, name) =>
    includes(row) && (pushKindOf(name) !== 'content' || chats.some((chat) => hearsContent(row, chat))),
  lists: (name) => listsFor(chats, pushKindOf(name) === 'content' ? 'content' : 'lifecycle'),
})

/**
 * Every agent with access to the chat, the requester's other connections and its own included, and its
 * customers (protocol §6): these not where it is about an entry that is hidden from them.
 */
export const watching = (chat: SeenChat, about?: Pick<Entry, 'event'>): Audience => ({
  license: chat.license_id,
  agents: agentsOf([chat]),
  ...(about === undefined || isShown(about.event) ? { customers: customersOf(usersOf(chat)) } : {}),
})

/** Agents with access to the chat. */
export const watchingAgents = (chat: SeenChat): Audience => ({
  license: chat.license_id,
  agents: agentsOf([chat]),
})

/** The chat's customers who are in it. */
export const customersIn = (chat: SeenChat): Audience => ({
  license: chat.license_id,
  customers: customersOf(usersOf(chat)),
})

/** The watchers of a chat before a change and after it. */
export const watchingEither = (before: SeenChat, after: SeenChat): Audience => ({
  license: after.license_id,
  agents: agentsOf([before, after]),
  customers: customersOf(usersOf(after), usersOf(before)),
})

/** The users whom a change has given access: they know nothing of the chat yet. */
export const gaining = (before: SeenChat, after: SeenChat): Audience => {
  const { ids, ...rest } = customersOf(usersOf(after))
  const were = customersOf(usersOf(before)).ids
  return {
    license: after.license_id,
    agents: agentsOf([after], (row) => mayRead(row, after) && !mayRead(row, before)),
    customers: { ids: ids.filter((id) => !were.includes(id)), ...rest },
  }
}

/** Agents and supervisors who are in the chat, but the author. */
const staffBut = (chat: SeenChat, author?: string): AgentAudience => ({
  includes: (row) =>
    row.agent_id !== author && roleOf(row.agent_id, chat) !== undefined && mayRead(row, chat),
  lists: () => listsOfStaff(chat),
})

/** Agents and supervisors who are in the chat. */
export const staffOf = (chat: SeenChat): Audience => ({ license: chat.license_id, agents: staffBut(chat) })

/** All users who are in the chat, customers too, but the author. */
export const othersIn = (chat: SeenChat, author: string): Audience => ({
  license: chat.license_id,
  agents: staffBut(chat, author),
  customers: { ...customersOf(usersOf(chat)), includes: (row) => row.customer_id !== author },
})

/**
 * The audience of a customer's details: agents with access to its chat, where that is active, and
 * connections of its own: all `tabs` but one.
 */
export const aboutCustomer = (
  { license_id, id }: Pick<CustomerItem, 'license_id' | 'id'>,
  activeChat: SeenChat | undefined,
  tabs: { but?: string } | undefined,
): Audience => ({
  license: license_id,
  ...(activeChat === undefined ? {} : { agents: agentsOf([activeChat]) }),
  ...(tabs === undefined
    ? {}
    : {
        customers: {
          ids: [id],
          includes: ({ connection }) => connection !== tabs.but,
          redact: redactedFor({ chat: { users: [] } }),
        },
      }),
})

const everyone = () => undefined

/** The agents named, and those of the groups named; without any, every agent of the license. */
export const addressed = (license: string, { groups, agents }: ChatScopes): Audience =>
  groups.length + agents.length === 0
    ? everyAgent(license)
    : {
        license,
        agents: {
          includes: (row) =>
            agents.includes(row.agent_id) || groups.some((group) => row.groups.includes(group)),
          lists: everyone,
        },
      }

export const everyAgent = (license: string): Audience => ({
  license,
  agents: { includes: () => true, lists: everyone },
})

/** Every connection of one agent. */
export const agentsConnections = (license: string, agent: string): Audience => ({
  license,
  agents: {
    includes: ({ agent_id }) => agent_id === agent,
    lists: () => ({ short: [{ agent }], areMost: false }),
  },
})

/** These connections of one agent only. */
export const connections = (license: string, agent: string, ids: readonly string[]): Audience => ({
  license,
  agents: {
    includes: ({ connection }) => ids.includes(connection),
    lists: () => ({ short: [{ agent }], areMost: false }),
  },
})

/** This connection of a customer only, of its own chat. */
export const customerConnection = (
  { license_id, customer_id }: Pick<CustomerSocketItem, 'license_id' | 'customer_id'>,
  id: string,
  chat: Pick<Chat, 'users'>,
): Audience => ({
  license: license_id,
  customers: {
    ids: [customer_id],
    includes: ({ connection }) => connection === id,
    redact: redactedFor({ chat }),
  },
})
