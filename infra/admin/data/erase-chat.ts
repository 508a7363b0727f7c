import { setTimeout as wait } from 'node:timers/promises'
import { withWord } from '../../../shared/archive/index/lists.ts'
import { indexedWords } from '../../../shared/archive/index/words.ts'
import type { Family } from '../../../shared/protocol/action.ts'
import { type Manifest, readManifests, readWords } from '../../../shared/table/archive/manifests.ts'
import { dropMarks, type Place, removePosting } from '../../../shared/table/archive/postings.ts'
import { eventsRange, lastOrderEver } from '../../../shared/table/chat/log-ranges.ts'
import { type Entry, parseEntry, readHead } from '../../../shared/table/chat/thread-log.ts'
import { threadId } from '../../../shared/table/ids.ts'
import { removeChatListing } from '../../../shared/table/erasing.ts'
import { chatPartOf } from '../../../shared/table/key-parts.ts'
import { anyWordsPrefix, chatPk, monthOf } from '../../../shared/table/keys.ts'
import type { Reader, Writer } from '../../../shared/table/ops.ts'
import { remove } from '../../../shared/table/update.ts'
import { eachOf } from './paging.ts'

interface Erasing {
  read: Reader<Family>
  write: Writer
  now(): number
}

/** How many items were deleted of what. Of what a run before has deleted nothing is known. */
export interface Erased {
  threads: number
  events: number
  postings: number
}

const itemsAtOnce = 100

/**
 * Deletes all that is left of a chat whose own item is gone, once nothing is under way on it any more: first
 * what it has in the index, since what names that stands beside the chat. `texts`: whether the license has
 * texts of messages indexed. May run again wherever it was cut short.
 */
export const eraseChat = async (
  ctx: Erasing,
  { license, id, texts }: { license: string; id: string; texts: boolean },
): Promise<Erased> => {
  const manifests = await settledManifests(ctx, id)
  const states = manifests.flatMap(({ indexedState, pendingStates }) => [
    ...(indexedState ? [indexedState] : []),
    ...pendingStates,
  ])
  const postings = states.flatMap(({ at, id: thread, lists }) =>
    lists.map((list) => ({ list, at, id: thread })),
  )
  await ctx.write.batch(once(postings).map(({ list, ...place }) => removePosting(license, list, place)))
  let words = 0
  const places = placesOf(manifests)
  for (const place of [...places, ...(await unplaced(ctx, id, places))])
    words += await eraseWords(ctx, { license, chat: id, texts }, place)
  // counts that were made of these months are none any more
  const months = once(postings.map(({ list, at }) => ({ list, month: monthOf(at) })))
  await dropMarks(ctx, license, months)
  const { threads, events } = await eraseLog(ctx, id)
  await ctx.write.write(removeChatListing(license, id))
  return { threads, events, postings: once(postings).length + words }
}

const once = <T>(all: readonly T[]): T[] => [
  ...new Map(all.map((one) => [JSON.stringify(one), one])).values(),
]

/** The chat's manifests, once no one is at work on what they name. */
const settledManifests = async ({ read, now }: Erasing, chat: string): Promise<Manifest[]> => {
  for (;;) {
    const manifests = await readManifests(read, chat)
    const until = Math.max(0, ...manifests.map((manifest) => manifest.leaseUntil))
    if (until <= now()) return manifests
    await wait(until - now() + 1)
  }
}

/** Where the threads stand in the index. */
const placesOf = (manifests: readonly Manifest[]): (Place & { n: number })[] =>
  once(
    manifests
      .filter(({ n }) => n > 0)
      .flatMap(({ n, indexedState, pendingStates }) =>
        [...(indexedState ? [indexedState] : []), ...pendingStates]
          .filter(({ id }) => id !== '')
          .map(({ at, id }) => ({ n, at, id })),
      ),
  )

/** Where threads stand by their words alone: of such whose own change the index gave up on. */
const unplaced = async (
  { read }: Erasing,
  chat: string,
  known: readonly { n: number }[],
): Promise<(Place & { n: number })[]> => {
  const portions = await read.query({ pk: chatPk(chat), prefix: anyWordsPrefix, strong: true, only: 'sk' })
  const threads = new Set(portions.map(({ sk }) => Number(String(sk).split('#')[1])))
  const heads = await Promise.all(
    [...threads].filter((n) => !known.some((one) => one.n === n)).map((n) => readHead(read, chat, n)),
  )
  return heads.flatMap((head) =>
    head === undefined ? [] : [{ n: head.n, at: head.at, id: threadId(chat, head.n) }],
  )
}

/**
 * Deletes the words that are known to be posted, and those of the messages: an indexer that posted some may
 * have died before it noted them.
 */
const eraseWords = async (
  { read, write }: Erasing,
  { license, chat, texts }: { license: string; chat: string; texts: boolean },
  { n, ...place }: Place & { n: number },
): Promise<number> => {
  const indexed = await readWords(read, chat, n, { strong: true })
  const words = new Set(indexed.words)
  const events = eachOf(itemsAtOnce, async (after: Entry | undefined) => {
    const range = eventsRange(chat, n, (after?.m ?? 0) + 1, lastOrderEver)
    return (await read.query({ ...range, limit: itemsAtOnce, strong: true })).map(parseEntry)
  })
  // of a license that leaves them out there are none: a delete of what is not there costs as much
  if (texts || indexed.portions.length > 0)
    for await (const { event } of events)
      for (const word of event.type === 'message' ? indexedWords(event.text ?? '') : []) words.add(word)
  await write.batch([...words].map((word) => removePosting(license, withWord(word), place)))
  return words.size
}

/** Everything under the chat's key. */
const eraseLog = async (
  { read, write }: Erasing,
  chat: string,
): Promise<Pick<Erased, 'threads' | 'events'>> => {
  const pk = chatPk(chat)
  let [threads, events] = [0, 0]
  for (;;) {
    const items = await read.query({ pk, limit: itemsAtOnce, strong: true, only: 'sk' })
    if (items.length === 0) return { threads, events }
    const found = items.map((item) => ({ pk, sk: String(item['sk']) }))
    await write.batch(found.map((key) => remove(key)))
    const ms = found.map(chatPartOf).flatMap((part) => (part?.item === 'log' ? [part.m] : []))
    threads += ms.filter((m) => m === 0).length
    events += ms.filter((m) => m > 0).length
  }
}
