import * as z from 'zod/mini'
import { type Properties, PropertiesOutput } from '../../protocol/properties.ts'
import { type Key, keys } from '../keys.ts'
import type { Attributes, Op, Reader } from '../ops.ts'
import { and, atVersion, exists, update } from '../update.ts'

/**
 * Whose properties: a chat's, `CHAT#<chat>` / `CHAT#PROPS`, or its thread `n`'s, which stand on the thread's
 * item.
 */
export interface PropertiesOwner {
  chat: string
  n?: number
}

const Versioned = z.object({
  properties: z._default(PropertiesOutput, {}),
  /** Raised by every change; absent before the first. */
  properties_version: z._default(z.int(), 0),
  /** Which request changed them last. */
  properties_by: z.optional(z.string()),
})
/** Properties as read: `version` 0 where they have never been changed. */
export interface StoredProperties {
  properties: Properties
  version: number
  by: string | undefined
}

export const parseProperties = (item: Attributes | undefined): StoredProperties => {
  const { properties, properties_version: version, properties_by: by } = Versioned.parse(item ?? {})
  return { properties, version, by }
}

const keyOf = ({ chat, n }: PropertiesOwner): Key<'chat'> =>
  n === undefined ? keys.chatProperties(chat) : keys.thread(chat, n)

/** Undefined only of a thread that does not exist: a chat may have none yet. */
export const readProperties = async (
  read: Reader,
  of: PropertiesOwner,
): Promise<StoredProperties | undefined> => {
  const item = await read.get(keyOf(of), { strong: true })
  return item === undefined && of.n !== undefined ? undefined : parseProperties(item)
}

/**
 * Replaces properties as they were read: conditional on their version, which this raises. `userIds` are put
 * among a thread's by the same write.
 */
export const setProperties = (
  of: PropertiesOwner,
  before: StoredProperties,
  properties: Properties,
  nonce: string,
  userIds: readonly string[] = [],
): Op<'chat'> =>
  update(keyOf(of), {
    set: { properties, properties_version: before.version + 1, properties_by: nonce },
    add: userIds.length > 0 ? { user_ids: new Set(userIds) } : {},
    when: and(of.n === undefined ? undefined : exists(), atVersion(before.version, 'properties_version')),
  })
