import { expect } from 'vitest'

const fewestRounds = 3
const longestMs = 10_000

/** The least time in ms that each has taken, run in turns until `isEnough` of these, or for long enough. */
const leastTimes = (acts: readonly (() => unknown)[], isEnough: (times: number[]) => boolean): number[] => {
  const times = acts.map(() => Infinity)
  const beganAt = performance.now()
  for (let round = 1; round <= fewestRounds || performance.now() - beganAt < longestMs; round += 1) {
    for (const [index, act] of acts.entries()) {
      const startedAt = performance.now()
      act()
      times[index] = Math.min(times[index]!, performance.now() - startedAt)
    }
    if (round >= fewestRounds && isEnough(times)) break
  }
  return times
}

/** What is done with an input of so many characters; the input is made before time is taken. */
type Of = (length: number) => () => unknown

/**
 * By how much more `of` may take for each character of a long input than of a short one; quadratic time takes
 * 8.
 */
const mostGrowth = 4

/**
 * Asserts that `of` takes time in proportion to the length of its input: eight times the length takes no more
 * than that many times as long, but for a factor, by the time that `beside` takes for the same: work that is
 * known to be linear. A busy machine makes measuring take longer, and changes nothing else: what counts is
 * the least time of each.
 */
export const expectProportional = (
  what: string,
  of: Of,
  { beside, length }: { beside: Of; length: number },
): void => {
  const short = length / 8
  const growthOf = ([one = 0, many = 0, besideOne = 0, besideMany = 0]: number[]) =>
    many / besideMany / (one / besideOne)
  const isWithin = (ms: number[]) => growthOf(ms) <= mostGrowth
  const ms = leastTimes([of(short), of(length), beside(short), beside(length)], isWithin)
  expect(isWithin(ms), `${what} grows by ${growthOf(ms)}: ${ms.join(' ms, ')} ms`).toBe(true)
}

/** Asserts that one thing takes at most so many times as long as another, by the least time of each. */
export const expectWithin = (times: number, what: string, one: () => unknown, other: () => unknown): void => {
  const isWithin = ([ms = 0, otherMs = 0]: number[]) => ms <= times * otherMs
  const taken = leastTimes([one, other], isWithin)
  expect(isWithin(taken), `${what}: ${taken.join(' ms and ')} ms`).toBe(true)
}
