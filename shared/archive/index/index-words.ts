import { utf8Bytes } from '../../protocol/fields.ts'
import { insertWords, putWords, readWords } from '../../table/archive/manifests.ts'
import { putPosting, removePosting } from '../../table/archive/postings.ts'
import { type Chat, readChat } from '../../table/chat/chats.ts'
import { type Entry, readEntriesFrom, readHead } from '../../table/chat/thread-log.ts'
import { count, countedLicense } from '../../table/counters.ts'
import { threadId } from '../../table/ids.ts'
import type { Op, Reader } from '../../table/ops.ts'
import type { Indexing } from './context.ts'
import { withWord } from './lists.ts'
import { indexedWords } from './words.ts'

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

export interface Thread {
  chat: Chat
  n: number
  /** When it began, in ms. */
  at: number
}

/** Posts the words of messages that came since words were last taken; `anew`: of all messages. */
export const indexWords = async (
  ctx: Indexing,
  thread: Thread,
  { anew }: { anew: boolean },
): Promise<void> => {
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
