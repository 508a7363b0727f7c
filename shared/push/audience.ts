import { mayRead, type Seen } from '../chat/access.ts'
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

export const everyAgent = (license: string): Audience => ({ license, includes: () => true })

/** These connections only. */
export const connections = (license: string, ids: readonly string[]): Audience => ({
  license,
  includes: ({ connection }) => ids.includes(connection),
})
