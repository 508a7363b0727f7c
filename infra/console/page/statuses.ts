import type { Desk } from './desk-state.ts'

const statuses: Record<string, string> = {
  accepting_chats: 'accepting chats',
  not_accepting_chats: 'not accepting',
  offline: 'offline',
}

/** The status of an agent in words. */
export const statusOf = (routing: string): string => statuses[routing] ?? routing

const groupStatuses = { online: 'free', online_for_queue: 'full', offline: 'nobody there' }

/** Says in words whether somebody is there for a group. */
export const groupStatusOf = (desk: Desk, group: number): string =>
  groupStatuses[desk.statuses[group] ?? 'offline']
