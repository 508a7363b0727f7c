const usualSeed = 20_261_127
/**
 * What every generator here starts from; another one is tried by `ARCHIVES_SEED=… vitest run test/archives`.
 */
export const seed = Number(process.env['ARCHIVES_SEED'] ?? usualSeed)
/** Of another seed only what holds for every seed is known. */
export const isUsualSeed = seed === usualSeed

/**
 * The time of all archives here, whatever day it is: later than any engine's clock, which so finds no TTL
 * over.
 */
export const today = Date.UTC(2041, 4, 17, 9, 30)

/** Choices that are the same in every run of a seed. */
export interface Random {
  /** 0 or more, below `n`. */
  below(n: number): number
  /** True so often of 1. */
  chance(part: number): boolean
  one<T>(list: readonly T[]): T
  /** At most `most` of them, each once. */
  some<T>(list: readonly T[], most: number): T[]
  shuffled<T>(list: readonly T[]): T[]
  /** By weights: the first ones are picked most, as words are. */
  zipf<T>(list: readonly T[]): T
}

export const seeded = (from: number): Random => {
  let state = from
  // mulberry32
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number) => Math.floor(next() * n)
  const shuffled = <T>(list: readonly T[]): T[] => {
    const all = [...list]
    for (let i = all.length - 1; i > 0; i -= 1) {
      const j = below(i + 1)
      ;[all[i], all[j]] = [all[j]!, all[i]!]
    }
    return all
  }
  return {
    below,
    chance: (part) => next() < part,
    one: (list) => list[below(list.length)]!,
    some: (list, most) => shuffled(list).slice(0, below(most + 1)),
    shuffled,
    zipf: (list) => list[Math.floor(list.length ** next()) - 1]!,
  }
}
