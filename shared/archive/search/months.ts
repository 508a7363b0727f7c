import { monthOf, postingSkAt } from '../../table/keys.ts'

const hourMs = 3_600_000

/** The first moment of a month, in ms. */
const startOf = (month: string): number => Date.parse(`${month}-01T00:00:00Z`)

const next = (month: string): string => monthOf(startOf(month) + 32 * 24 * hourMs)

/** The months from one moment (ms) to another, the newest first. */
export const monthsBetween = (from: number, to: number): string[] => {
  const months: string[] = []
  for (let month = monthOf(from); month <= monthOf(to); month = next(month)) months.push(month)
  return from > to ? [] : months.toReversed()
}

/** Months that are over, also by a clock that runs behind, the newest first. */
export const pastMonths = (since: number, now: number): string[] =>
  monthsBetween(since, now).filter((month) => startOf(next(month)) + hourMs <= now)

/** The sort keys of a month, or of that part of it between two moments (ms), both included. */
export const monthRange = (
  month: string,
  { from = startOf(month), to = startOf(next(month)) - 1 }: { from?: number; to?: number } = {},
): { from: string; to: string; isWhole: boolean } => {
  const [first, last] = [startOf(month), startOf(next(month)) - 1]
  const [oldest, newest] = [Math.max(from, first), Math.min(to, last)]
  return {
    from: postingSkAt(newest),
    to: postingSkAt(oldest - 1),
    isWhole: oldest === first && newest === last,
  }
}
