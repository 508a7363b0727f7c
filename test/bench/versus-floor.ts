import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { type Gateway, type Route, startGateway } from '../../infra/local/gateway/gateway.ts'
import type { PostFault } from '../../infra/local/gateway/settings.ts'
import { keys } from '../../shared/table/keys.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import { rowKeys } from '../../shared/table/sockets.ts'
import { message } from './office.ts'
import { Socket } from './socket.ts'
import { type Stand, startStand } from './stand.ts'
import { median, rounded } from './statistics.ts'

// A message against the least that a message can take: both by turns in one loop, so that noise hits both.

/** What a call takes in the cloud, which a machine that does everything by itself does not show. */
export const cloudMs = { table: 5, post: 20 }

/** One message of ours and one of the floor. Milliseconds; `ratio`: the median of each turn's. */
interface Compared {
  sockets: number
  ours: number
  floor: number
  ratio: number
}

export interface FanOut {
  sockets: number
  /** From sending the request to the last receipt, and between the first post and the last. */
  lastReceipt: Compared
  posting: Compared
  /** From sending the request to its answer. */
  answer: Compared
  /** Pushes of ours that had not come after twenty seconds. */
  missed: number
}

interface Floor {
  gateway: Gateway
  listeners: string[]
}

const startFloor = async (dist: string): Promise<Floor> => {
  const loaded = Promise.withResolvers<Route['handler']>()
  const handler: Route['handler'] = async (event, context) => (await loaded.promise)(event, context)
  const routes = new Map<string, Route>([['send_event', { twoWay: true, handler }]])
  const gateway = await startGateway({ apiId: 'floor', stage: 'v1', port: 0, routes })
  process.env['FLOOR_CALLBACK_URL'] = gateway.callbackUrl
  const floor = await import(pathToFileURL(join(dist, 'floor', 'index.mjs')).href)
  loaded.resolve(floor.handler)
  return { gateway, listeners: floor.listeners }
}

/** One side: a gateway, the sockets that hear of a message, and the message. */
interface Side {
  gateway: Gateway
  sockets: Socket[]
  chat_id: string
}

interface Heard {
  answer: number
  lastReceipt: number
  posting: number
  /** Sockets that have not heard of it in time: the last receipt is then the end of that. */
  missed: number
}

const patienceMs = 20_000

/** Sends a message and waits until every socket has it. */
const send = async ({ gateway, sockets, chat_id }: Side, fault?: PostFault): Promise<Heard> => {
  const posted: number[] = []
  const post = () => {
    posted.push(performance.now())
    return fault
  }
  gateway.setFaults({ post })
  const text = `${message.text} ${randomUUID()}`
  const heard = new Set<Socket>()
  let lastAt = 0
  const all = Promise.withResolvers<void>()
  for (const socket of sockets)
    socket.onPush = (frame) => {
      // of an earlier one there may be a late repeat
      if (heard.has(socket) || !frame.includes(text)) return
      heard.add(socket)
      lastAt = performance.now()
      if (heard.size === sockets.length) all.resolve()
    }
  const late = new AbortController()
  const startedAt = performance.now()
  const [{ ms }] = await Promise.all([
    sockets[0]!.ask('send_event', { chat_id, event: { ...message, text } }),
    Promise.race([all.promise, wait(patienceMs, undefined, late).catch(() => {})]),
  ])
  late.abort()
  return {
    answer: ms,
    lastReceipt: heard.size === sockets.length ? lastAt - startedAt : patienceMs,
    missed: sockets.length - heard.size,
    posting: posted.reduce((latest, at) => Math.max(latest, at), 0) - posted[0]!,
  }
}

const compared = (sockets: number, turns: readonly (readonly [number, number])[]): Compared => ({
  sockets,
  ours: rounded(median(turns.map(([ours]) => ours))),
  floor: rounded(median(turns.map(([, floor]) => floor))),
  ratio: rounded(median(turns.map(([ours, floor]) => ours / floor))),
})

const compare = async (
  [ours, floor]: readonly [Side, Side],
  turns: { warm: number; measured: number },
  fault?: PostFault,
): Promise<FanOut> => {
  const heard: [Heard, Heard][] = []
  for (let turn = 0; turn < turns.warm + turns.measured; turn += 1) {
    // by turns which of them comes first
    const [first, second] = turn % 2 === 0 ? [ours, floor] : [floor, ours]
    const both = [await send(first, fault), await send(second, fault)] as const
    const pair: [Heard, Heard] = turn % 2 === 0 ? [both[0], both[1]] : [both[1], both[0]]
    if (turn >= turns.warm) heard.push(pair)
  }
  const sockets = ours.sockets.length
  const of = (part: Exclude<keyof Heard, 'missed'>) =>
    compared(
      sockets,
      heard.map(([a, b]) => [a[part], b[part]]),
    )
  return {
    ...{ sockets, lastReceipt: of('lastReceipt'), posting: of('posting'), answer: of('answer') },
    missed: heard.reduce((sum, [ours]) => sum + ours.missed, 0),
  }
}

/** Connections per agent: fewer than the thirty that one may have. */
const perAgent = 25

/**
 * Gives both sides so many sockets. Ours belong to agents of one license: the table gets what a login writes,
 * by the sockets of one that did log in.
 */
const grow = async (stand: Stand, license: string, [ours, floor]: readonly [Side, Side], size: number) => {
  const [row] = await readAgentSockets(stand.table.read, license)
  const item = row && (await stand.table.read.get(keys.socket(row.connection), { strong: true }))
  if (row === undefined || item === undefined) throw new Error('Nobody is logged in')
  const known = new Set(stand.gateway.connections())
  while (ours.sockets.length < size) ours.sockets.push(await stand.connect())
  const fresh = stand.gateway.connections().filter((connection) => !known.has(connection))
  await stand.table.write.batch(
    fresh.flatMap((connection, i) => {
      const agent_id = agentOf(known.size + i)
      const session = { ...(item['session'] as object), agent_id }
      return [
        { Put: { Item: { ...item, ...keys.socket(connection), connection, session } } },
        ...rowKeys({ ...row, agent_id }, connection).map((key) => ({
          Put: { Item: { ...row, ...key, connection, agent_id } },
        })),
      ]
    }),
  )
  while (floor.sockets.length < size) floor.sockets.push(await Socket.open(floor.gateway.url))
  await stand.settled()
}

const agentOf = (socket: number) => `agent-${Math.floor(socket / perAgent)}`

/** What differs between the runs: how many turns, and whether calls take as long as in the cloud. */
const run = async (
  { dist, floorDist }: { dist: string; floorDist: string },
  sizes: readonly { sockets: number; turns: { warm: number; measured: number } }[],
  cloud: boolean,
): Promise<FanOut[]> => {
  const stand = await startStand({ dist }, { counted: cloud })
  const { gateway, listeners } = await startFloor(floorDist)
  const license = 'fan-out'
  const most = Math.max(...sizes.map(({ sockets }) => sockets))
  await stand.addLicense(
    license,
    Array.from({ length: Math.ceil(most / perAgent) }, (_, i) => agentOf(i * perAgent)),
  )
  const first = await stand.login(license, agentOf(0))
  const { payload } = await first.ask('start_chat')
  const sides = [
    { gateway: stand.gateway, sockets: [first], chat_id: payload.chat.id },
    { gateway, sockets: [], chat_id: 'floor' },
  ] as const satisfies [Side, Side]
  const results: FanOut[] = []
  for (const { sockets, turns } of sizes) {
    await grow(stand, license, sides, sockets)
    listeners.splice(0, listeners.length, ...gateway.connections())
    if (cloud) stand.proxy.setDelay(cloudMs.table)
    results.push(await compare(sides, turns, cloud ? { delayMs: cloudMs.post } : undefined))
    stand.proxy.setDelay(0)
  }
  for (const { sockets } of sides) await Promise.all(sockets.map((socket) => socket.close()))
  await gateway.close()
  await stand.end()
  return results
}

type Dists = { dist: string; floorDist: string }

/** As this machine does it, on as many sockets as it can. */
export const fanOut = (dists: Dists): Promise<FanOut[]> =>
  run(
    dists,
    // where over a hundred hear of it, a worker runs that is warm to begin with nowhere else
    [
      { sockets: 2, turns: { warm: 30, measured: 80 } },
      { sockets: 20, turns: { warm: 10, measured: 80 } },
      { sockets: 50, turns: { warm: 5, measured: 30 } },
      { sockets: 500, turns: { warm: 10, measured: 14 } },
      { sockets: 2000, turns: { warm: 1, measured: 4 } },
    ],
    false,
  )

/** The same where each call takes as long as in the cloud. */
export const fanOutInCloud = (dists: Dists): Promise<FanOut[]> =>
  run(
    dists,
    [
      { sockets: 2, turns: { warm: 10, measured: 40 } },
      { sockets: 20, turns: { warm: 5, measured: 40 } },
      { sockets: 500, turns: { warm: 6, measured: 10 } },
    ],
    true,
  )
