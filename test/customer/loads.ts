import { expect } from 'vitest'
import { readActiveChats } from '../../shared/table/chats.ts'
import { readLoads } from '../../shared/table/loads.ts'
import type { World } from '../support/world.ts'

/** In how many active chats each agent is, counted anew; agents who are in none are left out. */
const counted = async ({ table }: World, license: string): Promise<Record<string, number>> => {
  const active = await readActiveChats(table.read, license)
  const working = active.flatMap(({ users }) =>
    users.filter(({ type, present }) => type === 'agent' && present),
  )
  const loads: Record<string, number> = {}
  for (const { id } of working) loads[id] = (loads[id] ?? 0) + 1
  return loads
}

/** Fails where the loads that routing decides by are not those of the active chats; resolves to them. */
export const expectLoads = async (world: World, license: string): Promise<Record<string, number>> => {
  const stored = await readLoads(world.table.read, license, { strong: true })
  const loads = Object.fromEntries(
    stored.filter(({ active }) => active !== 0).map((one) => [one.agent, one.active]),
  )
  expect(loads).toEqual(await counted(world, license))
  return loads
}
