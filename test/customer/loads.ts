import { expect } from 'vitest'
import { lacksAgent } from '../../shared/table/chat/chat-users.ts'
import type { ActiveChat } from '../../shared/table/chat/chats.ts'
import { readActiveChats } from '../../shared/table/chat/read-chats.ts'
import { readWaitingChats } from '../../shared/table/chat/waiting-chats.ts'
import { readLoads } from '../../shared/table/chat/loads.ts'
import type { World } from '../support/world.ts'

/** How many active chats with a customer each agent has, counted anew; agents who have none are left out. */
const counted = async ({ table }: World, license: string): Promise<Record<string, number>> => {
  const active = await readActiveChats(table.read, license)
  const isCustomers = ({ users }: ActiveChat) =>
    users.some(({ type, present }) => type === 'customer' && present)
  const working = active
    .filter(isCustomers)
    .flatMap(({ users }) => users.filter(({ type, present }) => type === 'agent' && present))
  const loads: Record<string, number> = {}
  for (const { id } of working) loads[id] = (loads[id] ?? 0) + 1
  return loads
}

/** Fails where an active chat that waits is not listed as waiting; others may be. */
const expectWaiting = async ({ table }: World, license: string): Promise<void> => {
  const [active, waiting] = await Promise.all([
    readActiveChats(table.read, license),
    readWaitingChats(table.read, license),
  ])
  // supervisors come and go without a look at who may have the chat
  const told = ({ id, users, scopes, thread, waiting_since }: ActiveChat) =>
    JSON.stringify([id, users.filter(({ type }) => type !== 'supervisor'), scopes, thread, waiting_since])
  expect(waiting.map(told)).toEqual(expect.arrayContaining(active.filter(lacksAgent).map(told)))
}

/**
 * Fails where the loads that routing decides by, or the chats that it finds waiting, are not those of the
 * active chats; resolves to the loads.
 */
export const expectLoads = async (world: World, license: string): Promise<Record<string, number>> => {
  const stored = await readLoads(world.table.read, license, { strong: true })
  const loads = Object.fromEntries(
    stored.filter(({ active }) => active !== 0).map((one) => [one.agent, one.active]),
  )
  expect(loads).toEqual(await counted(world, license))
  await expectWaiting(world, license)
  return loads
}
