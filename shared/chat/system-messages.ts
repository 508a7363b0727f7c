import type { SystemMessageType } from '../protocol/events.ts'
import type { StoredEvent } from '../table/chat/thread-log.ts'

/** The server's sentences (protocol §3). `forAgents`: of a supervisor, whom customers do not know. */
const systemMessage = (type: SystemMessageType, text: string, forAgents = false): StoredEvent => ({
  type: 'system_message',
  system_message_type: type,
  text,
  ...(forAgents ? { recipients: 'agents' } : {}),
})

export const agentJoined = (name: string, forAgents: boolean): StoredEvent =>
  systemMessage('agent_joined', `${name} joined the chat`, forAgents)

export const agentLeft = (name: string, forAgents: boolean): StoredEvent =>
  systemMessage('agent_left', `${name} left the chat`, forAgents)

export const manualArchived = (name: string, forAgents: boolean): StoredEvent =>
  systemMessage('manual_archived', `${name} archived the chat`, forAgents)

export const transferred = (names: readonly string[], by: string, forAgents: boolean): StoredEvent =>
  systemMessage('transferred', `Chat transferred to ${names.join(', ')} by ${by}`, forAgents)

export const customerLeft = (name: string): StoredEvent =>
  systemMessage('customer_left', `${name} left the chat`)

export const customerBanned = (by: string, days: number, forAgents: boolean): StoredEvent =>
  systemMessage(
    'customer_banned',
    `Chat archived because customer was banned by ${by} for ${days} days`,
    forAgents,
  )

const reason = (because: string | undefined): string => (because === undefined ? '' : ` because ${because}`)

export const routingAssigned = (name: string, because?: string): StoredEvent =>
  systemMessage('routing.assigned', `Chat assigned to ${name}${reason(because)}`)

export const routingUnassigned = (because?: string): StoredEvent =>
  systemMessage('routing.unassigned', `Chat is unassigned${reason(because)}`)

export const routingIdle = (minutes: number): StoredEvent =>
  systemMessage('routing.idle', `Chat is idle due to ${minutes} minutes of inactivity`)

export const routingArchived = (): StoredEvent =>
  systemMessage('routing.archived', 'Chat archived due to long inactivity')
