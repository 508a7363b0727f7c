import type { Properties, PropertiesChange } from '../protocol/properties.ts'
import type { Chat } from '../table/chat/chats.ts'
import { setHeadUsers } from '../table/chat/log-entries.ts'
import {
  parseProperties,
  type PropertiesOwner,
  readProperties,
  setProperties,
  type StoredProperties,
} from '../table/chat/stored-properties.ts'
import type { Op, Reader } from '../table/ops.ts'
import { type AnnouncedProperties, differences, merged } from './change-properties.ts'

// The namespace `routing`, which is the server's own: it stands on the chat and on its active thread.

export interface RoutingChange {
  unassigned?: boolean
  idle?: boolean
}

export const routingProperties = ({ unassigned, idle }: RoutingChange): Properties => {
  const routing = {
    ...(unassigned === undefined ? {} : { unassigned: { value: unassigned } }),
    ...(idle === undefined ? {} : { idle: { value: idle } }),
  }
  return Object.keys(routing).length === 0 ? {} : { routing }
}

/** What changed of the properties of a chat and of its active thread, each where something changed. */
export interface AnnouncedRouting {
  chat?: AnnouncedProperties | undefined
  thread?: AnnouncedProperties | undefined
}

export interface StoredRouting {
  chat: StoredProperties
  /** Undefined where no thread is active. */
  thread: StoredProperties | undefined
}

/** Strongly consistent. */
export const readRouting = async (
  read: Reader,
  { id, thread, active }: Pick<Chat, 'id' | 'thread' | 'active'>,
): Promise<StoredRouting> => {
  const [chat, ofThread] = await Promise.all([
    readProperties(read, { chat: id }),
    active ? readProperties(read, { chat: id, n: thread }) : undefined,
  ])
  return { chat: chat ?? parseProperties(undefined), thread: ofThread }
}

/** The write that merges a change into properties as they were read, where it changes anything. */
export const mergeOp = (
  of: PropertiesOwner,
  held: StoredProperties,
  change: PropertiesChange,
  { nonce, userIds = [] }: { nonce: string; userIds?: readonly string[] },
): { op: Op<'chat'>; told: AnnouncedProperties } | undefined => {
  const properties = differences(held.properties, change)
  if (Object.keys(properties).length === 0) return undefined
  const op = setProperties(of, held, merged(held.properties, properties), nonce, userIds)
  return { op, told: { properties, version: held.version + 1 } }
}

/**
 * The writes of a change of `routing`, and of the active thread's `user_ids`, which stand on the same item.
 */
export const routingOps = (
  { id, thread: n, active }: Pick<Chat, 'id' | 'thread' | 'active'>,
  held: StoredRouting | undefined,
  change: RoutingChange,
  { nonce, userIds }: { nonce: string; userIds: readonly string[] },
): { ops: Op<'chat'>[]; told: AnnouncedRouting } => {
  const properties = routingProperties(change)
  const chat = held && mergeOp({ chat: id }, held.chat, properties, { nonce })
  const thread =
    held?.thread && active ? mergeOp({ chat: id, n }, held.thread, properties, { nonce, userIds }) : undefined
  const users = thread === undefined && active && userIds.length > 0 ? [setHeadUsers(id, n, userIds)] : []
  return {
    ops: [...(chat ? [chat.op] : []), ...(thread ? [thread.op] : []), ...users],
    told: { chat: chat?.told, thread: thread?.told },
  }
}
