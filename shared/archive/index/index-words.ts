import { insertWords, putWords, readWords } from '../../table/archive/manifests.ts'
import { putPosting, removePosting } from '../../table/archive/postings.ts'
import type { Chat } from '../../table/chat/chats.ts'
import { type Entry, readEntriesFrom } from '../../table/chat/thread-log.ts'
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

/** Posts the words of messages that their thread is not found by yet. */
export const addWords = async (ctx: Indexing, thread: Thread, messages: readonly Entry[]): Promise<void> => {
  const { chat, n } = thread
  for (let tries = 1; ; tries += 1) {
    // words that this does not see are posted once more, and what is then written is refused
    const indexed = await readWords(ctx.read, chat.id, n, { strong: tries > 1 })
    if (indexed.words.size >= mostWords) return
    const fresh = await affordableWords(ctx, chat, messages, indexed.words)
    if (fresh.length === 0) return
    await ctx.write.batch(postingsOfWords(thread, fresh))
    const upTo = Math.max(indexed.upTo, ...messages.map(({ m }) => m))
    const { done } = await ctx.write.write(insertWords(chat.id, n, indexed, fresh, upTo))
    if (done) return
    await ctx.pause(tries)
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

/** Posts the words of all messages of a thread, and takes away what it should not be found by. */
export const replaceWords = async (ctx: Indexing, thread: Thread): Promise<void> => {
  for (let tries = 1; !(await tryToReplaceWords(ctx, thread)); tries += 1) await ctx.pause(tries)
}

/** Resolves to whether it did; else somebody else was at it too. */
const tryToReplaceWords = async (ctx: Indexing, thread: Thread): Promise<boolean> => {
  const { chat, n, at } = thread
  const { id, license_id } = chat
  const indexed = await readWords(ctx.read, id, n, { strong: true })
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
