import { stringifyJson } from '../../protocol/json.ts'

// The 120 KiB rule (protocol §5): every response and push stays below it, full items while they fit.

/**
 * What surrounds an answer: both request ids, of 128 characters that take six bytes each as JSON, and names
 * of fields.
 */
export const envelopeBytes = 2048

/** Bytes of UTF-8 that a value takes as JSON. */
export const jsonBytes = (value: unknown): number => Buffer.byteLength(stringifyJson(value), 'utf8')

/** How many of the items, from the first on, fit into `room` bytes as members of a JSON array. */
export const countThatFit = (items: readonly unknown[], room: number): number => {
  let used = 0
  for (const [index, item] of items.entries()) {
    used += jsonBytes(item) + 1
    if (used > room) return index
  }
  return items.length
}

/** Room for each of several: equal shares, of which those that need less leave the rest to the others. */
export const divideBudget = (needs: readonly number[], room: number): number[] => {
  const given = new Map<number, number>()
  let left = room
  const order = [...needs.entries()].toSorted(([, one], [, other]) => one - other)
  for (const [turn, [index, need]] of order.entries()) {
    const share = Math.min(need, Math.floor(left / (order.length - turn)))
    given.set(index, share)
    left -= share
  }
  return needs.map((_, index) => given.get(index) ?? 0)
}
