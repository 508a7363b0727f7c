import { setTimeout as wait } from 'node:timers/promises'
import type { World } from '../support/world.ts'

/** Everything that follows from what was done is done, also what was put off until later. */
export const calm = async (world: World): Promise<void> => {
  await world.settled()
  await world.queue.flush()
}

/** One run: `held` is stopped at a step of its own, and `meanwhile` runs from its beginning to its end. */
export interface Run {
  held(): Promise<unknown>
  meanwhile(): Promise<unknown>
  /** What must be true now; what was put off until later is done. */
  check(): Promise<void> | void
}

// the calls of one round of reads arrive within this time
const roundMs = 4

/**
 * Plays a race out once for each call to the table that `held` makes: that call is held, alone or with those that are
 * made beside it, until `meanwhile` has ended. Resolves to how many calls there were to hold.
 */
export const atEachStep = async (
  world: World,
  prepare: () => Promise<Run>,
  ways: readonly ('alone' | 'with the rest')[] = ['alone', 'with the rest'],
): Promise<number> => {
  let steps = 0
  for (const withRest of ways.map((way) => way === 'with the rest'))
    for (let step = 1; ; step += 1) {
      const { held, meanwhile, check } = await prepare()
      const reached = Promise.withResolvers<true>()
      const over = Promise.withResolvers<undefined>()
      let calls = 0
      let isMeanwhile = false
      world.proxy.setFault(() => {
        if (isMeanwhile) return undefined
        calls += 1
        if (calls !== step && !(withRest && calls > step)) return undefined
        reached.resolve(true)
        return over.promise
      })
      try {
        const running = held()
        const isHeld = await Promise.race([reached.promise, running.then(() => false)])
        if (withRest) await wait(roundMs)
        isMeanwhile = true
        if (isHeld) await meanwhile()
        over.resolve(undefined)
        await running
        if (!isHeld) break
      } finally {
        over.resolve(undefined)
        world.proxy.setFault(undefined)
      }
      await world.queue.flush()
      try {
        await check()
      } catch (error) {
        throw new Error(`Held at call ${step}${withRest ? ' and what came with it' : ''}`, { cause: error })
      }
      steps = Math.max(steps, step)
    }
  return steps
}
