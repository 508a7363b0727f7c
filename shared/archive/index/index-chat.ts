import { randomBytes } from 'node:crypto'
import pLimit from 'p-limit'
import {
  type IndexedState,
  type Manifest,
  putManifest,
  readManifests,
  setFollowed,
} from '../../table/archive/manifests.ts'
import { dropMarks, putPosting, removePosting } from '../../table/archive/postings.ts'
import { type Chat, readChat } from '../../table/chat/chats.ts'
import { readChats } from '../../table/chat/read-chats.ts'
import { parseEntry, readHead } from '../../table/chat/thread-log.ts'
import { monthOf } from '../../table/keys.ts'
import type { Attributes, Reader } from '../../table/ops.ts'
import { commitOne } from '../../table/optimistic-write.ts'
import type { Indexing } from './context.ts'
import { addWords, replaceWords } from './index-words.ts'
import { indexedStateOf, postingsOf, readChatManifests, theChat } from './indexed-state.ts'
import { accessLists } from './lists.ts'

/** What of a chat may have changed. */
export interface IndexChanges {
  /** Its properties, or its last thread. */
  chat: boolean
  /** The version that changed who may see it and each of its threads; 0: none did. */
  access: number
  /** Numbers of threads of which anything but their events may have changed. */
  threads: ReadonlySet<number>
  /** Events that were added, as they are stored. */
  events: readonly Attributes[]
}

const atOnce = 16

/** How many threads follow a change of who may see their chat in one run: a chat may have thousands. */
export const accessAtOnce = 25

// fewer where they are for many groups and agents: so many postings in one run
const accessPostingsAtOnce = 1000

/**
 * `anew`: writes all that stands in the index once more, also what it should hold by its manifests, with the
 * words of all messages of the threads.
 */
export const indexChat = async (
  ctx: Indexing,
  id: string,
  stale: IndexChanges,
  { anew = false }: { anew?: boolean } = {},
): Promise<void> => {
  const isAccess = stale.access > 0
  const numbers = [...(stale.chat || isAccess ? [theChat] : []), ...stale.threads]
  const older = isAccess ? await threadsBelow(ctx.read, id) : []
  const settled = numbers.length === 0 ? undefined : await settleAll(ctx, id, numbers, older, anew)
  if (isLeft(older) && (await ctx.write.write(setFollowed(id, stale.access))).done)
    await goOnBelow(ctx, id, older, stale.access)
  await indexMessages(ctx, id, stale.events, settled)
  if (!anew || settled === undefined) return
  const limit = pLimit(atOnce)
  const replaced = [...settled.starts].filter(([n]) => n !== theChat)
  await Promise.all(replaced.map(([n, at]) => limit(() => replaceWords(ctx, { chat: settled.chat, n, at }))))
}

/** Indexes the words of those events that are messages. */
const indexMessages = async (
  ctx: Indexing,
  id: string,
  events: readonly Attributes[],
  settled: Settled | undefined,
): Promise<void> => {
  const messages = events.map(parseEntry).filter(({ event }) => event.type === 'message')
  if (messages.length === 0) return
  // strongly consistent: one that was erased has no words to come
  const chat = settled?.chat ?? (await readChat(ctx.read, id))
  if (chat === undefined || !(await ctx.indexesTexts(chat.license_id))) return
  for (const [n, ofThread] of Map.groupBy(messages, (entry) => entry.n)) {
    const isLast = n === chat.thread && chat.started_at > 0
    const at = settled?.starts.get(n) ?? (isLast ? chat.started_at : (await readHead(ctx.read, id, n))?.at)
    if (at !== undefined) await addWords(ctx, { chat, n, at }, ofThread)
  }
}

/**
 * Lets a chat's threads below one follow a change of who may see it: the newest of them, and the others by a
 * run of its own each. What a run finds is what holds by then, so that of two changes the later one stands.
 * `since`: the version of the chat that made the change; a later one has runs of its own, and these end.
 */
export const indexAccess = async (
  ctx: Indexing,
  id: string,
  { below, since }: { below: number; since?: number | undefined },
): Promise<void> => {
  if (since !== undefined) {
    const [ofChat] = await readManifests(ctx.read, id, [theChat])
    if (ofChat !== undefined && ofChat.followed > since) return
  }
  const threads = await threadsBelow(ctx.read, id, below)
  await settleAll(ctx, id, [], threads, false)
  if (isLeft(threads)) await goOnBelow(ctx, id, threads, since)
}

/** The newest threads of a chat, below one, the newest first, as many as one run takes. */
const threadsBelow = async (read: Reader, id: string, below?: number): Promise<number[]> => {
  const chat = await readChat(read, id)
  if (chat === undefined) return []
  const first = below ?? chat.thread + 1
  const affordable = Math.ceil(accessPostingsAtOnce / accessLists('thread', chat).length)
  const length = Math.min(accessAtOnce, affordable)
  return Array.from({ length }, (_, i) => first - 1 - i).filter((n) => n > 0)
}

/** Whether there are older threads than these. */
const isLeft = (threads: readonly number[]): boolean => (threads.at(-1) ?? 0) > 1

const goOnBelow = (
  ctx: Indexing,
  chat: string,
  threads: readonly number[],
  since: number | undefined,
): Promise<void> => ctx.goOn({ job: 'index_access', chat, below: threads.at(-1) ?? 0, since })

interface Settled {
  chat: Chat
  /** When threads began, in ms, by their numbers. */
  starts: ReadonlyMap<number, number>
}

/** Undefined where there is no such chat. */
const settleAll = async (
  ctx: Indexing,
  id: string,
  numbers: readonly number[],
  others: readonly number[],
  anew: boolean,
): Promise<Settled | undefined> => {
  const limit = pLimit(atOnce)
  const leases = new Set<string>()
  const starts = new Map<number, number>()
  let left: readonly number[] | undefined
  for (let tries = 1; ; tries += 1) {
    const manifests = await readChatManifests(ctx.read, id, left ?? numbers, left === undefined ? others : [])
    const [found] = await readChats(ctx.read, [id])
    if (found === undefined) return undefined
    const settled = await Promise.all(
      manifests.map((manifest) =>
        limit(async () => {
          const indexedState = await indexedStateOf(ctx.read, found, manifest, numbers)
          if (indexedState !== undefined) starts.set(manifest.n, indexedState.at)
          return (await settle(ctx, found.chat, manifest, indexedState, { anew, leases })) ? [] : [manifest.n]
        }),
      ),
    )
    left = settled.flat()
    if (left.length === 0) return { chat: found.chat, starts }
    await ctx.pause(tries)
  }
}

/**
 * Makes the postings of one manifest what they should be; resolves to whether it did: else somebody else is
 * at it, or was faster. `leases` are this run's own, which it need not wait for. The manifest says what is to
 * be written before anything is, so that whatever a run leaves behind is known.
 */
const settle = async (
  ctx: Indexing,
  chat: Chat,
  manifest: Manifest,
  indexedState: IndexedState | undefined,
  { anew, leases }: { anew: boolean; leases: Set<string> },
): Promise<boolean> => {
  const { write } = ctx
  const { license_id, id } = chat
  const before = postingsOf(manifest.indexedState)
  const pendingStates = manifest.pendingStates.map(postingsOf)
  const wanted = postingsOf(indexedState)
  const isCertain = (name: string) =>
    !anew && before.has(name) && pendingStates.every((postings) => postings.has(name))
  const puts = [...wanted].filter(([name]) => !isCertain(name)).map(([, posting]) => posting)
  const known = new Map([before, ...pendingStates].flatMap((postings) => [...postings]))
  const deletes = [...known].filter(([name]) => !wanted.has(name)).map(([, posting]) => posting)
  if (puts.length === 0 && deletes.length === 0 && manifest.pendingStates.length === 0) return true
  if (manifest.leaseUntil > ctx.now() && !leases.has(manifest.nonce)) return false

  const nonce = randomBytes(6).toString('base64url')
  leases.add(nonce)
  const meant = [...manifest.pendingStates, ...(indexedState === undefined ? [] : [indexedState])]
  const { followed } = manifest
  const lease = {
    indexedState: manifest.indexedState,
    pendingStates: meant,
    leaseUntil: ctx.endsAt,
    nonce,
    followed,
  }
  if (!(await commitOne(write, putManifest(id, manifest, lease), nonce))) return false
  const mine = { n: manifest.n, version: manifest.version + 1 }
  try {
    await write.batch([
      ...deletes.map(({ list, ...place }) => removePosting(license_id, list, place)),
      ...puts.map(({ list, ...place }) => putPosting(license_id, list, place)),
    ])
    await dropKept(ctx, license_id, [...puts, ...deletes])
    const settled = { indexedState, pendingStates: [], leaseUntil: 0, nonce: `${nonce}.`, followed }
    return await commitOne(write, putManifest(id, mine, settled), settled.nonce)
  } catch (error) {
    // the next run need not wait for this one
    await write.write(putManifest(id, mine, { ...lease, leaseUntil: 0 })).catch(() => {})
    throw error
  }
}

/** Counts that were kept of past months are none any more. */
const dropKept = async (
  ctx: Indexing,
  license: string,
  changed: readonly { list: string; at: number }[],
): Promise<void> => {
  const current = monthOf(ctx.now())
  const months = changed
    .map(({ list, at }) => ({ list, month: monthOf(at) }))
    .filter(({ month }) => month < current)
  await dropMarks(ctx, license, months)
}
