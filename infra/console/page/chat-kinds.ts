import type { Desk, DeskChat, DeskUser } from './desk-state.ts'

export type Tab = 'mine' | 'others' | 'waiting'

/** The role of an agent in a chat; undefined: it is not in it. */
export const roleIn = (
  { users }: DeskChat,
  agent: string | undefined,
): 'agent' | 'supervisor' | undefined => {
  const user = users.find(({ id, present }) => present && id === agent)
  return user === undefined || user.type === 'customer' ? undefined : user.type
}

export const customerOf = ({ users }: DeskChat): (DeskUser & { type: 'customer' }) | undefined =>
  users.find((user) => user.type === 'customer')

/** The name of a chat: that of its customer, or those of the agents who talk. */
export const titleOf = (chat: DeskChat): string =>
  customerOf(chat)?.name ?? (chat.users.map(({ name }) => name).join(', ') || 'Empty chat')

const tabOf = (chat: DeskChat, me: string | undefined): Tab => {
  if (roleIn(chat, me) !== undefined) return 'mine'
  // agents who do not look after it stay in a chat that waits
  if (chat.threads.at(-1)?.queue !== undefined) return 'waiting'
  return chat.users.some(({ type, present }) => type === 'agent' && present) ? 'others' : 'waiting'
}

/** The time (s) at which something was said last in a chat. */
export const lastAt = (desk: Desk, chat: DeskChat): number => {
  const thread = chat.threads.at(-1)
  return Math.max(
    desk.previews.get(chat.id)?.at ?? 0,
    thread?.events.at(-1)?.timestamp ?? thread?.timestamp ?? 0,
  )
}

/** The active chats of each tab, the one in which something was said last first. */
export const chatsByTab = (desk: Desk): Record<Tab, DeskChat[]> => {
  const active = desk.client.chats
    .all()
    .filter(({ threads }) => threads.at(-1)?.active === true)
    .toSorted((a, b) => lastAt(desk, b) - lastAt(desk, a))
  const grouped: Record<Tab, DeskChat[]> = { mine: [], others: [], waiting: [] }
  for (const chat of active) grouped[tabOf(chat, desk.me?.id)].push(chat)
  return grouped
}

/** A chat has news where something was said that the agent has not seen. */
export const isUnread = (desk: Desk, chat: DeskChat): boolean => {
  const own = chat.users.find(({ id }) => id === desk.me?.id)
  const last = chat.threads.at(-1)?.events.findLast(({ author_id }) => author_id !== undefined)
  return (
    own?.present === true &&
    last !== undefined &&
    last.author_id !== own.id &&
    last.timestamp > (own.last_seen_timestamp ?? 0)
  )
}
