import type { NewCustomerEvent, NewInitialEvent } from '../../protocol/events.ts'
import type { Properties } from '../../protocol/properties.ts'
import type { Clock, Reads, Retries, Writes } from '../../table/capabilities.ts'
import type { ChatUser } from '../../table/chat/chat-users.ts'
import type { Chat, ChatScopes } from '../../table/chat/chats.ts'
import { storedEvent } from '../../table/chat/log-entries.ts'
import type { Entry, Head } from '../../table/chat/thread-log.ts'
import type { Reader } from '../../table/ops.ts'
import type { ConditionalWrite } from '../../table/optimistic-write.ts'
import { type AnySession, isCustomers, userIdOf, type Visitor } from '../../table/sockets.ts'
import type { AnnouncedRouting } from '../routing-properties.ts'
import { scopeChecks } from '../scopes.ts'
import type { ThreadStartFamily, ThreadStartReads } from './open-thread.ts'

export interface NewChat {
  events: readonly (NewInitialEvent | NewCustomerEvent)[]
  scopes: ChatScopes
  properties: Properties | undefined
  threadProperties: Properties | undefined
  /** Whose chat it is: of an agent's own one nobody's. */
  customer?: string | undefined
  /** What an agent without access to the customer's chat is told. */
  denied?: string
  /** Rejects where it may not be started at all; awaited beside the first reads. */
  allowed?: Promise<void>
}

export interface Starting extends Reads<ThreadStartReads>, Writes<ThreadStartFamily>, Retries, Clock {
  me: AnySession
  refresh: () => Promise<{ me: AnySession }>
  visitor?: Visitor
}

/** What became of it: `appended` to a thread that was active already. */
export interface Started {
  outcome: 'started' | 'appended'
  /** The chat as it was, where there was one. */
  before: Chat | undefined
  chat: Chat
  head?: Head | undefined
  /** What was added, ascending. */
  entries: readonly Entry[]
  /** What its thread ends with, ascending. */
  events: readonly Entry[]
  /** What was asked to be added and is there already, ascending. */
  replayed?: readonly Entry[]
  told: AnnouncedRouting
}

/**
 * What holds for the agents that a new chat's scopes name, beside who starts it; its groups are read before.
 */
export const agentChecks = (
  read: Reader,
  me: AnySession,
  { agents }: ChatScopes,
): Promise<ConditionalWrite<'account'>[]> => {
  const others = isCustomers(me) ? agents : agents.filter((id) => id !== me.agent_id)
  return scopeChecks(read, me.license_id, { groups: [], agents: others })
}

export const memberOf = (me: AnySession): ChatUser =>
  isCustomers(me)
    ? { id: me.customer_id, type: 'customer', present: true }
    : { id: me.agent_id, type: 'agent', present: true, met: true }

export const eventsOf = (me: AnySession, events: NewChat['events']) =>
  events.map((event) => {
    const asked = 'recipients' in event ? event.recipients : undefined
    return storedEvent(event, userIdOf(me), asked ?? 'all')
  })

export const isEmpty = ({ groups, agents }: ChatScopes): boolean => groups.length + agents.length === 0
