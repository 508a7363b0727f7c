import * as z from 'zod/mini'
import { type Properties, PropertiesOutput } from '../../protocol/properties.ts'
import { type Key, keys } from '../keys.ts'
import type { Attributes, Op, Reader } from '../ops.ts'

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
): Op<'chat'> => {
  const unchanged =
    before.version === 0 ? 'attribute_not_exists(properties_version)' : 'properties_version = :read'
  return {
    Update: {
      Key: keyOf(of),
      UpdateExpression:
        'SET #properties = :properties, properties_version = :version, properties_by = :nonce' +
        (userIds.length > 0 ? ' ADD user_ids :users' : ''),
      ConditionExpression: of.n === undefined ? unchanged : `attribute_exists(pk) AND ${unchanged}`,
      ExpressionAttributeNames: { '#properties': 'properties' },
      ExpressionAttributeValues: {
        ':properties': properties,
        ':version': before.version + 1,
        ':nonce': nonce,
        ...(before.version === 0 ? {} : { ':read': before.version }),
        ...(userIds.length > 0 ? { ':users': new Set(userIds) } : {}),
      },
    },
  }
}
