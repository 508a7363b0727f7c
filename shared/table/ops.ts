import type { Family } from '../protocol/action.ts'
import type { Common } from './families.ts'
import type { Key, Pk } from './keys.ts'

/** An item or a part of one, as lib-dynamodb takes and gives it. */
export type Attributes = Record<string, unknown>

interface Condition {
  ConditionExpression?: string
  ExpressionAttributeNames?: Record<string, string>
  ExpressionAttributeValues?: Attributes
}

/**
 * One write, as data: building it and sending it are two steps, so that expressions are tested without a
 * table. Its type says of which family the item is.
 */
export type Op<F extends Family = Family> =
  | { Put: { Item: Key<F> & Attributes } & Condition }
  | { Update: { Key: Key<F>; UpdateExpression: string } & Condition }
  | { Delete: { Key: Key<F> } & Condition }
  | { ConditionCheck: { Key: Key<F>; ConditionExpression: string } & Condition }

export interface Range<F extends Family = Family> {
  pk: Pk<F>
  /** Only sort keys that begin so. */
  prefix?: string
  /** Only sort keys from this one on, itself included; with `to`, up to that one. */
  from?: string
  to?: string
  backwards?: boolean
  strong?: boolean
  /** At most so many items. Absent: all, over as many pages as it takes. */
  limit?: number
  /** Only this attribute of each item: it costs the same and is less to carry. */
  only?: 'sk'
}

/** Reads items of these families, and no others. */
export interface Reader<F extends Family = Common> {
  get: (key: Key<F>, options?: { strong?: boolean }) => Promise<Attributes | undefined>
  query: (range: Range<F>) => Promise<Attributes[]>
  /** Items of the keys that exist, in any order. */
  batchGet: (keys: readonly Key<F>[], options?: { strong?: boolean }) => Promise<Attributes[]>
  /** Told of an item that its schema does not fit: what reads it goes on without it. */
  onInvalidItem?: OnInvalidItem
}

/** `fields`: paths of those that do not fit; no values. */
export type OnInvalidItem = (item: { license: string; sk: unknown; fields: string[] }) => void

/**
 * `found`: the item that stood in the way, where one did. A put without one lost a race, or was throttled.
 */
export type WriteOutcome =
  { done: true; attributes: Attributes | undefined } | { done: false; found: Attributes | undefined }

export interface CancellationReason {
  /** Which of the transaction's ops was refused. */
  index: number
  reason: 'condition' | 'conflict'
  found: Attributes | undefined
}

/** Writes items of these families, and no others. */
export interface Writer<F extends Family = Family> {
  /**
   * Writes one item. A failed condition is an outcome, and so is a put's conflict with a transaction, or that
   * it was throttled; updates and deletes wait for the transaction to end. Anything else throws. `returns`:
   * the item as it was or, of an update, as it then is, as the outcome's `attributes`.
   */
  write: (op: Op<F>, options?: { returns?: 'old' | 'new' }) => Promise<WriteOutcome>
  /** Puts and deletes without conditions, each for itself, in any order; resolves once all are done. */
  batch: (ops: readonly Op<F>[]) => Promise<void>
  /** All or nothing. Refusals are those of the ops that did not hold; empty: all is written. */
  transact: (ops: readonly Op<F>[]) => Promise<CancellationReason[]>
}
