import * as z from 'zod/mini'
import { utf8Bytes } from '../../protocol/fields.ts'
import { lastNumberOf } from '../key-prefixes.ts'
import { chatPk, type Key, keys, manifestPrefix, wordsPrefix } from '../keys.ts'
import type { Op, Reader } from '../ops.ts'
import { absent, absentOr, and, type Condition, exists, is, put, remove, update } from '../update.ts'

// What of a chat stands in the index, beside the chat itself.

const IndexedState = z.object({
  /** A time in ms and an id: which posting it is. */
  at: z.int(),
  id: z.string(),
  lists: z.array(z.string()),
})
/** A posting in each of some lists. */
export type IndexedState = z.output<typeof IndexedState>

/**
 * `CHAT#<chat>` / `INDEX#<n>`: in which lists thread `n` stands; 0: the chat itself. While its postings are
 * being changed it says what to: whoever finds it so later than `until` (ms) does not know which of them are
 * there.
 */
const ManifestItem = z.object({
  sk: z.string(),
  version: z.int(),
  standing: IndexedState,
  doubtful: z._default(z.array(IndexedState), []),
  until: z._default(z.int(), 0),
  /** Of the write that made it so. */
  nonce: z._default(z.string(), ''),
  followed: z._default(z.int(), 0),
})
export interface Manifest {
  n: number
  /** 0: nothing is indexed yet. */
  version: number
  indexedState: IndexedState | undefined
  /** What a run that has the lease, or had it and ended early, may have put. */
  pendingStates: readonly IndexedState[]
  /** Until when (ms) the run that changes it has the lease. */
  leaseUntil: number
  nonce: string
  /** Of the chat itself: the version whose access its older threads are to follow; 0: of none. */
  followed: number
}

const parse = (item: unknown): Manifest => {
  const { sk, standing, doubtful, until, ...rest } = ManifestItem.parse(item)
  const states = { indexedState: standing, pendingStates: doubtful, leaseUntil: until }
  return { n: lastNumberOf({ sk }), ...states, ...rest }
}

const unindexed = (n: number): Manifest => ({
  n,
  version: 0,
  indexedState: undefined,
  pendingStates: [],
  leaseUntil: 0,
  nonce: '',
  followed: 0,
})

/** Manifests of the threads `numbers`; without these, all that there are. Strongly consistent. */
export const readManifests = async (
  read: Reader,
  chat: string,
  numbers?: Iterable<number>,
): Promise<Manifest[]> => {
  if (numbers === undefined)
    return (await read.query({ pk: chatPk(chat), prefix: manifestPrefix, strong: true })).map(parse)
  const all = [...numbers]
  const items = await read.batchGet(
    all.map((n) => keys.manifest(chat, n)),
    { strong: true },
  )
  const found = new Map(items.map(parse).map((manifest) => [manifest.n, manifest]))
  return all.map((n) => found.get(n) ?? unindexed(n))
}

/** Replaces a manifest as it was read: conditional on its version, which this raises. */
export const putManifest = (
  chat: string,
  before: Pick<Manifest, 'n' | 'version'>,
  after: Omit<Manifest, 'n' | 'version'>,
): Op<'chat'> =>
  put(
    keys.manifest(chat, before.n),
    {
      version: before.version + 1,
      // by which a writer whose answer was lost knows its own work
      nonce: after.nonce,
      standing: after.indexedState ?? { at: 0, id: '', lists: [] },
      ...(after.pendingStates.length === 0 ? {} : { doubtful: after.pendingStates, until: after.leaseUntil }),
      ...(after.followed === 0 ? {} : { followed: after.followed }),
    },
    before.version === 0 ? absent() : is({ version: before.version }),
  )

/**
 * Lets the next run at once at what a run left that was killed: nobody is at the postings of thread `n` any
 * more.
 */
export const releaseManifest = (chat: string, n: number): Op<'chat'> =>
  update(keys.manifest(chat, n), { remove: ['until'] })

/**
 * Notes the version of a chat whose access its older threads are to follow; refused where that is a later one
 * already. A change of the manifest that is under way may undo it: then two of them are followed.
 */
export const setFollowed = (chat: string, version: number): Op<'chat'> =>
  update(keys.manifest(chat, 0), {
    set: { followed: version },
    when: and(exists(), absentOr('followed', '<=', version)),
  })

/**
 * `CHAT#<chat>` / `WORDS#<n>#<k>`: a portion of the words that thread `n` is found by, small, since each
 * message that adds to it writes it whole. The last one says up to which event the words were taken.
 */
const PortionItem = z.object({ sk: z.string(), words: z.array(z.string()), up_to: z.int() })
interface Portion {
  k: number
  words: string[]
  upTo: number
}

export interface IndexedWords {
  words: ReadonlySet<string>
  upTo: number
  /** By number. */
  portions: readonly Portion[]
}

export const readWords = async (
  read: Reader,
  chat: string,
  n: number,
  { strong }: { strong: boolean },
): Promise<IndexedWords> => {
  const items = await read.query({ pk: chatPk(chat), prefix: wordsPrefix(n), strong })
  const portions = items
    .map((item) => PortionItem.parse(item))
    .map(({ sk, words, up_to }) => ({ k: lastNumberOf({ sk }), words, upTo: up_to }))
  return {
    words: new Set(portions.flatMap(({ words }) => words)),
    upTo: portions.at(-1)?.upTo ?? 0,
    portions,
  }
}

const portionBytes = 900
const bytesOf = (words: readonly string[]): number =>
  words.reduce((sum, word) => sum + utf8Bytes(word) + 1, 0)

// words that are written anew are cut into other portions up to the same event
const asRead = ({ words, upTo }: Omit<Portion, 'k'>): Condition => is({ up_to: upTo, words })

const portionPut = (
  key: Key<'chat'>,
  { words, upTo }: Omit<Portion, 'k'>,
  before: Omit<Portion, 'k'> | undefined,
): Op<'chat'> => put(key, { words, up_to: upTo }, before === undefined ? absent() : asRead(before))

/** Words are added, and were taken up to event `upTo`; refused where somebody else has added some since. */
export const insertWords = (
  chat: string,
  n: number,
  { portions }: IndexedWords,
  words: readonly string[],
  upTo: number,
): Op<'chat'> => {
  const last = portions.at(-1)
  const fits = last !== undefined && bytesOf(last.words) + bytesOf(words) <= portionBytes
  return fits
    ? portionPut(keys.words(chat, n, last.k), { words: [...last.words, ...words], upTo }, last)
    : portionPut(keys.words(chat, n, (last?.k ?? -1) + 1), { words: [...words], upTo }, undefined)
}

// a transaction takes a hundred
const mostPortions = 40

/** All words anew, in place of those that were read; refused where somebody else has added some since. */
export const putWords = (
  chat: string,
  n: number,
  { portions: before }: IndexedWords,
  words: readonly string[],
  upTo: number,
): Op<'chat'>[][] => {
  const most = Math.max(portionBytes, Math.ceil(bytesOf(words) / mostPortions))
  const portions: string[][] = words.length === 0 && before.length === 0 ? [] : [[]]
  for (const word of words) {
    const last = portions.at(-1)
    if (last === undefined || bytesOf(last) + bytesOf([word]) > most) portions.push([word])
    else last.push(word)
  }
  const puts = portions.map((some, k) => {
    const same = before.find((portion) => portion.k === k)
    return portionPut(keys.words(chat, n, k), { words: some, upTo }, same)
  })
  const deletes = before
    .filter(({ k }) => k >= portions.length)
    .map((portion) => remove(keys.words(chat, n, portion.k), asRead(portion)))
  // the last ones go first
  const rest = deletes.toReversed()
  const first = rest.splice(0, Math.max(0, rest.length - mostPortions))
  const parts = Array.from({ length: Math.ceil(first.length / 100) }, (_, i) =>
    first.slice(i * 100, i * 100 + 100),
  )
  return [...parts, [...puts, ...rest]].filter((ops) => ops.length > 0)
}
