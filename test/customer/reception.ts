import { expect } from 'vitest'
import { customerChatId } from '../../shared/table/keys.ts'
import type { Client, CustomerClient, WireError } from '../support/client.ts'
import type { CustomerPushName, PushName } from '../../shared/protocol/pushes.ts'
import type { License, World } from '../support/world.ts'

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
  /** `ann` is in the chat, `gus` sees it by its group, `olga` as owner, `sue` supervises, `out` has no access. */
  staff: Record<StaffName, Client>
  /** Those with access. */
  watching: Client[]
  /** Everyone forgets what was received up to now, and what follows from it. */
  forget(): Promise<void>
  /** Fails where anyone has received anything. */
  silence(): Promise<void>
}

export const message = (text: string, more: object = {}) => ({ type: 'message', text, ...more })

export const openReception = async (world: World): Promise<Reception> => {
  const license = await world.license(
    {
      ann: { name: 'Ann', groups: [1], email: 'ann@example.com', avatar: 'https://example.com/ann.png' },
      // the others take no chats, nor does ann any more: whoever is put into this one, a test has put there
      gus: { name: 'Gus', groups: [1], default_status },
      olga: { name: 'Olga', permission: 'owner', default_status },
      sue: { name: 'Sue', email: 'sue@example.com', default_status },
      out: { name: 'Out', groups: [2], default_status },
    },
    { groups: ['Sales', 'Support'] },
  )
  const staff = { ann: await license.login('ann') } as Reception['staff']
  const {
    client: carl,
    id,
    token,
  } = await license.visit({
    customer: { name: 'Carl', email: 'carl@example.com' },
  })
  const { chat } = await carl.ok('start_chat', {
    chat: { scopes: { groups: [1] }, thread: { events: [message('hello')] } },
  })
  await staff.ann.ok('update_agent', { routing_status: default_status })
  for (const name of staffNames) staff[name] ??= await license.login(name)
  await staff.olga.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['sue'] })
  const { client: tab } = await license.visit({ token })
  const all = [carl, tab, ...Object.values(staff)]
  const forget = async () => {
    await world.settled()
    for (const client of all) await client.received()
  }
  await forget()
  const { ann, gus, olga, sue } = staff
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

export const notFound: WireError = { type: 'not_found', code: 404, message: 'Not found' }
export const notLoggedIn: WireError = { type: 'auth', code: 401, message: 'Not logged in' }
export const denied = (sentence: string): WireError => ({
  type: 'authorization',
  code: 403,
  message: sentence,
})
export const invalid = (...paths: string[]) => ({
  type: 'validation',
  code: 400,
  message: 'Wrong format of request',
  details: paths.map((path) => ({ path, message: expect.stringMatching(/./) })),
})

/** Chats that are not this customer's: another customer's, another licence's, an agent's own, and none at all. */
const strangeChats = async ({ license, id, chat_id, staff }: Reception, world: World) => {
  const { client: other } = await license.visit({ customer: { name: 'Other' } })
  const abroad = await world.license({})
  const { client: stranger } = await abroad.visit({ customer: { name: 'Stranger' } })
  return {
    "another customer's": (await other.ok('start_chat')).chat.id,
    "another licence's": (await stranger.ok('start_chat')).chat.id,
    "an agent's own": (await staff.ann.ok('start_chat')).chat.id,
    'what this customer would have in another licence': customerChatId(abroad.id, id),
    'no chat': 'nosuch',
    'a thread': `${chat_id}_1`,
  } as Record<string, string>
}

/**
 * What every action on a chat refuses, `payload` being what else it takes: first who is not logged in, then what no chat
 * can be, then chats that are not the customer's, then, with `sentence`, one whom an agent has removed. Nobody is told of any.
 */
export const refusesAsAll = async (
  world: World,
  action: string,
  payload: (chat_id: string) => object,
  sentence: string,
  { chatOptional = false } = {},
): Promise<void> => {
  const reception = await openReception(world)
  const { license, carl, tab, id, chat_id, staff, forget, silence } = reception
  const early = await license.arrive()
  for (const asked of [payload(chat_id), {}, undefined])
    expect(await early.refused(action, asked)).toEqual(notLoggedIn)

  for (const wrong of [
    ...(chatOptional ? [] : [undefined, null]),
    5,
    '',
    'x'.repeat(129),
    [chat_id],
    '\ud800',
  ]) {
    const { details = [], ...error } = await carl.refused(action, { ...payload(chat_id), chat_id: wrong })
    expect(error).toEqual({ type: 'validation', code: 400, message: 'Wrong format of request' })
    expect(details.map(({ path }) => path)).toEqual(['payload.chat_id'])
  }

  const strange = await strangeChats(reception, world)
  await forget()
  for (const [what, chat] of Object.entries(strange))
    expect([what, await carl.refused(action, payload(chat))]).toEqual([what, notFound])
  await silence()

  await staff.ann.ok('remove_from_chat', { chat_id, customer_ids: [id] })
  await forget()
  for (const client of [carl, tab])
    expect(await client.refused(action, payload(chat_id))).toEqual(denied(sentence))
  // what is wrong with the request comes before who may not ask
  expect(await carl.refused(action, { ...payload(chat_id), chat_id: 5 })).toMatchObject({
    type: 'validation',
  })
  for (const chat of Object.values(strange))
    expect(await carl.refused(action, payload(chat))).toEqual(notFound)
  await silence()
}
