import { expect } from 'vitest'
import type { Client, CustomerClient } from '../support/client.ts'
import type { CustomerPushName } from '../../shared/protocol/customer-pushes.ts'
import type { PushName } from '../../shared/protocol/pushes.ts'
import { message } from '../support/events.ts'
import type { License, World } from '../support/world.ts'

export { message } from '../support/events.ts'
export { denied, notFound } from '../support/wire-errors.ts'

// A customer's chat with everyone in its place, for what customers ask for in it.

const default_status = 'not_accepting_chats'
const staffNames = ['ann', 'gus', 'olga', 'sue', 'out'] as const
type StaffName = (typeof staffNames)[number]

export interface Reception {
  license: License
  /** The customer on two tabs. */
  carl: CustomerClient
  tab: CustomerClient
  id: string
  token: string
  /** Scoped to group 1, with an active thread: carl's "hello", then its assignment to ann. */
  chat_id: string
  thread_id: string
  /**
   * `ann` is in the chat, `gus` sees it by its group, `olga` as owner, `sue` supervises, `out` has no access.
   */
  staff: Record<StaffName, Client>
  /** Those with access. */
  watching: Client[]
  /** Everyone forgets what was received up to now, and what follows from it. */
  forget(): Promise<void>
  /** Fails where anyone has received anything. */
  silence(): Promise<void>
}

/** Who is logged in at a license's reception, for all of its customers. */
interface Office {
  license: License
  staff: Record<StaffName, Client>
}

const openOffice = async (world: World): Promise<Office> => {
  const license = await world.license(
    {
      ann: {
        ...{ name: 'Ann', groups: [1], email: 'ann@example.com', avatar: 'https://example.com/ann.png' },
        // every customer comes to her, and nobody else takes chats
        max_chats: 1000,
      },
      gus: { name: 'Gus', groups: [1], default_status },
      olga: { name: 'Olga', permission: 'owner', default_status },
      sue: { name: 'Sue', email: 'sue@example.com', default_status },
      out: { name: 'Out', groups: [2], default_status },
    },
    { groups: ['Sales', 'Support'] },
  )
  const staff = { ann: await license.login('ann') } as Office['staff']
  for (const name of staffNames) staff[name] ??= await license.login(name)
  return { license, staff }
}

const offices = new WeakMap<World, Promise<Office>>()
/** The office of a world, opened with its first customer. */
const officeOf = (world: World): Promise<Office> => {
  const known = offices.get(world) ?? openOffice(world)
  offices.set(world, known)
  return known
}

/** A customer of its own for each test, with a chat in which all that precedes it has the same orders. */
export const openReception = async (world: World): Promise<Reception> => {
  const { license, staff } = await officeOf(world)
  const { ann, gus, olga, sue } = staff
  const visitor = await license.visit({ customer: { name: 'Carl', email: 'carl@example.com' } })
  const { client: carl, id, token } = visitor
  await ann.ok('update_agent', { routing_status: 'accepting_chats' })
  const { chat } = await carl.ok('start_chat', {
    chat: { scopes: { groups: [1] }, thread: { events: [message('hello')] } },
  })
  await olga.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['sue'] })
  const { client: tab } = await license.visit({ token })
  const all = [carl, tab, ...Object.values(staff)]
  const forget = async () => {
    await world.settled()
    for (const client of all) await client.received()
  }
  await forget()
  return {
    ...{ license, carl, tab, id, token, staff, forget },
    chat_id: chat.id,
    thread_id: chat.thread.id,
    watching: [ann, gus, olga, sue],
    silence: async () => {
      for (const client of all) await client.receivesNothing()
    },
  }
}

export const names = async (client: Client | CustomerClient): Promise<string[]> =>
  (await client.received()).map(({ action }) => action)

/** The payload of the next push to an agent or a tab, which must be of this name. */
export const next = (client: Client | CustomerClient, name: CustomerPushName & PushName): Promise<any> =>
  (client as Client).next(name)

/** The answer of a request that has no payload. */
export const bare = (action: string) => ({
  request_id: expect.stringContaining(action),
  action,
  type: 'response',
  success: true,
})
