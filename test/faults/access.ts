import { type AgentRecord, type ChatState, grouped, type History, type SocketRecord } from './history.ts'

// Protocol §4 once more, written for the checker alone: what is under test is not asked.

const isIn = (user: string, { users }: Pick<ChatState, 'users'>): boolean =>
  users.some(({ id, type, present }) => id === user && type !== 'customer' && present)

export const hasAccess = (agent: AgentRecord, state: Pick<ChatState, 'users' | 'scopes'>): boolean => {
  if (isIn(agent.id, state)) return true
  if (agent.onlyOwn) return false
  const { groups, agents } = state.scopes
  return (
    agent.permission !== 'normal' ||
    (groups.length === 0 && agents.length === 0) ||
    agents.includes(agent.id) ||
    groups.some((group) => agent.groups.includes(group))
  )
}

/** The pushes of what is said and done in a chat. */
const ofContent: ReadonlySet<string> = new Set([
  ...['incoming_event', 'incoming_typing_indicator', 'incoming_sneak_peek', 'event_marked_as_seen'],
  ...['last_seen_timestamp_updated', 'chat_properties_updated', 'chat_thread_properties_updated'],
])

/** Whether a connection wants such a push at all: it is told when it is closed, and else what it names. */
export const wantsAny = ({ pushes }: SocketRecord, action: string): boolean =>
  pushes?.includes(action) !== false || action === 'agent_disconnected'

/** Whether a connection of an agent that has access wants such a push about the chat. */
export const wants = (socket: SocketRecord, action: string, state: ChatState): boolean => {
  const { user, chats } = socket
  const { followers = [], thread = 0 } = state
  if (!wantsAny(socket, action)) return false
  return (
    chats !== 'my' ||
    !ofContent.has(action) ||
    isIn(user ?? '', state) ||
    followers.some(({ id, thread: since }) => id === user && thread <= since + 1)
  )
}

export const isMember = (user: string, { users }: ChatState): boolean =>
  users.some(({ id, present }) => id === user && present)

/** Who an agent is; a person of another license is none. */
export const agentOf = (history: History, license: string, id: string): AgentRecord | undefined =>
  history.licenses.find((one) => one.id === license)?.agents.find((agent) => agent.id === id)

/** The states of each chat, ascending, each with when the next one was surely in force. */
export class Chats {
  readonly #states: Map<string, { state: ChatState; until: number }[]>

  constructor(history: History) {
    this.#states = new Map(
      [...grouped(history.chats, ({ id }) => id)].map(([id, states]) => {
        const ascending = states.toSorted((a, b) => a.version - b.version)
        return [
          id,
          ascending.map((state) => ({
            state,
            until:
              ascending.find((next) => next.certain && next.version > state.version)?.endedAt ??
              Number.POSITIVE_INFINITY,
          })),
        ]
      }),
    )
  }

  licenseOf(chat: string): string | undefined {
    return this.#states.get(chat)?.[0]?.state.license_id
  }

  /** Every state that may have been in force at some moment of this time. */
  during(chat: string, from: number, to: number): ChatState[] {
    return (this.#states.get(chat) ?? [])
      .filter(({ state, until }) => state.sentAt <= to && until >= from)
      .map(({ state }) => state)
  }

  /** Whether there surely was such a chat by then. */
  existed(chat: string, at: number): boolean {
    return (this.#states.get(chat) ?? []).some(({ state }) => state.certain && state.endedAt <= at)
  }

  /** Every state that may have been in force by then. */
  upTo(chat: string, to: number): ChatState[] {
    return this.during(chat, Number.NEGATIVE_INFINITY, to)
  }
}
