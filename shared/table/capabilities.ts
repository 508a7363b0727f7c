import type { Family } from '../protocol/action.ts'
import type { Common } from './families.ts'
import type { Reader, Writer } from './ops.ts'

// What a step may use: its context is composed of these, so that what it does not name does not compile.

/** A step that reads items, of these families beside the common ones. */
export interface Reads<F extends Family = Common> {
  read: Reader<F>
}

/** A step that writes items of these families. */
export interface Writes<F extends Family> {
  write: Writer<F>
}

export interface Clock {
  /** Now, in ms. */
  now: () => number
}

/** A step that writes on the condition of what it read, and tries again where others came first. */
export interface Retries {
  /** Marks what this request writes. */
  nonce: string
  /** Waits a short random time before attempt `tries`; throws `too_many_requests` past the last moment. */
  pause: (tries: number) => Promise<void>
}
