import type { ActiveChat } from '../../shared/table/chat/chats.ts'
import { readActiveChats } from '../../shared/table/chat/read-chats.ts'
import type { License, Visitor, World } from '../support/world.ts'

/** What a customer was told last of its place: of which thread, since when, and which. */
export interface ToldPlace {
  thread_id: string
  position: number
  queued_at: number
}

interface Waiting {
  license: License
  customers: readonly (Visitor & { chat: string | undefined })[]
  told: Map<string, ToldPlace>
}

/** Chats of one line are served by the same groups and agents. */
const lineOf = ({ scopes: { groups, agents } }: ActiveChat): string =>
  JSON.stringify([groups.toSorted(), agents.toSorted()])

/**
 * What is wrong with what customers were told of their places, once whatever was put off has been done: each
 * that waits knows the place that it has by how long the others of its line have waited.
 */
export const queueFaultsOf = async (
  world: World,
  { license, customers, told }: Waiting,
): Promise<string[]> => {
  for (const { client, chat } of customers)
    for (const { action, payload } of (await client.received()) as { action: string; payload: any }[])
      if (action === 'queue_position_updated' && chat !== undefined)
        told.set(chat, { thread_id: payload.thread_id, ...payload.queue })

  const active = await readActiveChats(world.table.read, license.id)
  const waiting = active
    .filter(({ waiting_since }) => waiting_since !== undefined)
    .filter(({ users }) => users.some(({ type, present }) => type === 'customer' && present))
    .toSorted((a, b) => a.waiting_since! - b.waiting_since! || (a.id < b.id ? -1 : 1))
  return waiting.flatMap((chat) => {
    const line = waiting.filter((other) => lineOf(other) === lineOf(chat))
    const due = {
      thread_id: `${chat.id}_${chat.thread}`,
      position: line.indexOf(chat) + 1,
      queued_at: Math.floor(chat.waiting_since! / 1000),
    }
    const { thread_id, position, queued_at } = told.get(chat.id) ?? {}
    const isTold = thread_id === due.thread_id && position === due.position && queued_at === due.queued_at
    return isTold
      ? []
      : [
          `${chat.id} is told ${JSON.stringify({ thread_id, position, queued_at })}, not ${JSON.stringify(due)}`,
        ]
  })
}
