import { randomBytes } from 'node:crypto'
import pLimit from 'p-limit'
import { utf8Bytes } from '../../protocol/fields.ts'
import { count, countedLicense } from '../../table/counters.ts'
import { readChat, readChats, type Chat, type ChatRecord } from '../../table/chats.ts'
import type { Common } from '../../table/families.ts'
import { monthOf, threadId } from '../../table/keys.ts'
import { type Entry, type Head, readEntriesFrom, readHead } from '../../table/thread-log.ts'
import type { Job } from '../../jobs/job-queue.ts'
import {
  setFollowed,
  type Manifest,
  putManifest,
  readManifests,
  readWords,
  type Standing,
  insertWords,
  putWords,
} from '../../table/manifests.ts'
import type { Op, Reader, Writer } from '../../table/ops.ts'
import { dropMarks, type Place, putPosting, removePosting } from '../../table/postings.ts'
import { accessLists, chatLists, isOfAccess, threadLists, withWord } from './lists.ts'
import { commitOne } from '../../table/optimistic-write.ts'
import { indexedWords } from './words.ts'

// Brings the index in line with chats as they are. Whatever it is told has changed, it reads everything anew,
// after the manifest that it then replaces: so it may run twice, late, and beside itself.

/** What a run leaves to another one. */
export type IndexJob = Extract<Job, { job: 'index_access' | 'index_words' }>

export interface Indexing {
  read: Reader<Common | 'marks'>
  write: Writer<'chat' | 'postings' | 'marks' | 'count'>
  now: () => number
  /** By when (ms) every call of this run has ended. */
  endsAt: number
  /** Waits a short random time before attempt `tries`; throws where it is too late for another. */
  pause: (tries: number) => Promise<void>
  /** Whether a license has the texts of its messages indexed. */
  indexesTexts: (license: string) => Promise<boolean>
  /** Hands what is left to a run of its own. */
  goOn: (job: IndexJob) => Promise<void>
}

/** What of a chat may have changed. */
export interface IndexChanges {
  /** Its properties, or its last thread. */
  chat: boolean
  /** The version that changed who may see it and each of its threads; 0: none did. */
  access: number
  /** Numbers of threads of which anything may have changed. */
  threads: ReadonlySet<number>
}

const atOnce = 16
const theChat = 0
/** How many threads follow a change of who may see their chat in one run: a chat may have thousands. */
export const accessAtOnce = 25
// fewer where they are for many groups and agents: so many postings in one run
const accessPostingsAtOnce = 1000

/** `anew`: writes all that stands in the index once more, also what it should hold by its manifests. */
export const indexChat = async (
  ctx: Indexing,
  id: string,
  stale: IndexChanges,
  { anew = false }: { anew?: boolean } = {},
): Promise<void> => {
  const isAccess = stale.access > 0
  const numbers = [...(stale.chat || isAccess ? [theChat] : []), ...stale.threads]
  const older = isAccess ? await threadsBelow(ctx.read, id) : []
  const settled = await settleAll(ctx, id, numbers, older, anew)
  if (isLeft(older) && (await ctx.write.write(setFollowed(id, stale.access))).done)
    await goOnBelow(ctx, id, older, stale.access)
  if (settled === undefined || (!anew && !(await ctx.indexesTexts(settled.chat.license_id)))) return
  const limit = pLimit(atOnce)
  const threads = [...stale.threads].flatMap((n): Thread[] => {
    const at = settled.starts.get(n)
    return at === undefined ? [] : [{ chat: settled.chat, n, at }]
  })
  await Promise.all(threads.map((thread) => limit(() => indexWords(ctx, thread, { anew }))))
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
  const claims = new Set<string>()
  const starts = new Map<number, number>()
  let left: readonly number[] | undefined
  for (let tries = 1; ; tries += 1) {
    const manifests = await manifestsOf(ctx.read, id, left ?? numbers, left === undefined ? others : [])
    const [found] = await readChats(ctx.read, [id])
    if (found === undefined) return undefined
    const settled = await Promise.all(
      manifests.map((manifest) =>
        limit(async () => {
          const standing = await standingOf(ctx.read, found, manifest, numbers)
          if (standing !== undefined) starts.set(manifest.n, standing.at)
          return (await settle(ctx, found.chat, manifest, standing, { anew, claims })) ? [] : [manifest.n]
        }),
      ),
    )
    left = settled.flat()
    if (left.length === 0) return { chat: found.chat, starts }
    await ctx.pause(tries)
  }
}

/** Of `others` only those that are indexed: of a thread that is not, a record comes that says so. */
const manifestsOf = async (
  read: Reader,
  chat: string,
  numbers: readonly number[],
  others: readonly number[],
): Promise<Manifest[]> => {
  const further = others.filter((n) => !numbers.includes(n))
  const manifests = await readManifests(read, chat, [...numbers, ...further])
  return manifests.filter(({ n, version }) => version > 0 || numbers.includes(n))
}

/** Where a thread, or the chat itself, is to stand; undefined: nowhere, since there is none. */
const standingOf = async (
  read: Reader,
  { chat, properties }: Omit<ChatRecord, 'seen'>,
  { n, standing }: Manifest,
  numbers: readonly number[],
): Promise<Standing | undefined> => {
  if (n === theChat)
    return {
      at: chat.started_at,
      id: threadId(chat.id, chat.thread),
      lists: chatLists(chat, properties),
    }
  // of this thread nothing else has changed
  if (standing !== undefined && standing.id !== '' && !numbers.includes(n)) {
    const own = standing.lists.filter((list) => !isOfAccess(list))
    return { ...standing, lists: [...own, ...accessLists('thread', chat)] }
  }
  const head = await readHead(read, chat.id, n)
  return head === undefined ? undefined : standingOfThread(chat, head)
}

const standingOfThread = (chat: Chat, head: Head): Standing => ({
  at: head.at,
  id: threadId(chat.id, head.n),
  lists: threadLists(chat, head),
})

/** One posting each, named. */
const postingsOf = (standing: Standing | undefined): Map<string, Place & { list: string }> => {
  if (standing === undefined) return new Map()
  const { at, id, lists } = standing
  return new Map(lists.map((list) => [`${at} ${id} ${list}`, { list, at, id }]))
}

/**
 * Makes the postings of one manifest what they should be; resolves to whether it did: else somebody else is
 * at it, or was faster. `claims` are this run's own, which it need not wait for. The manifest says what is to
 * be written before anything is, so that whatever a run leaves behind is known.
 */
const settle = async (
  ctx: Indexing,
  chat: Chat,
  manifest: Manifest,
  standing: Standing | undefined,
  { anew, claims }: { anew: boolean; claims: Set<string> },
): Promise<boolean> => {
  const { write } = ctx
  const { license_id, id } = chat
  const before = postingsOf(manifest.standing)
  const doubtful = manifest.doubtful.map(postingsOf)
  const wanted = postingsOf(standing)
  const isCertain = (name: string) =>
    !anew && before.has(name) && doubtful.every((postings) => postings.has(name))
  const puts = [...wanted].filter(([name]) => !isCertain(name)).map(([, posting]) => posting)
  const known = new Map([before, ...doubtful].flatMap((postings) => [...postings]))
  const deletes = [...known].filter(([name]) => !wanted.has(name)).map(([, posting]) => posting)
  if (puts.length === 0 && deletes.length === 0 && manifest.doubtful.length === 0) return true
  if (manifest.until > ctx.now() && !claims.has(manifest.nonce)) return false

  const nonce = randomBytes(6).toString('base64url')
  claims.add(nonce)
  const meant = [...manifest.doubtful, ...(standing === undefined ? [] : [standing])]
  const { followed } = manifest
  const claim = { standing: manifest.standing, doubtful: meant, until: ctx.endsAt, nonce, followed }
  if (!(await commitOne(write, putManifest(id, manifest, claim), nonce))) return false
  const mine = { n: manifest.n, version: manifest.version + 1 }
  try {
    await write.batch([
      ...deletes.map(({ list, ...place }) => removePosting(license_id, list, place)),
      ...puts.map(({ list, ...place }) => putPosting(license_id, list, place)),
    ])
    await dropKept(ctx, license_id, [...puts, ...deletes])
    const settled = { standing, doubtful: [], until: 0, nonce: `${nonce}.`, followed }
    return await commitOne(write, putManifest(id, mine, settled), settled.nonce)
  } catch (error) {
    // the next run need not wait for this one
    await write.write(putManifest(id, mine, { ...claim, until: 0 })).catch(() => {})
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

// of a thread
const mostWords = 2000
// more are not read at a time: they are as large as requests are
const entriesAtOnce = 25
// what had no new word is read again with the next message, up to so much of it
const rereadBytes = 4096
/** How much of a thread one run reads that is far behind, and what it began to read. */
export const wordsAtOnceBytes = 64 * 1024

// Of a message of a customer so many new words are indexed in any case: they cost less than the message does
const freeWords = 25
/** How many more words messages of a license's customers may bring in a minute. Others are not indexed. */
export const mostWordsOfCustomers = 20_000

interface Thread {
  chat: Chat
  n: number
  /** When it began, in ms. */
  at: number
}

/** Posts the words of messages that came since words were last taken; `anew`: of all messages. */
const indexWords = async (ctx: Indexing, thread: Thread, { anew }: { anew: boolean }): Promise<void> => {
  for (let tries = 1; !(await (anew ? replaceWords : addWords)(ctx, thread)); tries += 1)
    await ctx.pause(tries)
}

/** Goes on with the words of a thread that one run did not come to the end of. */
export const indexMoreWords = async (ctx: Indexing, id: string, n: number): Promise<void> => {
  const [chat, head] = await Promise.all([readChat(ctx.read, id), readHead(ctx.read, id, n)])
  if (chat === undefined || head === undefined || !(await ctx.indexesTexts(chat.license_id))) return
  await indexWords(ctx, { chat, n, at: head.at }, { anew: false })
}

/** Resolves to whether all is done, or handed on; else somebody else was at it too. */
const addWords = async (ctx: Indexing, thread: Thread): Promise<boolean> => {
  const { chat, n } = thread
  let readBytes = 0
  for (;;) {
    const indexed = await readWords(ctx.read, chat.id, n)
    if (indexed.words.size >= mostWords) return true
    const entries = await readEntries(ctx.read, thread, indexed.upTo)
    const last = entries.at(-1)
    if (last === undefined) return true
    const fresh = await affordableWords(ctx, chat, entries, indexed.words)
    if (fresh.length > 0) await ctx.write.batch(postingsOfWords(thread, fresh))
    const bytes = bytesOf(entries)
    const isPage = entries.length === entriesAtOnce
    if (fresh.length > 0 || isPage || bytes > rereadBytes) {
      const { done } = await ctx.write.write(insertWords(chat.id, n, indexed, fresh, last.m))
      if (!done) return false
    }
    if (!isPage) return true
    readBytes += bytes
    if (readBytes > wordsAtOnceBytes) {
      await ctx.goOn({ job: 'index_words', chat: chat.id, thread: n })
      return true
    }
  }
}

/**
 * The new words of messages; of those of customers only the first ones, where their license's customers have
 * brought too many in this minute.
 */
const affordableWords = async (
  ctx: Indexing,
  { license_id, users }: Chat,
  entries: readonly Entry[],
  known: ReadonlySet<string>,
): Promise<string[]> => {
  const customers = new Set(users.filter(({ type }) => type === 'customer').map(({ id }) => id))
  const all = wordsOf(entries, known)
  const few = wordsOf(entries, known, (author) => (customers.has(author) ? freeWords : mostWords))
  const by = all.length - few.length
  if (by === 0) return all
  const counts = await count(ctx.write, countedLicense(license_id), 'words', ctx.now(), { by })
  return counts.count > mostWordsOfCustomers ? few : all
}

const replaceWords = async (ctx: Indexing, thread: Thread): Promise<boolean> => {
  const { chat, n, at } = thread
  const { id, license_id } = chat
  const indexed = await readWords(ctx.read, id, n)
  const words = new Set<string>()
  let upTo = 0
  if (await ctx.indexesTexts(license_id))
    for (let more = true; more && words.size < mostWords;) {
      const entries = await readEntries(ctx.read, thread, upTo)
      for (const word of wordsOf(entries, words)) words.add(word)
      upTo = entries.at(-1)?.m ?? upTo
      more = entries.length === entriesAtOnce
    }
  const gone = [...indexed.words].filter((word) => !words.has(word))
  await ctx.write.batch([
    ...postingsOfWords(thread, [...words]),
    ...gone.map((word) => removePosting(license_id, withWord(word), { at, id: threadId(id, n) })),
  ])
  for (const ops of putWords(id, n, indexed, [...words], upTo))
    if ((await ctx.write.transact(ops)).length > 0) return false
  return true
}

const postingsOfWords = ({ chat, n, at }: Thread, words: readonly string[]): Op<'postings'>[] =>
  words.map((word) => putPosting(chat.license_id, withWord(word), { at, id: threadId(chat.id, n) }))

/** The next entries of a thread, behind one. */
const readEntries = (read: Reader, { chat, n }: Thread, after: number): Promise<Entry[]> =>
  readEntriesFrom(read, chat.id, { n, m: after + 1 }, entriesAtOnce)

const bytesOf = (entries: readonly Entry[]): number =>
  entries.reduce((sum, { event }) => sum + utf8Bytes(JSON.stringify(event)), 0)

/**
 * The words of messages that are not known yet, as many as a thread may still have. `most`: how many a
 * message of this author may bring.
 */
const wordsOf = (
  entries: readonly Entry[],
  known: ReadonlySet<string>,
  most: (author: string) => number = () => mostWords,
): string[] => {
  const fresh = new Set<string>()
  for (const { event } of entries) {
    if (event.type !== 'message') continue
    const end = Math.min(mostWords - known.size, fresh.size + most(event.author_id ?? ''))
    for (const word of indexedWords(event.text ?? ''))
      if (!known.has(word) && fresh.size < end) fresh.add(word)
  }
  return [...fresh]
}
