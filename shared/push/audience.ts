import { mayRead, placeOf, type Seen } from '../chat/access.ts'
import type { ChatScopes } from '../table/chats.ts'
import type { AgentSocketItem } from '../table/sockets.ts'

/** Who gets a push: those of a licence's live agent sockets that it includes, decided when it is sent. */
export interface Audience {
  license: string
  includes(row: AgentSocketItem): boolean
}

type SeenChat = Seen & { license_id: string }

/** Every agent with access to the chat, the requester's other connections and its own included (protocol §6). */
export const watching = (chat: SeenChat): Audience => ({
  license: chat.license_id,
  includes: (row) => mayRead(row, chat),
})

/** Those who watched before a change, or do after it. */
export const watchingEither = (before: SeenChat, after: SeenChat): Audience => ({
  license: after.license_id,
  includes: (row) => mayRead(row, before) || mayRead(row, after),
})

/** Those whom a change has given access: they know nothing of the chat yet. */
export const gaining = (before: SeenChat, after: SeenChat): Audience => ({
  license: after.license_id,
  includes: (row) => mayRead(row, after) && !mayRead(row, before),
})

/** Those who are in the chat, as agents or supervisors, but the author. */
export const othersIn = (chat: SeenChat, author: string): Audience => ({
  license: chat.license_id,
  includes: (row) =>
    row.agent_id !== author && placeOf(row.agent_id, chat) !== undefined && mayRead(row, chat),
})

/** The agents named, and those of the groups named; without any, every agent of the licence. */
export const addressed = (license: string, { groups, agents }: ChatScopes): Audience =>
  groups.length + agents.length === 0
    ? everyAgent(license)
    : {
        license,
        includes: (row) =>
          agents.includes(row.agent_id) || groups.some((group) => row.groups.includes(group)),
      }

export const everyAgent = (license: string): Audience => ({ license, includes: () => true })

/** These connections only. */
export const connections = (license: string, ids: readonly string[]): Audience => ({
  license,
  includes: ({ connection }) => ids.includes(connection),
})
