import * as z from 'zod/mini'
import { keys } from '../keys.ts'
import type { Attributes, Op, Reader } from '../ops.ts'
import { and, atVersion, exists, update } from '../update.ts'

/** Which thread: the number of one of a chat's. */
export interface ThreadAddress {
  chat: string
  n: number
}

/** So many changes of a thread's tags are known by who made them. */
export const knownChanges = 8

const Tagged = z.object({
  tags: z._default(z.array(z.string()), []),
  /** Raised by every change; absent before the first. */
  tags_version: z._default(z.int(), 0),
  /** Which requests changed them last, the latest last. */
  tags_by: z._default(z.array(z.string()), []),
})

/** A thread's tags, the oldest first: `version` 0 where it was never tagged. */
export interface TagsState {
  tags: string[]
  version: number
}

/** A thread's tags as read from its item, and which requests changed them last. */
export interface StoredTags extends TagsState {
  by: readonly string[]
}

export const parseTags = (item: Attributes | undefined): StoredTags => {
  const { tags, tags_version: version, tags_by: by } = Tagged.parse(item ?? {})
  return { tags, version, by }
}

/** Undefined where there is no such thread. Strongly consistent. */
export const readTags = async (read: Reader, { chat, n }: ThreadAddress): Promise<StoredTags | undefined> => {
  const item = await read.get(keys.thread(chat, n), { strong: true })
  return item === undefined ? undefined : parseTags(item)
}

/** Replaces a thread's tags as they were read: conditional on their version, which this raises. */
export const setTags = (
  { chat, n }: ThreadAddress,
  before: StoredTags,
  tags: readonly string[],
  nonce: string,
): Op<'chat'> =>
  update(keys.thread(chat, n), {
    set: {
      tags_version: before.version + 1,
      tags_by: [...before.by, nonce].slice(-knownChanges),
      tags: tags.length > 0 ? tags : undefined,
    },
    when: and(exists(), atVersion(before.version, 'tags_version')),
  })
