import { placesOf } from '../../shared/access/audience-lists.ts'
import { families, isOf } from '../../shared/table/families.ts'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { keys } from '../../shared/table/keys.ts'
import type { Attributes, Op } from '../../shared/table/ops.ts'
import { maxAgeS, rowKeys, type Session } from '../../shared/table/sockets.ts'
import type { Call } from '../support/engine-proxy.ts'
import { message } from './office.ts'
import { type Stand, startStand } from './stand.ts'

// What requests of a license read and write by partition, as more and more of its agents are connected.

/** What one partition takes in a second. */
export const partitionLimits = { rru: 3000, wru: 1000 }

const sizes = [10, 100, 1000, 10_000]
const groupOfOthers = 2

/** What one request takes. */
interface Taken {
  rru: number
  wru: number
  /** Of the partition that requests of the license share and that bears it the fewest times a second. */
  hottest: { family: string; rru: number; wru: number; perSecond: number } | undefined
}

export interface Scale {
  /** So many agents are connected, and each has an active chat with a customer. */
  connected: number
  requests: Record<string, Taken>
}

/** The partitions of a call, each as often as it is named. */
const partitionsOf = ({ request }: Pick<Call, 'request'>): string[] => {
  const { Key, Item, ExpressionAttributeValues: values, RequestItems, TransactItems } = request as any
  const pk = (item: any): string => item.pk.S
  if (Key ?? Item) return [pk(Key ?? Item)]
  if (RequestItems)
    return Object.values(RequestItems as Record<string, any>).flatMap((of) =>
      (of.Keys ?? of).map((one: any) => pk(one.PutRequest?.Item ?? one.DeleteRequest?.Key ?? one)),
    )
  if (TransactItems)
    return (TransactItems as any[]).map((one) => {
      const [op]: any[] = Object.values(one)
      return pk(op.Item ?? op.Key)
    })
  return [String(Object.values((values ?? {}) as Record<string, any>)[0]?.S)]
}

// each has a partition of its own for each chat, customer or connection: they share nothing
const ownFamilies = new Set(['chat', 'customer', 'customerSockets', 'socket', 'count', 'identity', 'device'])

const familyOf = (pk: string): string =>
  Object.entries(families).find(([, pattern]) => isOf(pattern, pk))?.[0] ?? pk

/** What calls take, in all and of the hottest partition that the license shares. */
const takenBy = (calls: readonly Call[]): Taken => {
  const shared = new Map<string, { rru: number; wru: number }>()
  for (const call of calls) {
    const named = partitionsOf(call)
    for (const pk of named) {
      if (ownFamilies.has(familyOf(pk))) continue
      const { rru, wru } = shared.get(pk) ?? { rru: 0, wru: 0 }
      // of a call on several it is not told what each takes: items are of about one size
      shared.set(pk, { rru: rru + call.rru / named.length, wru: wru + call.wru / named.length })
    }
  }
  const [hottest] = [...shared]
    .map(([pk, { rru, wru }]) => {
      const perSecond = Math.min(partitionLimits.rru / rru, partitionLimits.wru / wru)
      return { family: familyOf(pk), rru, wru, perSecond: Math.floor(perSecond) }
    })
    .toSorted((one, other) => one.perSecond - other.perSecond)
  const sum = (unit: 'rru' | 'wru') => calls.reduce((total, call) => total + call[unit], 0)
  return { rru: sum('rru'), wru: sum('wru'), hottest }
}

/** Agents who are connected, in a group of their own and at work, as logins and routing have written them. */
const fill = async (stand: Stand, license: string, count: number): Promise<void> => {
  const nowS = Math.floor(Date.now() / 1000)
  const template = await stand.table.read.get(keys.agent(license, 'ann'))
  const itemsOf = (n: number): Attributes[] => {
    const agent_id = `other-${n}`
    const session: Session = {
      ...{ license_id: license, agent_id, name: `Agent ${n}`, permission: 'normal', groups: [groupOfOthers] },
      ...{ token_expires_at: nowS + 86_400, license_expires_at: nowS + 86_400 },
    }
    const { name, ...row } = { ...session, places: placesOf(session) }
    const connection = `connection-${n}=`
    const users = [
      { id: crypto.randomUUID(), type: 'customer', present: true, met: true },
      { id: agent_id, type: 'agent', present: true, met: true, since: nowS * 1000 },
    ]
    const chat = crypto.randomUUID().replaceAll('-', '').slice(0, 21)
    return [
      ...rowKeys(row, connection).map((key) => ({ ...key, ...row, connection, ttl: nowS + maxAgeS })),
      {
        ...template,
        ...keys.agent(license, agent_id),
        id: agent_id,
        name,
        groups: [groupOfOthers],
        online: true,
      },
      { ...keys.load(license, agent_id), agent: agent_id, active: 1, assigned_at: nowS * 1000 },
      {
        ...keys.activeChat(license, chat),
        ...{ id: chat, users, scopes: { groups: [groupOfOthers], agents: [] }, thread: 1 },
        ...{ started_at: nowS * 1000, check_at: nowS * 1000 + 86_400_000 },
      },
    ]
  }
  for (let from = 0; from < count; from += 250) {
    const numbers = Array.from({ length: Math.min(250, count - from) }, (_, i) => from + i)
    await stand.table.write.batch(numbers.flatMap(itemsOf).map((Item): Op => ({ Put: { Item } as never })))
  }
}

const measure = async (stand: Stand, connected: number): Promise<Scale> => {
  const license = `scale-${connected}`
  await stand.addLicense(license, ['ann', 'ben', 'cyd'], { max_chats: 1000 })
  const [ann, ben] = [await stand.login(license, 'ann'), await stand.login(license, 'ben')]
  await ben.ask('update_agent', { routing_status: 'not_accepting_chats' })
  await changeAgent(stand.table, license, 'ann', { groups: [1] })
  const cyd = await stand.login(license, 'cyd')
  await cyd.ask('update_agent', { routing_status: 'not_accepting_chats' })
  await fill(stand, license, connected)
  const carl = await stand.arrive(license)
  await carl.ask('login')
  const scopes = { agents: ['ann', 'ben'] }
  const own: string = (await ann.ask('start_chat', { chat: { scopes } })).payload.chat.id
  await ann.ask('join_chat', { chat_id: own, agent_ids: ['ben'] })
  const requests: Record<string, Taken> = {}
  const take = async (name: string, request: () => Promise<unknown>): Promise<void> => {
    await stand.settled()
    await stand.queue.flush()
    const { calls } = await stand.proxy.record(async () => {
      await request()
      await stand.queue.flush()
    })
    requests[name] = takenBy(calls)
  }
  const event = message
  for (let turn = 0; turn < 3; turn += 1) {
    await stand.settled()
    await stand.queue.flush()
  }
  await take('send_event', () => ann.ask('send_event', { chat_id: own, event }))
  await take('send_typing_indicator', () =>
    ann.ask('send_typing_indicator', { chat_id: own, is_typing: true }),
  )
  await take('mark_event_as_seen', () =>
    ben.ask('mark_event_as_seen', { chat_id: own, event_id: `${own}_1_1` }),
  )
  let customers = ''
  await take('customer: start_chat, given to an agent', async () => {
    customers = (await carl.ask('start_chat', { chat: { scopes: { groups: [1] } } })).payload.chat.id
  })
  await take('customer: send_event', () => carl.ask('send_event', { chat_id: customers, event }))
  await take('close_thread, and routing after it', () => carl.ask('close_thread', { chat_id: customers }))
  // on another device: a first one is told to everybody
  await take('login', async () => {
    const again = await stand.login(license, 'cyd')
    await again.close()
  })
  await take('sync', async () => {
    const { payload } = await ann.ask('ping', { cursor: true })
    await ann.ask('sync', { cursor: payload.cursor })
  })
  await take('get_filtered_chats', () => ann.ask('get_filtered_chats', {}))
  await Promise.all([ann, ben, cyd, carl].map((socket) => socket.close()))
  return { connected, requests }
}

export const measureScale = async (dist: string): Promise<Scale[]> => {
  const stand = await startStand({ dist }, { counted: true })
  const figures: Scale[] = []
  for (const connected of sizes) figures.push(await measure(stand, connected))
  await stand.end()
  return figures
}
