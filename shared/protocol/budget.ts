import { stringifyJson } from './json.ts'
import { limits } from './limits.ts'

// The 120 KiB rule (protocol §5): every response and push stays below it, full items while they fit. Messages
// to queue, bus and phones have limits of their own, and are kept below them in the same way.

/**
 * What surrounds an answer: both request ids, of 128 characters that take six bytes each as JSON, and names
 * of fields.
 */
export const envelopeBytes = 2048

/** Bytes of an answer's payload. */
export const answerBytes = limits.frameBytes - envelopeBytes

/** Bytes of UTF-8 that a value takes as JSON. */
export const jsonBytes = (value: unknown): number => Buffer.byteLength(stringifyJson(value), 'utf8')

/** Bytes that are left for more by the payload of an answer as it is so far. */
export const roomBeside = (payload: unknown): number => answerBytes - jsonBytes(payload)

/** Bytes of a member of a JSON array, with its comma. */
export const memberBytes = (item: unknown): number => jsonBytes(item) + 1

/** The first items, as many as fit into `room` bytes. Counts each once, up to one that does not fit. */
export const takeThatFit = <T>(
  items: readonly T[],
  room: number,
  bytesOf: (item: T, index: number) => number = memberBytes,
): T[] => {
  let used = 0
  const end = items.findIndex((item, index) => (used += bytesOf(item, index)) > room)
  return items.slice(0, end < 0 ? undefined : end)
}

/** All of the items, in full while they fit into `room` bytes beside the slim forms of the others. */
export const fullWhileFit = <F, S>(full: readonly F[], slim: readonly S[], room: number): (F | S)[] => {
  const bytes = slim.map(memberBytes)
  const spare = bytes.reduce((left, of) => left - of, room)
  const more = (item: F, index: number) => memberBytes(item) - (bytes[index] ?? 0)
  const whole = takeThatFit(full.slice(0, slim.length), spare, more)
  return [...whole, ...slim.slice(whole.length)]
}

/** The items in parts, in their order: as many to each as fit, but one at least. */
export const partsThatFit = <T>(
  items: readonly T[],
  most: { count: number; bytes: number },
  bytesOf: (item: T) => number = memberBytes,
): T[][] => {
  const parts: T[][] = []
  let used = 0
  for (const item of items) {
    const bytes = bytesOf(item)
    const last = parts.at(-1)
    if (last === undefined || last.length === most.count || used + bytes > most.bytes) {
      parts.push([item])
      used = bytes
    } else {
      last.push(item)
      used += bytes
    }
  }
  return parts
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
