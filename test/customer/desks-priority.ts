import type { AgentItem } from '../../shared/table/accounts.ts'
import type { ActiveChat } from '../../shared/table/chat/chats.ts'
import type { Entry } from '../../shared/table/chat/thread-log.ts'

interface Asked {
  id: string
  /** A bot's. */
  priority?: AgentItem['priority']
}

const turns = ['first', 'normal', 'last'] as const
const turnOf = ({ priority = 'normal' }: Asked): number => turns.indexOf(priority)

/**
 * What is wrong with a chat that routing has given to an agent since the last quiet moment, where `entry`
 * says so: `free`, the others who could have had it, have none whom routing asks before.
 */
export const priorityFaultsOf = (
  { id, thread }: ActiveChat,
  given: Asked,
  free: readonly Asked[],
  { entry, known }: { entry: Entry | undefined; known: Map<string, string> },
): string[] => {
  const told = entry && `${thread} ${entry.m}`
  const isNew = told !== undefined && known.get(id) !== told
  if (told !== undefined) known.set(id, told)
  if (!isNew || entry?.event.text !== `Chat assigned to ${given.id}`) return []
  const before = free.filter((one) => turnOf(one) < turnOf(given))
  return before.map((one) => `${id} is given to ${given.id} while ${one.id} comes before and is free`)
}
