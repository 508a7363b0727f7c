import type { VisibleChat, Viewer } from '../../shared/access/permissions.ts'
import { type Chat, readChat } from '../../shared/table/chat/chats.ts'
import { type ChatUser } from '../../shared/table/chat/chat-users.ts'
import { chatPk, chatsPk, keys, licensePk, type Key } from '../../shared/table/keys.ts'
import { eventId, threadId } from '../../shared/table/ids.ts'
import type { Attributes } from '../../shared/table/ops.ts'
import type { Client, Pushed } from '../support/client.ts'
import { addCustomer, startCustomerChat } from '../support/customers.ts'
import type { AgentDraft, License, World } from '../support/world.ts'
import { guestOf, deviceOf, type Kind, people, type Person, type Place } from './matrix.ts'

// The people of `matrix.ts` on the wire, and chats as it speaks of them.

const permissionsAndGroups: Partial<Record<Person, AgentDraft>> = {
  owner: { permission: 'owner' },
  administrator: { permission: 'administrator' },
  grouped: { groups: [1] },
  outsider: { groups: [2] },
}
const everyone = ['host', ...people, 'stranger'] as const
const customerOf = (person: string) => `customer-of-${person}`
const bannedCustomerOf = (person: string) => `banned-customer-of-${person}`
const scopesOf = { hidden: { groups: [1], agents: ['named'] }, open: {} }

/** A person as its session knows it. */
export const viewerOf = (person: Person): Viewer => {
  const { permission = 'normal', groups = [] } = permissionsAndGroups[person] ?? {}
  return { agent_id: person, permission, groups, token_scopes: undefined }
}

const present = (id: string): ChatUser => ({ id, type: 'agent', present: true, met: true })
const usersOf = (guests: readonly string[]): ChatUser[] => [
  ...['host', 'member', ...guests].map(present),
  { id: 'supervisor', type: 'supervisor', present: true },
  { ...present('former'), present: false },
]
/** A chat as `start` makes it. */
export const seenChat = (kind: Kind): VisibleChat => ({
  users: usersOf([]),
  scopes: { groups: [], agents: [], ...scopesOf[kind] },
})

export interface Scene {
  license: License
  /** Of another license, which has an agent `stranger`, its owner, and a group 3. */
  strangers: License
  clients: Record<Person | 'host' | 'stranger', Client>
  /** A chat with everyone in its place, of this customer or of one of its own; resolves to its id. */
  start(
    kind: Kind,
    options?: { closed?: boolean; guestsIn?: boolean; customer?: string | undefined },
  ): Promise<string>
  /** What a request of this one can name, as it is now. */
  place(me: string, chat: string): Promise<Place>
  /** The same of another, in the chat and at the moment of a place that is known. */
  placeAs(me: string, place: Place): Place
  /**
   * Undoes what an action did to a chat that `start` gave, as far as it keeps others from doing it too;
   * resolves to whether there was anything to undo.
   */
  restore(chat: string, options: { closed: boolean }): Promise<boolean>
  /** All that is stored of a chat, and of its customer. */
  storedOfChat(chat: string): Promise<unknown>
  /**
   * What is stored of the license: itself, its agents and their devices, its customers, and which chats it
   * has.
   */
  storedOfLicense(): Promise<unknown>
  /**
   * All that was pushed to a client up to now, presence last, and forgets it. What a slow machine kept from
   * getting through in time is waited for, and what came twice for that counts once.
   */
  told(client: Client): Promise<Pushed[]>
  /** The names of it. */
  heard(client: Client): Promise<string[]>
  /** Everyone of both licenses forgets what was received up to now. */
  forget(): Promise<void>
  /** Fails where anyone of either license has received anything. */
  silence(): Promise<void>
  /**
   * Lets the time pass after which jobs of the delay queue are due: what a login may have missed, who went
   * offline.
   */
  timePasses(): Promise<void>
}

const otherStatus = (agents: readonly Attributes[], id: string) =>
  agents.find((agent) => agent['id'] === id)?.['routing_status'] === 'accepting_chats'
    ? 'not_accepting_chats'
    : 'accepting_chats'

const byKey = (a: Attributes, b: Attributes) =>
  `${String(a['pk'])} ${String(a['sk'])}` < `${String(b['pk'])} ${String(b['sk'])}` ? -1 : 1

/**
 * Makes the licenses and logs in whom a test is about: everyone, unless it says so. Each more is one more to
 * push to.
 */
export const setScene = async (world: World, who: readonly Person[] = people): Promise<Scene> => {
  const { read } = world.table
  const guests = Object.fromEntries(people.map((person) => [guestOf(person), {}]))
  const agents = Object.fromEntries(people.map((person) => [person, permissionsAndGroups[person] ?? {}]))
  const license = await world.license({ host: {}, ...agents, ...guests }, { groups: ['Sales', 'Support'] })
  const strangers = await world.license(
    { stranger: { permission: 'owner' } },
    { groups: ['Sales', 'Support', 'Abroad'] },
  )
  const until = Math.floor(Date.now() / 1000) + 9 * 24 * 3600
  const customers = everyone.flatMap((person) => [customerOf(person), bannedCustomerOf(person)])
  const ban = { days: 9, until, by: 'host' }
  const clients = {} as Scene['clients']
  await Promise.all(
    everyone.map(async (person) => {
      await addCustomer(world, license.id, customerOf(person))
      await addCustomer(world, license.id, bannedCustomerOf(person), { ban })
      if (person !== 'host' && person !== 'stranger' && !who.includes(person)) return
      clients[person] = await (person === 'stranger' ? strangers : license).login(person)
    }),
  )
  await clients.host.ok('change_push_notifications', { ...deviceOf('host'), enabled: true })
  const timePasses = async () => {
    await world.settled()
    await world.queue.flush()
    await world.settled()
  }
  // before there are any chats: else they might be pushed once more to who has just logged in
  await timePasses()
  const { host } = clients

  const chatAsStored = async (id: string) => {
    const chat = await readChat(read, id)
    if (chat === undefined) throw new Error(`There is no chat ${id}`)
    return chat
  }
  const visitorOf = ({ users }: Pick<Chat, 'users'>) =>
    users.find(({ type }) => type === 'customer')?.id ?? ''
  const items = async (wanted: Key[]) => (await read.batchGet(wanted, { strong: true })).toSorted(byKey)
  const told: Scene['told'] = async (client) => {
    while (world.queue.pending() > 0) await timePasses()
    const pushes = [...(await client.received()), ...client.accounts.splice(0), ...client.presence.splice(0)]
    return [...new Map(pushes.map((push) => [JSON.stringify(push), push])).values()]
  }
  const heard: Scene['heard'] = async (client) => (await told(client)).map(({ action }) => action)
  let visitors = 0
  const named = (me: string) => ({
    ...{ me, guest: guestOf(me), customer: customerOf(me), bannedCustomer: bannedCustomerOf(me) },
  })

  return {
    license,
    strangers,
    clients,
    start: async (kind, { closed = false, guestsIn = false, customer } = {}) => {
      const users = usersOf(guestsIn ? people.map(guestOf) : [])
      const visitor = customer ?? `visitor-${(visitors += 1)}`
      if (customer === undefined) await addCustomer(world, license.id, visitor)
      const tags = people.map((person) => `for ${person}`)
      const given = { users, tags, scopes: scopesOf[kind] }
      const chat_id = await startCustomerChat(world, license.id, visitor, given)
      if (closed) await host.ok('close_thread', { chat_id })
      return chat_id
    },
    place: async (me, id) => {
      const [chat, agents] = await Promise.all([
        chatAsStored(id),
        items([keys.agent(license.id, me), keys.agent(license.id, 'host')]),
      ])
      return {
        chat_id: id,
        thread_id: threadId(id, chat.thread),
        event_id: eventId(id, chat.thread, 1),
        visitor: visitorOf(chat),
        ...named(me),
        otherStatus: { me: otherStatus(agents, me), host: otherStatus(agents, 'host') },
      }
    },
    placeAs: (me, place) => ({ ...place, ...named(me) }),
    restore: async (chat_id, { closed }) => {
      const { active, scopes } = await chatAsStored(chat_id)
      const added = scopes.agents.filter((id) => id !== 'named')
      if (added.length > 0) await host.ok('update_chat_scopes', { chat_id, remove_scopes: { agents: added } })
      if (active && closed) await host.ok('close_thread', { chat_id })
      if (!active && !closed)
        await host.ok('send_event', { chat_id, event: { type: 'message', text: 'again' } })
      return added.length > 0 || active === closed
    },
    storedOfChat: async (chat) => {
      const visitor = visitorOf(await chatAsStored(chat))
      return Promise.all([
        read.query({ pk: chatPk(chat), strong: true }),
        items([
          ...[keys.activeChat(license.id, chat), keys.chatListed(license.id, chat)],
          keys.customer(license.id, visitor),
        ]),
      ])
    },
    storedOfLicense: () =>
      Promise.all([
        read.query({ pk: licensePk(license.id), strong: true }),
        read.query({ pk: chatsPk(license.id), strong: true }),
        items(customers.map((customer) => keys.customer(license.id, customer))),
      ]),
    told,
    heard,
    forget: async () => {
      await Promise.all(Object.values(clients).map(heard))
    },
    silence: async () => {
      const each = Object.entries(clients).map(async ([person, client]) => [person, await heard(client)])
      const unquiet = (await Promise.all(each)).filter(([, names]) => names?.length !== 0)
      if (unquiet.length > 0) throw new Error(`Expected silence, but heard was ${JSON.stringify(unquiet)}`)
    },
    timePasses,
  }
}
