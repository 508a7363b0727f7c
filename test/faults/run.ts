import { setTimeout as wait } from 'node:timers/promises'
import pLimit from 'p-limit'
import type { LoadHandlers } from '../../infra/local/handlers.ts'
import { type Actor, type Context } from './actor.ts'
import { AgentApp } from './agent-app.ts'
import { Recorder, type Wants } from './app.ts'
import { type Medians, mediansOf } from './check-floods.ts'
import { check } from './checker.ts'
import { CustomerTab, type Person } from './customer-tab.ts'
import { dice } from './dice.ts'
import { openFaults } from './faults.ts'
import { allFloods, type FloodKind, type Floods, openFloods } from './floods.ts'
import { Follower, type Login } from './follower.ts'
import type { Finding, FloodRecord, FollowerRecord, History, Span } from './history.ts'
import { endRun } from './end.ts'
import { Scene } from './scene.ts'
import { isOfCrowd, type Pace, type Rates, type Stand, startStand } from './stand.ts'

export interface RunOptions {
  seed: number
  /** How many requests are made until it comes to its end, which makes more. */
  requests: number
  /** How often the engine is killed, evenly over the run. */
  kills: number
  /**
   * The number of parts of the load, of which every other one is flooded, the last one too. 1: each flood
   * goes once over its limit.
   */
  phases: number
  /** Which floods there are; all kinds if absent. */
  floodKinds?: readonly FloodKind[]
  rates: Rates
  /** How many more agents are there who hear, and follow a chat at times; none if absent. */
  crowd?: number
  handlers: LoadHandlers
  say?: (text: string) => void
}

export interface Report {
  seed: number
  engine: string
  requests: number
  /** How many of them went over HTTP. */
  overHttp: number
  frames: number
  seconds: { load: number; end: number; checks: number }
  outcomes: ReadonlyMap<string, ReadonlyMap<string, number>>
  faults: ReadonlyMap<string, number>
  totals: { engine: number; posts: number; invocations: number }
  followers: (Pick<FollowerRecord, 'as'> & Follower['figures'])[]
  floods: readonly FloodRecord[]
  rates: Rates
  medians: readonly Medians[]
  deadLetters: number
  findings: Finding[]
}

/** Limits that no customer of the load comes near, however long the load is. */
export const longRates: Rates = {
  ...{ startChat: 20, sendEvent: 50, other: 70, addressFactor: 1, licenseStarts: 400 },
}
const sideBySide = 8
const clockMs = 5000
const followMs = 100
/**
 * Polls are rare: one is dear when there is much in the table, and what comes together is indexed together.
 */
const pace: Pace = { presenceGraceS: 3, queueRetryMs: 3000, streamPollMs: 500 }

const ofChats = ['incoming_chat_thread', 'incoming_event', 'thread_closed', 'chat_scopes_updated']
/**
 * What the connections of a crowd want to hear: ten everything, ten that of their own chats, the others what
 * becomes of chats.
 */
const wishOf = (n: number): Wants => {
  if (n < 20) return n < 10 ? {} : { chats: 'my' }
  return n % 2 === 0 ? { pushes: ofChats } : { chats: 'my', pushes: ofChats }
}

/** The apps of a license, its followers, and those who only listen. */
const cast = (stand: Stand, base: Omit<Context, 'scene' | 'url' | 'from'>, seed: number) => {
  const { stack } = stand
  let address = 0
  /** An address for each app: none shares the limits of one. */
  const from = () => `127.0.1.${(address += 1)}`
  return stand.licenses.map((license, index) => {
    const scene = new Scene(license, dice(seed + 10 + index))
    const ctx = { ...base, scene, httpUrl: stack.httpUrl }
    const agents = license.agents.filter((agent) => !/^(fay|finn)/.test(agent.id) && !isOfCrowd(agent))
    // one with two apps
    const apps = [...agents, ...agents.slice(1, 2)].map(
      (agent) => new AgentApp({ ...ctx, url: stack.agentUrl, from: from() }, agent, stand.token(agent)),
    )
    const url = `${stack.customerUrl}?license_id=${license.id}`
    const people = Array.from({ length: license.events ? 3 : 1 }, (): Person => ({}))
    const tabs = [...people, ...people.slice(0, 1)].map(
      (person) => new CustomerTab({ ...ctx, url, from: from() }, person),
    )
    const follow = (n: number, of: { url: string } & Login) =>
      new Follower(base.recorder, {
        ...{ ...of, from: from(), license: license.id, dice: dice(seed + n + index) },
      })
    const followers = [
      ...license.agents
        .filter(({ id }) => id.startsWith(index === 0 ? 'fay' : 'finn'))
        .map((agent) => follow(20, { url: stack.agentUrl, token: () => stand.token(agent) })),
      ...(license.events ? [follow(30, { url: stack.customerUrl, name: `Carl ${license.marker}` })] : []),
    ]
    const listeners = license.agents
      .filter(isOfCrowd)
      .map(
        (agent, n) =>
          new AgentApp({ ...ctx, url: stack.agentUrl, from: from() }, agent, stand.token(agent), wishOf(n)),
      )
    return { license, scene, apps, tabs, followers, listeners }
  })
}
export type Cast = ReturnType<typeof cast>

/** Runs the load with everything going wrong, brings it to its end, and checks all of it. */
export const runFaults = async ({
  seed,
  requests,
  kills,
  phases,
  floodKinds = allFloods,
  rates,
  crowd = 0,
  handlers,
  say = () => undefined,
}: RunOptions): Promise<Report> => {
  const faults = openFaults(dice(seed))
  const stand = await startStand(handlers, faults, { pace, rates, crowd })
  try {
    const recorder = new Recorder()
    const limit = pLimit(sideBySide)
    let before = 0
    const left = () => requests - recorder.requests.length + before
    const base = {
      recorder,
      dice: dice(seed + 1),
      take: () => left() > 0,
      turn: <T>(work: () => Promise<T>) => limit(work),
      ended: (how: string) => faults.met(`socket ${how}`),
    }
    const licenses = cast(stand, base, seed)
    // everyone is there before anything goes wrong
    await Promise.all(licenses.flatMap(({ listeners }) => listeners.map((one) => one.comeOn())))
    // of these there are more or fewer
    before = recorder.requests.length
    for (const { apps, tabs } of licenses) for (const actor of [...apps, ...tabs]) await actor.comeOn()
    for (const { followers } of licenses) for (const follower of followers) await follower.open()
    for (const { followers } of licenses) for (const follower of followers) await follower.speak()

    const floods = openFloods(stand, floodKinds)
    const spans = { quiet: [] as Span[], flooded: [] as Span[] }
    const startedAt = performance.now()
    faults.turn(true)
    const ending = new AbortController()
    const untilLeft = async (count: number) => {
      while (left() > count && !ending.signal.aborted) await wait(20)
    }
    const aside = [
      // whoever meets a frozen Lambda has to wait for its deadline
      untilLeft(requests / 2).then(() => faults.freezeNoMore()),
      ...licenses.flatMap(({ followers }) => followers.map((follower) => follower.run())),
      ...licenses.map(({ listeners }) => follow(listeners, ending.signal)),
      keepClock(stand, ending.signal),
      inPhases({ phases, requests, left, floods, spans, signal: ending.signal }),
      killEngine(stand, { kills, requests, untilLeft, met: faults.met, signal: ending.signal }),
    ]
    const progress = setInterval(() => say(`${recorder.requests.length} requests`), 10_000)
    await Promise.all(
      licenses.flatMap(({ apps, tabs }) => [...apps, ...tabs].map((actor: Actor) => actor.run())),
    )
    ending.abort()
    for (const { followers } of licenses) for (const follower of followers) follower.stop()
    await Promise.all(aside)
    clearInterval(progress)
    await floods.stop()
    faults.turn(false)
    const loadedAt = performance.now()
    say(`the load is over after ${Math.round((loadedAt - startedAt) / 1000)} s`)

    const end = await endRun(stand, licenses, recorder, faults)
    const endedAt = performance.now()
    say(`all is quiet after ${Math.round((endedAt - loadedAt) / 1000)} s`)
    const { sockets, requests: asked, frames } = recorder
    const history: History = {
      ...{ licenses: stand.licenses, sockets, requests: asked, frames, endedAt },
      ...{ chats: stand.states, customers: stand.customers },
      ranOn: faults.lambdas.ranOn,
      unheard: faults.lambdas.unheard,
      events: (stand.stack.events?.taken ?? []).map(({ 'detail-type': name, detail }) => {
        const { license_id: license, payload } = detail as { license_id: string; payload: unknown }
        return { license, name, payload }
      }),
      floods: { ...spans, records: floods.records },
      ...end,
    }
    const findings = check(history)
    return {
      ...{ seed, engine: stand.engine().label, requests: asked.length, frames: frames.length, findings },
      overHttp: asked.filter(({ socket }) => sockets[socket]?.overHttp === true).length,
      seconds: {
        load: (loadedAt - startedAt) / 1000,
        end: (endedAt - loadedAt) / 1000,
        checks: (performance.now() - endedAt) / 1000,
      },
      outcomes: recorder.outcomes,
      faults: faults.counts,
      totals: faults.totals,
      followers: licenses.flatMap(({ followers }) =>
        followers.map(({ record, figures }) => ({ as: record.as, ...figures })),
      ),
      floods: floods.records,
      rates,
      medians: mediansOf(history),
      deadLetters: stand.stack.queue.deadLetters().length,
    }
  } finally {
    await stand.stop()
  }
}

/** Those who listen come again where they were cut off, and follow a chat, one after the other. */
const follow = async (listeners: readonly AgentApp[], signal: AbortSignal): Promise<void> => {
  for (const one of listeners) {
    await wait(followMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    await one.comeOn()
    await one.follow()
  }
}

/** What happens each minute, more often. */
const keepClock = async ({ stack }: Stand, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    await wait(clockMs, undefined, { signal }).catch(() => undefined)
    // the next minute does what this one failed to do
    if (!signal.aborted) await stack.tick().catch(() => undefined)
  }
}

/** Floods in every other part of the load, until the load ends; notes the times of both. */
const inPhases = async (of: {
  phases: number
  requests: number
  left(): number
  floods: Floods
  spans: { quiet: Span[]; flooded: Span[] }
  signal: AbortSignal
}): Promise<void> => {
  const { phases, requests, left, floods, spans, signal } = of
  for (let phase = 1; phase <= phases; phase += 1) {
    const from = performance.now()
    const isOver = () => left() <= requests * (1 - phase / phases) || signal.aborted
    const isFlooded = (phases - phase) % 2 === 0
    if (isFlooded) await (phases === 1 ? floods.once() : floods.until(isOver))
    else while (!isOver()) await wait(20)
    spans[isFlooded ? 'flooded' : 'quiet'].push({ from, to: performance.now() })
  }
}

const killEngine = async (
  stand: Stand,
  of: {
    kills: number
    requests: number
    untilLeft(count: number): Promise<void>
    met(kind: string): void
    signal: AbortSignal
  },
): Promise<void> => {
  for (let kill = 1; kill <= of.kills; kill += 1) {
    await of.untilLeft(of.requests * (1 - kill / (of.kills + 1)))
    if (of.signal.aborted) return
    of.met('engine killed and restarted')
    await stand.restartEngine()
  }
}
