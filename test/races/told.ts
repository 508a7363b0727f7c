import { expect } from 'vitest'
import { findAgent } from '../../shared/provisioning/change-agent.ts'
import { keys } from '../../shared/table/keys.ts'
import type { Client, CustomerClient, Response } from '../support/client.ts'
import { message } from '../support/events.ts'
import type { License, World } from '../support/world.ts'

// What a request writes and cannot tell of itself: each action that writes and pushes, and how to see what it
// wrote.

export interface Told {
  license: License
  /**
   * The chat, license and connection of whoever asks, by which the table's calls are known to be of this
   * request.
   */
  marks: readonly string[]
  ask(): Promise<Response>
  /** What of it stands in the table. */
  isStored(): Promise<boolean>
  /** Another agent, who hears of everything. */
  zoe: Client
  /** The push that tells of it. */
  push: string
}

interface Scene {
  license: License
  ann: Client
  zoe: Client
  connection: string
  chat_id: string
  thread_id: string
  event_id: string
}

const openScene = async (world: World): Promise<Scene> => {
  const license = await world.license(
    { ann: {}, ben: {}, zoe: { permission: 'owner' } },
    { groups: ['A', 'B'] },
  )
  const zoe = await license.login('zoe')
  const before = world.gateway.connections()
  const ann = await license.login('ann')
  const connection = world.gateway.connections().find((id) => !before.includes(id)) ?? ''
  const { chat } = await zoe.ok('start_chat', { initial_events: [message('first')] })
  await zoe.ok('join_chat', { chat_id: chat.id, agent_ids: ['ann'] })
  const { event, thread_id } = await zoe.ok('send_event', { chat_id: chat.id, event: message('second') })
  await zoe.ok('tag_thread', { chat_id: chat.id, thread_id, tag: 'early' })
  return { license, ann, zoe, connection, chat_id: chat.id, thread_id, event_id: event.id }
}

const threadOf = async ({ zoe, chat_id }: Scene) =>
  (await zoe.ok('get_chat_threads', { chat_id })).chat.threads[0]
const chatOf = async ({ zoe, chat_id }: Scene) => {
  const { chats_summary } = await zoe.ok('get_filtered_chats', {})
  return chats_summary.find(({ id }: any) => id === chat_id)
}
const userOf = async (scene: Scene, wanted: string) =>
  (await chatOf(scene)).users.find(({ id }: any) => id === wanted)

type Action = [
  name: string,
  push: string,
  payload: (scene: Scene) => object,
  isStored: (scene: Scene) => Promise<boolean>,
]

const onChats: Action[] = [
  [
    'send_event',
    'incoming_event',
    () => ({ event: message('late') }),
    async (scene) => (await threadOf(scene)).events.some(({ text }: any) => text === 'late'),
  ],
  ['close_thread', 'thread_closed', () => ({}), async (scene) => !(await threadOf(scene)).active],
  [
    'join_chat',
    'chat_users_updated',
    () => ({ agent_ids: ['ben'] }),
    async (scene) => (await userOf(scene, 'ben'))?.present === true,
  ],
  [
    'transfer_chat',
    'chat_transferred',
    () => ({ target: { type: 'agent', ids: ['zoe'] } }),
    async (scene) => (await userOf(scene, 'ann'))?.present === false,
  ],
  [
    'remove_from_chat',
    'chat_users_updated',
    () => ({ agent_ids: ['zoe'] }),
    async (scene) => (await userOf(scene, 'zoe'))?.present === false,
  ],
  [
    'supervise_chat',
    'chat_users_updated',
    () => ({ agent_ids: ['ben'] }),
    async (scene) => (await userOf(scene, 'ben'))?.type === 'supervisor',
  ],
  [
    'update_chat_scopes',
    'chat_scopes_updated',
    () => ({ add_scopes: { groups: [1] } }),
    async (scene) => (await chatOf(scene)).scopes?.groups?.includes(1) === true,
  ],
  [
    'update_chat_properties',
    'chat_properties_updated',
    () => ({ properties: { a: { b: 'c' } } }),
    async (scene) => (await chatOf(scene)).properties?.a?.b?.value === 'c',
  ],
  [
    'update_chat_thread_properties',
    'chat_thread_properties_updated',
    ({ thread_id }) => ({ thread_id, properties: { a: { b: 'c' } } }),
    async (scene) => (await threadOf(scene)).properties?.a?.b?.value === 'c',
  ],
  [
    'tag_thread',
    'thread_tagged',
    ({ thread_id }) => ({ thread_id, tag: 'late' }),
    async (scene) => (await threadOf(scene)).tags?.includes('late') === true,
  ],
  [
    'untag_thread',
    'thread_untagged',
    ({ thread_id }) => ({ thread_id, tag: 'early' }),
    async (scene) => (await threadOf(scene)).tags?.includes('early') !== true,
  ],
  [
    'mark_event_as_seen',
    'event_marked_as_seen',
    ({ event_id }) => ({ event_id }),
    async (scene) => (await userOf(scene, 'ann')).last_seen_timestamp !== undefined,
  ],
]

const prepared = async (world: World, [action, push, payload, isStored]: Action): Promise<Told> => {
  const scene = await openScene(world)
  const { license, ann, zoe, connection, chat_id } = scene
  return {
    license,
    zoe,
    push,
    marks: [chat_id, license.id, connection],
    ask: () => ann.call(action, { chat_id, ...payload(scene) }),
    isStored: () => isStored(scene),
  }
}

const startChat = async (world: World): Promise<Told> => {
  const { license, ann, zoe, connection } = await openScene(world)
  await zoe.received()
  return {
    license,
    zoe,
    push: 'incoming_chat_thread',
    marks: [license.id, connection],
    ask: () => ann.call('start_chat', { initial_events: [message('late')] }),
    isStored: async () => {
      const { chats_summary } = await zoe.ok('get_filtered_chats', {})
      return chats_summary.length === 2
    },
  }
}

/** A request of a customer, whose chat has an active thread where it is to be told of one. */
const ofCustomer =
  (
    action: string,
    push: string,
    payload: (chat: string) => object,
    isStored: (zoe: Client, chat: string) => Promise<boolean>,
  ) =>
  async (world: World): Promise<Told> => {
    const license = await world.license({ zoe: { permission: 'owner' } })
    const zoe = await license.login('zoe')
    const before = world.customers.connections()
    const visitor = await license.visit({ customer: { name: 'Carl' } })
    const connection = world.customers.connections().find((id) => !before.includes(id)) ?? ''
    const client: CustomerClient = visitor.client
    const { chat } = await client.ok('start_chat')
    if (action === 'start_chat') await client.ok('close_thread', { chat_id: chat.id })
    return {
      license,
      zoe,
      push,
      marks: [chat.id, license.id, connection],
      ask: () => client.call(action, payload(chat.id)),
      isStored: () => isStored(zoe, chat.id),
    }
  }

const banned = async (world: World): Promise<Told> => {
  const license = await world.license({ ann: {}, zoe: { permission: 'owner' } })
  const zoe = await license.login('zoe')
  const before = world.gateway.connections()
  const ann = await license.login('ann')
  const connection = world.gateway.connections().find((id) => !before.includes(id)) ?? ''
  const { client, id } = await license.visit({ customer: { name: 'Carl' } })
  const { chat } = await client.ok('start_chat')
  return {
    license,
    zoe,
    push: 'customer_banned',
    marks: [chat.id, license.id, connection],
    ask: () => ann.call('ban_customer', { customer_id: id, ban: { days: 3 } }),
    isStored: async () => {
      const { chat: found } = await zoe.ok('get_chat_threads', { chat_id: chat.id })
      return !found.threads[0].active
    },
  }
}

const loggedOut = async (world: World): Promise<Told> => {
  const { license, ann, zoe, connection } = await openScene(world)
  return {
    license,
    zoe,
    push: 'agent_updated offline',
    marks: [license.id, connection],
    ask: () => ann.call('logout', {}),
    isStored: async () => {
      const socket: any = await world.table.read.get(keys.socket(connection), { strong: true })
      return socket?.session?.ended !== undefined || socket === undefined
    },
  }
}

const botGone = async (world: World): Promise<Told> => {
  const license = await world.license({ robin: { bot: true }, zoe: { permission: 'owner' } })
  const zoe = await license.login('zoe')
  const before = world.gateway.connections()
  const robin = await license.login('robin')
  const connection = world.gateway.connections().find((id) => !before.includes(id)) ?? ''
  await robin.ok('update_agent', { routing_status: 'accepting_chats' })
  return {
    license,
    zoe,
    push: 'agent_updated offline',
    marks: [license.id, connection],
    ask: () => robin.call('update_agent', { routing_status: 'offline' }),
    isStored: async () => (await findAgent(world.table, license.id, 'robin'))?.online === false,
  }
}

const mended = async (world: World): Promise<Told> => {
  const license = await world.license({ ann: {}, zoe: { permission: 'owner' } })
  const zoe = await license.login('zoe')
  const before = world.gateway.connections()
  const ann = await license.login('ann')
  const connection = world.gateway.connections().find((id) => !before.includes(id)) ?? ''
  const { client, id } = await license.visit({ customer: { name: 'Carl' } })
  const { chat } = await client.ok('start_chat')
  return {
    license,
    zoe,
    push: 'customer_updated',
    marks: [chat.id, license.id, connection],
    ask: () => ann.call('update_customer', { customer_id: id, customer: { name: 'Carla' } }),
    isStored: async () => (await zoe.ok('get_customer', { customer_id: id })).customer.name === 'Carla',
  }
}

/** Each action that writes and tells of it, by name. */
export const toldActions: [name: string, prepare: (world: World) => Promise<Told>][] = [
  ...onChats.map((one): [string, (world: World) => Promise<Told>] => [
    one[0],
    (world) => prepared(world, one),
  ]),
  ['start_chat', startChat],
  ['ban_customer', banned],
  ['logout', loggedOut],
  ['update_agent of a bot that goes', botGone],
  ['update_customer by an agent', mended],
  [
    'customer send_event',
    ofCustomer(
      'send_event',
      'incoming_event',
      (chat_id) => ({ chat_id, event: message('late') }),
      async (zoe, chat_id) =>
        (await zoe.ok('get_chat_threads', { chat_id })).chat.threads[0].events.some(
          ({ text }: any) => text === 'late',
        ),
    ),
  ],
  [
    'customer start_chat',
    ofCustomer(
      'start_chat',
      'incoming_chat_thread',
      () => ({}),
      async (zoe, chat_id) =>
        (await zoe.ok('get_chat_threads', { chat_id })).chat.threads_summary.length === 2,
    ),
  ],
  [
    'update_customer',
    ofCustomer(
      'update_customer',
      'customer_updated',
      () => ({ customer: { name: 'Carla' } }),
      async (zoe, chat_id) => {
        const { chats_summary } = await zoe.ok('get_filtered_chats', {})
        return chats_summary
          .find(({ id }: any) => id === chat_id)
          .users.some(({ name }: any) => name === 'Carla')
      },
    ),
  ],
]

/** What of it is stored has been told; resolves to whether it is. */
export const expectTold = async ({ zoe, isStored, push }: Told, where: string): Promise<boolean> => {
  const told = [
    ...(await zoe.received()).map(({ action }) => action as string),
    ...zoe.presence.map(({ action, payload }) => `${action} ${payload.routing_status}`),
  ]
  const stored = await isStored()
  if (stored) expect(told, where).toContain(push)
  return stored
}
