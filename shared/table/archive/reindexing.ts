import * as z from 'zod/mini'
import { keys } from '../keys.ts'
import type { Op, Reader } from '../ops.ts'
import { put, remove } from '../update.ts'

/**
 * `LICENSE#<l>` / `REINDEX`: how far a rebuilding of the license's index has come; gone once all of it is
 * done.
 */
const ReindexingItem = z.object({
  /** When it began, in ms. */
  began_at: z.int(),
  /** Whether texts of messages were indexed when it began. */
  texts: z.boolean(),
  /** By id, every chat up to this one is done, but for those that failed; absent: none is. */
  after: z.optional(z.string()),
  /** How many chats that are. */
  chats: z.int(),
  /** The chats that failed. */
  failed: z.array(z.string()),
})
export type Reindexing = z.output<typeof ReindexingItem>

/** Strongly consistent. */
export const readReindexing = async (read: Reader, license: string): Promise<Reindexing | undefined> =>
  z.optional(ReindexingItem).parse(await read.get(keys.reindexing(license), { strong: true }))

export const reindexingMoved = (license: string, reindexing: Reindexing): Op<'account'> =>
  put(keys.reindexing(license), reindexing)

export const reindexingEnded = (license: string): Op<'account'> => remove(keys.reindexing(license))
