import { expect, vi } from 'vitest'
import { changeAgent, deleteAgent } from '../../shared/provisioning/change-agent.ts'
import { deleteGroup } from '../../shared/provisioning/change-group.ts'
import type { AgentItem } from '../../shared/table/accounts.ts'
import { type ActiveChat } from '../../shared/table/chat/chats.ts'
import { readActiveChats } from '../../shared/table/chat/read-chats.ts'
import { keys } from '../../shared/table/keys.ts'
import { type Entry, readEntriesFrom } from '../../shared/table/chat/thread-log.ts'
import { type Random, seeded } from '../archives/seeded.ts'
import type { Client } from '../support/client.ts'
import { message } from '../support/events.ts'
import type { License, Visitor, World } from '../support/world.ts'
import { priorityFaultsOf } from './desks-priority.ts'
import { queueFaultsOf, type ToldPlace } from './desks-queue.ts'

// Desks at which agents and customers do whatever comes to their minds, and a model of protocol §7 that says
// at each quiet moment who may be left waiting. It goes by what was asked for and what logs say, never by how
// routing decides.

const minuteMs = 60_000

interface Agent {
  id: string
  groups: number[]
  limit: number
  accepts: boolean
  /** A live socket; a bot's while it is there by its status. */
  client: Client | undefined
  /** A bot's, and its socket. */
  priority?: AgentItem['priority']
  socket?: Client
  /** Its last socket went, and its time of grace is not over. */
  isAway: boolean
  isOut: boolean
}

interface Customer extends Visitor {
  chat: string | undefined
}

/** Up to which time (s), and of that second up to which order, an agent has seen a chat's thread. */
interface Mark {
  second: number
  thread: number
  order: number
}

interface Desk {
  name: string
  random: Random
  license: License
  unseenMinutes: number
  owner: Client
  agents: Agent[]
  customers: Customer[]
  groups: Set<number>
  /** By agent and chat: the thread that it left by itself. */
  left: Map<string, number>
  marks: Map<string, Mark>
  /** Since when an agent has a chat, as far as quiet moments show. */
  since: Map<string, number>
  waited: Set<string>
  /** By chat, what its customer was told last of its place. */
  told: Map<string, ToldPlace>
  /** By chat, the last entry of its log by which routing assigned it. */
  assigned: Map<string, string>
  /** The threads that chats were at, when it was quiet last. */
  threads: Map<string, number>
  history: string[]
}

export interface Walk {
  seed: number
  /** The number of the first, by which each goes its own way. */
  first?: number
  desks: number
  rounds: number
}

const here = (agent: string, chat: string): string => `${agent} ${chat}`
const isPresentAgent = ({ type, present }: ActiveChat['users'][number]) => type === 'agent' && present
const isPresentCustomer = ({ type, present }: ActiveChat['users'][number]) => type === 'customer' && present

const openDesk = async (world: World, name: string, random: Random): Promise<Desk> => {
  const agents = Array.from({ length: 2 + random.below(3) }, (_, n): Agent => ({
    id: `a${n}`,
    groups: [1, 2].filter(() => random.chance(0.4)),
    limit: 1 + random.below(3),
    ...{ accepts: true, client: undefined, isAway: false, isOut: false },
  }))
  const unseenMinutes = 1 + random.below(3)
  const priority = random.one(['first', 'normal', 'last'] as const)
  agents.push({
    ...{ id: 'bot', groups: [1, 2].filter(() => random.chance(0.7)), limit: 1 + random.below(2), priority },
    ...{ accepts: true, client: undefined, isAway: false, isOut: false },
  })
  const drafts = agents.map(
    ({ id, groups, limit, priority: of }) =>
      [id, { groups, max_chats: limit, ...(of && { bot: true, priority: of }) }] as const,
  )
  const owner = { permission: 'owner', default_status: 'not_accepting_chats' } as const
  const license = await world.license(
    { ...Object.fromEntries(drafts), owner },
    { groups: ['one', 'two'], settings: { unseen_minutes: unseenMinutes } },
  )
  const bot = agents.at(-1)
  if (bot !== undefined) bot.socket = await license.login(bot.id)
  return {
    ...{ name, random, license, unseenMinutes, agents, customers: [], groups: new Set([1, 2]) },
    ...{
      left: new Map(),
      marks: new Map(),
      since: new Map(),
      waited: new Set(),
      told: new Map(),
      assigned: new Map(),
      threads: new Map(),
      history: [],
    },
    owner: await license.login('owner'),
  }
}

/**
 * A step of a desk; it says what it did. What is refused is refused: a step may come too late for another.
 */
type Step = (world: World, desk: Desk) => Promise<string | undefined>

const attempt = async (client: Visitor['client'] | Client, action: string, payload: object): Promise<any> => {
  const answer = await client.call(action, payload)
  return answer.success ? (answer.payload ?? {}) : undefined
}

const someChat = async (
  { table }: World,
  { license, random }: Desk,
  fits: (chat: ActiveChat) => boolean = () => true,
): Promise<ActiveChat | undefined> => {
  const chats = (await readActiveChats(table.read, license.id)).filter(fits)
  return chats.length === 0 ? undefined : random.one(chats)
}

const online = ({ agents }: Desk) => agents.filter(({ client }) => client !== undefined)
const login: Step = async (_, desk) => {
  const { agents, random, license } = desk
  const off = agents.filter(({ client, isOut }) => client === undefined && !isOut)
  if (off.length === 0) return undefined
  const agent = random.one(off)
  if (agent.socket !== undefined) {
    agent.client = agent.socket
    agent.accepts = true
    await agent.socket.ok('update_agent', { routing_status: 'accepting_chats' })
    return `${agent.id} comes`
  }
  agent.client = await license.login(agent.id)
  // within its time of grace it is as it was
  if (!agent.isAway) agent.accepts = true
  agent.isAway = false
  return `${agent.id} logs in`
}
const dies: Step = async (_, desk) => {
  if (online(desk).length === 0) return undefined
  const agent = desk.random.one(online(desk))
  if (agent.socket !== undefined && desk.random.chance(0.5)) {
    await agent.client?.ok('update_agent', { routing_status: 'offline' })
    agent.client = undefined
    return `${agent.id} goes`
  }
  await agent.client?.close()
  if (agent.socket !== undefined) {
    agent.socket = agent.client = await desk.license.login(agent.id)
    return `${agent.id} loses its connection, and has another`
  }
  Object.assign(agent, { client: undefined, isAway: true })
  return `${agent.id} loses its connection`
}
const changesStatus: Step = async (_, desk) => {
  if (online(desk).length === 0) return undefined
  const agent = desk.random.one(online(desk))
  agent.accepts = !agent.accepts
  await agent.client?.ok('update_agent', {
    routing_status: agent.accepts ? 'accepting_chats' : 'not_accepting_chats',
  })
  return `${agent.id} ${agent.accepts ? 'accepts chats' : 'accepts none'}`
}
const arrives: Step = async (_, { customers, random, license }) => {
  const visitor: Customer = { ...(await license.visit()), chat: undefined }
  const groups = random.one([[], [], [1], [2], [1, 2], [9]])
  const events = random.chance(0.8) ? [message('hello')] : []
  const { chat } = await visitor.client.ok('start_chat', { chat: { scopes: { groups }, thread: { events } } })
  visitor.chat = chat.id
  customers.push(visitor)
  return `c${customers.length - 1} comes to ${JSON.stringify(groups)}${events.length > 0 ? '' : ' and says nothing'}`
}
const events = [
  message('hello?'),
  message('are you there?'),
  { type: 'custom', content: { a: 1 } },
  { type: 'filled_form', fields: [{ type: 'text', name: 'a', label: 'A', value: 'b' }] },
  { type: 'annotation', annotation_type: 'rating' },
]
const says: Step = async (_, { customers, random }) => {
  if (customers.length === 0) return undefined
  const { client, chat: chat_id } = random.one(customers)
  const event = random.one(events)
  await attempt(client, 'send_event', { chat_id, event })
  return `the customer of ${chat_id} sends ${event.type}`
}
const ends: Step = async (_, { customers, random }) => {
  if (customers.length === 0) return undefined
  const { client, chat: chat_id } = random.one(customers)
  await attempt(client, 'close_thread', { chat_id })
  return `the customer of ${chat_id} closes it`
}
/** An agent who is there, and a chat that it has. */
const atWork = async (world: World, desk: Desk) => {
  if (online(desk).length === 0) return undefined
  const agent = desk.random.one(online(desk))
  const chat = await someChat(world, desk, ({ users }) =>
    users.some((user) => user.id === agent.id && isPresentAgent(user)),
  )
  return chat && { agent, client: agent.client as Client, chat, chat_id: chat.id }
}
const answers: Step = async (world, desk) => {
  const found = await atWork(world, desk)
  if (found === undefined) return undefined
  const { agent, client, chat_id, chat } = found
  const recipients = desk.random.chance(0.3) ? 'agents' : 'all'
  const event = desk.random.chance(0.8)
    ? { ...message('yes?'), recipients }
    : { type: 'annotation', annotation_type: 'note', recipients }
  const sent = await attempt(client, 'send_event', { chat_id, event })
  if (sent !== undefined) sees(desk, agent.id, chat, sent.event)
  return `${agent.id} sends ${event.type} to ${recipients} in ${chat_id}`
}
const sees = (
  { marks }: Desk,
  agent: string,
  { id, thread }: ActiveChat,
  { timestamp: second, order }: { timestamp: number; order: number },
): void => {
  const before = marks.get(here(agent, id)) ?? { second: 0, thread: 0, order: 0 }
  const isLater =
    second > before.second ||
    (second === before.second &&
      (thread > before.thread || (thread === before.thread && order > before.order)))
  if (isLater) marks.set(here(agent, id), { second, thread, order })
}
const looks: Step = async (world, desk) => {
  const found = await atWork(world, desk)
  if (found === undefined) return undefined
  const { agent, client, chat, chat_id } = found
  const entries = await readEntriesFrom(world.table.read, chat_id, { n: chat.thread, m: 1 }, 1000)
  if (entries.length === 0) return undefined
  const { m, at } = desk.random.one(entries)
  const event_id = `${chat_id}_${chat.thread}_${m}`
  if ((await attempt(client, 'mark_event_as_seen', { chat_id, event_id })) !== undefined)
    sees(desk, agent.id, chat, { timestamp: Math.floor(at / 1000), order: m })
  return `${agent.id} has seen ${event_id}`
}
const leavesChat: Step = async (world, desk) => {
  const found = await atWork(world, desk)
  if (found === undefined) return undefined
  const { agent, client, chat, chat_id } = found
  if ((await attempt(client, 'remove_from_chat', { chat_id })) !== undefined)
    desk.left.set(here(agent.id, chat_id), chat.thread)
  return `${agent.id} leaves ${chat_id}`
}
const transfers: Step = async (world, desk) => {
  const found = await atWork(world, desk)
  if (found === undefined) return undefined
  const { agent, client, chat, chat_id } = found
  const { random, agents, groups } = desk
  const other = random.one(agents.filter((one) => one !== agent))
  const target = random.one([
    undefined,
    { type: 'agent', ids: [other.id] },
    ...[...groups].map((group) => ({ type: 'group', ids: [group] })),
  ])
  const ignore_agents_availability = random.chance(0.5)
  const payload = { chat_id, target, ignore_agents_availability }
  const done = await attempt(client, 'transfer_chat', payload)
  if (done !== undefined) {
    desk.left.set(here(agent.id, chat_id), chat.thread)
    // by name one gets it that has left it
    if (target?.type === 'agent') desk.left.delete(here(other.id, chat_id))
  }
  return `${agent.id} transfers ${JSON.stringify(payload)}: ${done === undefined ? 'refused' : 'done'}`
}
const joins: Step = async (world, desk) => {
  const chat = await someChat(world, desk)
  if (online(desk).length === 0 || chat === undefined) return undefined
  const agent = desk.random.one(online(desk))
  const joined = await attempt(agent.client as Client, 'join_chat', {
    chat_id: chat.id,
    agent_ids: [agent.id],
  })
  if (joined !== undefined) desk.left.delete(here(agent.id, chat.id))
  return `${agent.id} joins ${chat.id}`
}
const takesOut: Step = async (world, { owner, ...desk }) => {
  const chat = await someChat(world, { owner, ...desk }, ({ users }) => users.some(isPresentAgent))
  if (chat === undefined) return undefined
  const { id } = desk.random.one(chat.users.filter(isPresentAgent))
  await attempt(owner, 'remove_from_chat', { chat_id: chat.id, agent_ids: [id] })
  // it may be given the chat again, and has it anew then
  desk.since.delete(here(id, chat.id))
  return `${id} is taken out of ${chat.id}`
}
const sendsCustomerAway: Step = async (world, desk) => {
  const chat = await someChat(world, desk, ({ users }) => users.some(isPresentCustomer))
  if (chat === undefined) return undefined
  const { id } = desk.random.one(chat.users.filter(isPresentCustomer))
  await attempt(desk.owner, 'remove_from_chat', { chat_id: chat.id, customer_ids: [id] })
  return `the customer of ${chat.id} is taken out of it`
}
const closes: Step = async (world, desk) => {
  const chat = await someChat(world, desk)
  if (chat === undefined) return undefined
  await attempt(desk.owner, 'close_thread', { chat_id: chat.id })
  return `${chat.id} is closed`
}
const talksToAgents: Step = async (_, desk) => {
  if (online(desk).length === 0) return undefined
  const agent = desk.random.one(online(desk))
  await agent.client?.ok('start_chat')
  return `${agent.id} starts a chat of its own`
}
const deletesGroup: Step = async ({ table }, { groups, random, license }) => {
  if (groups.size === 0) return undefined
  const group = random.one([...groups])
  groups.delete(group)
  const into = random.chance(0.5) ? [...groups][0] : undefined
  await deleteGroup(table, license.id, group, { evenWithAgents: true, into })
  return `group ${group} is deleted${into === undefined ? '' : ` into ${into}`}`
}
const goesForGood: Step = async ({ table }, { agents, random, license }) => {
  const left = agents.filter(({ isOut }) => !isOut)
  if (left.length < 2) return undefined
  const agent = random.one(left)
  Object.assign(agent, { isOut: true, client: undefined, isAway: false })
  if (random.chance(0.5)) await deleteAgent(table, license.id, agent.id)
  else await changeAgent(table, license.id, agent.id, { suspended: true })
  return `${agent.id} is suspended or deleted`
}

/** What happens, and how often beside the others. */
const steps: [number, Step][] = [
  [6, login],
  [3, dies],
  [3, changesStatus],
  [7, arrives],
  [8, says],
  [2, ends],
  [6, answers],
  [4, looks],
  [3, leavesChat],
  [3, transfers],
  [2, joins],
  [1, takesOut],
  [1, sendsCustomerAway],
  [3, closes],
  [1, talksToAgents],
  [0.4, deletesGroup],
  [0.4, goesForGood],
]
const total = steps.reduce((sum, [weight]) => sum + weight, 0)

const takeStep = async (world: World, desk: Desk): Promise<void> => {
  let at = (desk.random.below(1000) / 1000) * total
  const [, step] = steps.find(([weight]) => (at -= weight) < 0) ?? [0, says]
  const done = await step(world, desk)
  if (done !== undefined) desk.history.push(done)
}

/** What the model says is wrong with a desk, at a quiet moment. */
const faultsOf = async (
  world: World,
  desk: Desk,
  nowMs: number,
  isAfterClock: boolean,
): Promise<string[]> => {
  const faults: string[] = []
  const active = await readActiveChats(world.table.read, desk.license.id)
  const customers = active.filter(({ users }) => users.some(isPresentCustomer))
  const loadOf = (id: string) =>
    customers.filter(({ users }) => users.some((user) => user.id === id && isPresentAgent(user))).length
  const isFree = (
    { id, groups, limit, accepts, client, isOut }: Agent,
    { id: chat, scopes, thread }: ActiveChat,
  ) => {
    const sees =
      scopes.groups.length + scopes.agents.length === 0 ||
      scopes.agents.includes(id) ||
      scopes.groups.some((group) => desk.groups.has(group) && groups.includes(group))
    return (
      client !== undefined &&
      !isOut &&
      accepts &&
      sees &&
      desk.left.get(here(id, chat)) !== thread &&
      loadOf(id) < limit
    )
  }
  for (const chat of customers) {
    const { id, users, scopes } = chat
    const mine = desk.agents.filter((agent) =>
      users.some((user) => user.id === agent.id && isPresentAgent(user)),
    )
    const entries = await readEntriesFrom(world.table.read, id, { n: chat.thread, m: 1 }, 1000)
    // that it is idle says nothing of who has it
    const lastRouting = entries.findLast(({ event: { system_message_type: type } }) =>
      ['routing.assigned', 'routing.unassigned'].includes(type ?? ''),
    )
    const said = entries.filter(isPublicSaying)
    const customer = users.find(isPresentCustomer)?.id
    const asked = said.slice(said.findLastIndex(({ event }) => event.author_id !== customer) + 1)
    for (const agent of mine)
      if (desk.left.get(here(agent.id, id)) === chat.thread)
        faults.push(`${id} is given to ${agent.id}, who left it`)
    const begins = desk.threads.get(id) !== chat.thread
    desk.threads.set(id, chat.thread)
    const isForNobody = !mine.some(({ accepts, client, isOut }) => accepts && client !== undefined && !isOut)
    if (begins && lastRouting === undefined && isForNobody)
      faults.push(`${id} begins with nobody who accepts it`)
    const [given] = mine.length === 1 ? mine : []
    if (given !== undefined) {
      const isStaying = isAfterClock || desk.since.has(here(given.id, id)) || isAboutGroup(desk)
      const free = isStaying ? [] : desk.agents.filter((agent) => agent !== given && isFree(agent, chat))
      faults.push(...priorityFaultsOf(chat, given, free, { entry: lastRouting, known: desk.assigned }))
    }
    const isAwaited = asked.length > 0 || said.length === 0
    if (scopes.groups.some((group) => !desk.groups.has(group)))
      faults.push(`${id} names a group that is deleted`)

    if (chat.waiting_since !== undefined) {
      const free = desk.agents.filter((agent) => !mine.includes(agent) && isFree(agent, chat))
      if (free.length > 0) faults.push(`${id} waits while ${free.map((agent) => agent.id).join()} is free`)
      const isHandedOn = lastRouting?.event.text?.includes('because') === true
      const back = mine.filter(({ client, accepts, isOut }) => client !== undefined && accepts && !isOut)
      if (back.length > 0 && !isHandedOn)
        faults.push(`${id} waits while its own ${back.map((agent) => agent.id).join()} is back`)
      desk.waited.add(id)
      continue
    }
    const there = mine.filter(({ client, isAway, isOut }) => (client !== undefined || isAway) && !isOut)
    if (users.filter(isPresentAgent).length === 0) faults.push(`${id} has no agent and does not wait`)
    else if (there.length === 0 && isAwaited) faults.push(`${id} waits for an answer of agents who are gone`)

    const didWait = desk.waited.delete(id)
    for (const { id: agent } of mine)
      if (didWait || !desk.since.has(here(agent, id))) desk.since.set(here(agent, id), nowMs)
    for (const { id: agent } of desk.agents)
      if (!mine.some((one) => one.id === agent)) desk.since.delete(here(agent, id))
    const isSeen = ({ at, n, m }: Entry) =>
      there.some((agent) => {
        const mark = desk.marks.get(here(agent.id, id))
        const second = Math.floor(at / 1000)
        return (
          mark !== undefined &&
          (mark.second > second ||
            (mark.second === second && (mark.thread > n || (mark.thread === n && mark.order >= m))))
        )
      })
    const oldest = asked.find((entry) => !isSeen(entry))
    if (isAfterClock && oldest !== undefined && mine.length > 0) {
      const had = Math.min(...mine.map((agent) => desk.since.get(here(agent.id, id)) ?? nowMs))
      const waitedMs = nowMs - Math.max(oldest.at, had)
      if (waitedMs >= desk.unseenMinutes * minuteMs)
        faults.push(`${id} has asked ${oldest.m} in vain for ${waitedMs} ms`)
    }
  }
  return faults
}

/** Chats follow a deleted group one after the other, while routing goes on. */
const isAboutGroup = ({ history }: Desk): boolean => history.at(-1)?.startsWith('group') === true

const isPublicSaying = ({ event: { type, recipients } }: Entry): boolean =>
  recipients !== 'agents' && ['message', 'filled_form', 'custom'].includes(type)

/** Desks side by side, so many rounds; fails with what one of them did where the model finds a fault. */
export const walkDesks = async (
  world: World,
  { seed, first = 0, desks: count, rounds }: Walk,
): Promise<void> => {
  let nowMs = Math.ceil(Date.now() / 1000) * 1000
  const turn = (ms: number) => {
    nowMs += ms
    vi.useFakeTimers({ toFake: ['Date'], now: nowMs })
  }
  turn(0)
  const desks = await Promise.all(
    Array.from({ length: count }, (_, n) =>
      openDesk(world, `${first + n}`, seeded(seed * 10_000 + first + n)),
    ),
  )
  for (let round = 1; round <= rounds; round += 1) {
    await Promise.all(desks.map((desk) => takeStep(world, desk)))
    await world.settled()
    const isAfterClock = round % 3 === 0
    if (isAfterClock) {
      turn(20_000 + seeded(seed + round).below(60_000))
      // the time of grace of all who have gone is over
      await world.queue.flush()
      for (const { agents } of desks) for (const agent of agents) agent.isAway = false
      await world.settled()
      await world.tick(nowMs)
      await world.settled()
      for (const { history } of desks) history.push(`the clock: ${new Date(nowMs).toISOString()}`)
    } else turn(1000)
    for (const desk of desks) {
      const faults = await faultsOf(world, desk, nowMs, isAfterClock)
      const told = [`DESKS_SEED=${seed}, desk ${desk.name}, round ${round}`, ...desk.history].join('\n')
      expect(faults, faults.length > 0 ? told : '').toEqual([])
    }
    if (!isAfterClock) continue
    // ten seconds later all know their places
    turn(10_000)
    while (world.queue.pending() > 0) await world.queue.flush()
    await world.settled()
    for (const desk of desks) {
      const faults = await queueFaultsOf(world, desk)
      const told = [`DESKS_SEED=${seed}, desk ${desk.name}, round ${round}`, ...desk.history].join('\n')
      expect(faults, faults.length > 0 ? told : '').toEqual([])
    }
  }
  for (const desk of desks) {
    for (const { client } of [...desk.customers, ...desk.agents]) await client?.close()
    for (const { socket } of desk.agents) await socket?.close()
    await desk.owner.close()
    // each run of the clock goes through all that are listed
    await world.table.write.write({ Delete: { Key: keys.licenseListed(desk.license.id) } })
  }
  await world.settled()
}
