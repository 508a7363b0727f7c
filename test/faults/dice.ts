/** Numbers that look random and come again with their seed. */
export interface Dice {
  /** From 0 up to 1. */
  number(): number
  /** Whether something of this probability happens. */
  chance(probability: number): boolean
  /** An integer from 0 up to `below`. */
  below(below: number): number
  one<T>(of: readonly T[]): T | undefined
  /** Of choices with weights. */
  weighted<T>(choices: readonly (readonly [weight: number, value: T])[]): T
  shuffled<T>(of: readonly T[]): T[]
}

export const dice = (seed: number): Dice => {
  let state = seed >>> 0
  // mulberry32
  const number = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (most: number): number => Math.floor(number() * most)
  return {
    number,
    chance: (probability) => number() < probability,
    below,
    one: (of) => of[below(of.length)],
    weighted: (choices) => {
      let left = number() * choices.reduce((sum, [weight]) => sum + weight, 0)
      for (const [weight, value] of choices) {
        left -= weight
        if (left < 0) return value
      }
      throw new Error('Nothing to choose from')
    },
    shuffled: (of) => {
      const left = [...of]
      return of.map(() => left.splice(below(left.length), 1)[0]!)
    },
  }
}
