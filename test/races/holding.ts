import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Call } from '../support/engine-proxy.ts'
import type { World } from '../support/world.ts'

/** Everything that follows from what was done is done, also what was put off until later. */
export const calm = async (world: World): Promise<void> => {
  await world.settled()
  await world.queue.flush()
}

/** One run: `held` is stopped at a step of its own, and `meanwhile` runs from its beginning to its end. */
export interface Run {
  held(): Promise<unknown>
  /** The functions that `held` runs, such as `worker/clock`, where they are no action's. */
  by?: RegExp
  meanwhile(): Promise<unknown>
  /** What must be true now; what was put off until later is done. */
  check(): Promise<void> | void
}

type Way = 'alone' | 'with the rest'
/** Plays a race out at steps of `held`; fails where it has fewer steps than are known of it. */
export type HoldSteps = (
  world: World,
  prepare: () => Promise<Run>,
  leastSteps: number,
  ways?: readonly Way[],
) => Promise<void>

// the calls of one round of reads arrive within this time
const roundMs = 4

/** Whether a call is held, by those that `held` has made before it. */
type Holds = (call: Pick<Call, 'operation'>, before: readonly string[]) => boolean

/** Whether a call may be an action's: connections come and go, and workers work, while `held` runs. */
const isOfAction = ({ lambda = '' }: Pick<Call, 'lambda'>): boolean => !/^(socket|worker)\//.test(lambda)

/** Resolves to how many calls were held; 0 where there was none to hold. `all`: also of other functions. */
const runHeld = async (
  world: World,
  prepare: () => Promise<Run>,
  {
    name,
    holds,
    all = false,
    withRest = false,
  }: { name: string; holds: Holds; all?: boolean; withRest?: boolean },
): Promise<number> => {
  const { held, by, meanwhile, check } = await prepare()
  const reached = Promise.withResolvers<true>()
  const over = Promise.withResolvers<undefined>()
  const before: string[] = []
  let holding = 0
  let isMeanwhile = false
  world.proxy.setFault((call) => {
    if (isMeanwhile) return undefined
    if (!all && !(by === undefined ? isOfAction(call) : by.test(call.lambda ?? ''))) return undefined
    const isFirst = holding === 0 && holds(call, before)
    before.push(call.operation)
    if (!isFirst && !(holding > 0 && withRest)) return undefined
    holding += 1
    reached.resolve(true)
    return over.promise
  })
  try {
    const running = held()
    const isHeld = await Promise.race([reached.promise, running.then(() => false)])
    if (isHeld && withRest) await wait(roundMs)
    isMeanwhile = true
    if (isHeld) await meanwhile()
    over.resolve(undefined)
    await running
  } finally {
    over.resolve(undefined)
    world.proxy.setFault(undefined)
  }
  if (holding === 0) return 0
  await world.queue.flush()
  try {
    await check()
  } catch (error) {
    throw new Error(`Held at ${name}${withRest ? ' and what came with it' : ''}`, { cause: error })
  }
  return holding
}

/**
 * Plays a race out once for each call to the table that `held` makes: that call is held, alone or with those
 * that are made beside it, until `meanwhile` has ended. Resolves to how many calls there were to hold.
 */
export const atEachStep = async (
  world: World,
  prepare: () => Promise<Run>,
  ways: readonly Way[] = ['alone', 'with the rest'],
): Promise<number> => {
  for (let step = 1; ; step += 1) {
    const holds: Holds = (_, before) => before.length === step - 1
    const run = (withRest: boolean) =>
      runHeld(world, prepare, { name: `call ${step}`, holds, all: true, withRest })
    let held = 0
    if (ways.includes('with the rest')) held = await run(true)
    // a call that nothing came with was held alone
    if (ways.includes('alone') && (ways.length === 1 || held > 1)) held = Math.max(held, await run(false))
    if (held === 0) return step - 1
  }
}

/** Every step, in every way. */
export const everyStep: HoldSteps = async (world, prepare, leastSteps, ways) =>
  expect(await atEachStep(world, prepare, ways)).toBeGreaterThanOrEqual(leastSteps)

const isWrite = (operation: string): boolean =>
  !['GetItem', 'BatchGetItem', 'Query', 'Scan'].includes(operation)
/** The calls that tell most outcomes apart. */
const telling: Record<string, Holds> = {
  'its first call': () => true,
  'its first write': ({ operation }) => isWrite(operation),
  'the call behind its first write': (_, before) => before.some(isWrite),
}

/** A sample: the first call, the first write, and the call behind that, where there is one. */
export const someSteps: HoldSteps = async (world, prepare) => {
  for (const [name, holds] of Object.entries(telling)) {
    const held = await runHeld(world, prepare, { name, holds })
    if (name !== Object.keys(telling).at(-1)) expect(held, name).toBe(1)
  }
}

/** Two tests of one race: a sample of its steps, and, where long tests run, all of them. */
export const testAtSteps = (title: string, race: (hold: HoldSteps) => Promise<void>): void => {
  test(`${title}, at some of its steps`, () => race(someSteps))
  test(`${title}, at each of its steps`, { tags: ['full'] }, () => race(everyStep))
}
