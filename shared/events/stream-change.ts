import type { Attributes } from '../table/ops.ts'
import { changedOf, type ChatPart, chatPartOf, queueOfKey, seenPartOf } from '../table/key-parts.ts'
import type { RawKey } from '../table/keys.ts'

/** What a record of the table's stream shows of an item: before and after a write. */
export interface StreamChange {
  key: RawKey
  before: Attributes | undefined
  after: Attributes | undefined
  /** When it was written, in Unix seconds. */
  atS: number
}

/** What of a chat, or beside one, has changed, as far as events tell of it. */
export type Concern =
  | ChatPart
  | { item: 'seen'; chat: string; user: string }
  | { item: 'customer'; license: string; customer: string }
  | { item: 'queue'; license: string }

/** What a change concerns, from its key alone; undefined: no event tells of it. */
export const concernOf = ({ key, after }: Pick<StreamChange, 'key' | 'after'>): Concern | undefined => {
  // what is removed goes with a customer or a license, whose own item tells of it
  if (after === undefined) return undefined
  const seen = seenPartOf(key)
  if (seen !== undefined) return { item: 'seen', ...seen }
  const queue = queueOfKey(key)
  if (queue !== undefined) return { item: 'queue', license: queue }
  const changed = changedOf(key)
  return changed?.item === 'customer' ? changed : chatPartOf(key)
}
