import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { fillArchive } from '../support/archive.ts'
import { archive, type Office, openOffice } from './office.ts'
import { type Ready, requests } from './requests.ts'
import type { Answer } from './socket.ts'
import { issuer, type Stand, startStand } from './stand.ts'
import { type Times, timesOf } from './statistics.ts'

/** What a request costs, beside its time. Bytes are those of all pushes together. */
export interface ActionCounts {
  roundTrips: number
  calls: number
  rru: number
  wru: number
  answerBytes: number
  pushes: number
  pushBytes: number
}

const actions = [
  ...agentActions.map(({ name }) => `agent/${name}`),
  ...customerActions.map(({ name }) => `customer/${name}`),
]

/**
 * Longer than a call takes by itself, so that calls made side by side overlap and the depth counts round
 * trips.
 */
const callMs = 80
/** How often an action is timed: as often as fits into its time. */
const turns = { warm: 5, least: 20, most: 100, withinMs: 700 }

const withOffice = async <T>(
  dist: string,
  options: { counted: boolean },
  run: (stand: Stand, office: Office) => Promise<T>,
): Promise<T> => {
  const prepare = (table: Stand['table']) => fillArchive(table, { ...archive, issuer, nowMs: Date.now() })
  const stand = await startStand({ dist, prepare }, options)
  try {
    const office = await openOffice(stand)
    const result = await run(stand, office)
    for (const socket of office.sockets) await socket.close()
    return result
  } finally {
    await stand.end()
  }
}

const readyFor = (name: string): Ready => {
  const ready = requests[name]
  if (ready === undefined) throw new Error(`How ${name} is asked for is not told`)
  return ready
}

const actionOf = (name: string) => name.slice(name.indexOf('/') + 1)

const askOnce = async (name: string, stand: Stand, office: Office, turn: number): Promise<Answer> => {
  const { by, payload, after } = await readyFor(name)(stand, office, turn)
  const answer = await by.ask(actionOf(name), payload)
  await after?.(answer)
  return answer
}

/**
 * Counts what one request of each action costs; all that earlier requests left to the workers is done before
 * it.
 */
export const countActions = (dist: string): Promise<Record<string, ActionCounts>> =>
  withOffice(dist, { counted: true }, async (stand, office) => {
    const counts: Record<string, ActionCounts> = {}
    let posts: Buffer[] = []
    const post = ({ body }: { body: Buffer }) => void posts.push(body)
    stand.gateway.setFaults({ post })
    stand.customers.setFaults({ post })
    for (const name of actions) {
      for (let turn = 0; turn < 2; turn += 1) await askOnce(name, stand, office, turn)
      const { by, payload, after } = await readyFor(name)(stand, office, 2)
      await stand.settled()
      // what a request leaves to the workers is no part of it
      const release = stand.queue.hold()
      posts = []
      stand.proxy.setDelay(callMs)
      const recorded = await stand.proxy.record(() => by.ask(actionOf(name), payload)).finally(release)
      stand.proxy.setDelay(0)
      const { sequentialDepth, calls, rru, wru, result } = recorded
      const pushBytes = posts.reduce((sum, { length }) => sum + length, 0)
      counts[name] = {
        ...{ roundTrips: sequentialDepth, calls: calls.length, rru, wru },
        ...{ answerBytes: result.bytes, pushes: posts.length, pushBytes },
      }
      await after?.(result)
    }
    return counts
  })

export type ActionTimes = Times & { requests: number }

/** Milliseconds from sending a request to its answer, one request after the other. */
export const timeActions = (dist: string): Promise<Record<string, ActionTimes>> =>
  withOffice(dist, { counted: false }, async (stand, office) => {
    const times: Record<string, ActionTimes> = {}
    for (const name of actions) {
      const until = performance.now() + turns.withinMs
      const figures: number[] = []
      const isEnough = () =>
        figures.length === turns.most || (figures.length >= turns.least && performance.now() > until)
      for (let turn = 0; !isEnough(); turn += 1) {
        const { ms } = await askOnce(name, stand, office, turn)
        if (turn >= turns.warm) figures.push(ms)
      }
      times[name] = { requests: figures.length, ...timesOf(figures) }
    }
    return times
  })
