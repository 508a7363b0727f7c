import { ProtocolError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'

/** How many words of a message are indexed: its first ones. */
export const mostWordsOfEvent = 200

// 'und' would be the locale of the host; English has no rules of its own for words
const segmenter = new Intl.Segmenter('en', { granularity: 'word' })

// Accents and the points of scripts that are read without them, but neither the voicing marks of kana (が is
// not か) nor the vowel signs of Indic and other scripts, which are letters there. Characters without a width,
// but not the zero-width space, which parts words. Tatweel only stretches a word
const dropped =
  /(?![\u3099\u309A])(?=\p{Script=Inherited})\p{M}|(?=[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}])\p{Mn}|(?!\u200B)[\p{Cf}\p{Default_Ignorable_Code_Point}]|\u0640/gu

// what Unicode decomposes no further, though keyboards without it write so; a sigma's form is one of place
const plain: Readonly<Record<string, string>> = { ł: 'l', ø: 'o', đ: 'd', ħ: 'h', æ: 'ae', œ: 'oe', ς: 'σ' }

// no language writes as many marks in a row: Unicode's stream-safe format allows 30
const mostMarks = 30

/**
 * A text without the marks that follow too many others: normalization sorts a run of them, in quadratic time.
 */
const withFewMarks = (text: string): string =>
  text.replace(/\p{M}+/gu, (marks) =>
    marks.length <= mostMarks ? marks : Array.from(marks).slice(0, mostMarks).join(''),
  )

/**
 * A text folded so that letter case, accents and width make no difference. Folding it again changes nothing.
 */
export const folded = (text: string): string => {
  const decomposed = withFewMarks(
    text
      // before NFKD, which makes a space with an accent of ´, and letters of ™ that would join the word
      // before
      .replaceAll('´', "'")
      .replace(/[™℠]/g, ' ')
      .replace(dropped, ''),
  ).normalize('NFKD')
  // a mark can be made of several: folding again is to find no more of them
  return (
    withFewMarks(decomposed.replace(dropped, ''))
      // ẞ has no capitals but by way of ß
      .toLowerCase()
      .toUpperCase()
      .toLowerCase()
      .replace(/[łøđħæœς]/g, (letter) => plain[letter] ?? letter)
      .replace(/[‘’‛′ʹʻʼʽ`\u055A\u05F3\uA78B\uA78C]/g, "'")
      .replace(/[“”„‟″\u05F4]/g, '"')
      // NFC does not put Thai and Lao am together again, and dictionaries know no other
      .replace(/\u0E4D([\u0E48-\u0E4B]?)\u0E32/g, '$1\u0E33')
      .replace(/\u0ECD([\u0EC8-\u0ECB]?)\u0EB2/g, '$1\u0EB3')
      .normalize('NFC')
  )
}

// Where the segmenter keeps together what people look up by its parts: l'adresse, Ali'nin, total:price, _so_,
// "yes.No", mail.example.com. Numbers (12.50, 1'000) and abbreviations (u.s.a) stay whole, and an apostrophe
// that is spelling
const joints =
  /[:;_]|'(?!(?<=\d')\d|(?<=[\p{sc=Hebrew}\p{sc=Cyrillic}]')[\p{sc=Hebrew}\p{sc=Cyrillic}])|(?<=[\p{L}\p{M}]{2})\.|\.(?=[\p{L}\p{M}]{2})/gu

function* eachWord(text: string): Generator<string> {
  for (const { segment, isWordLike } of segmenter.segment(folded(text).replace(joints, ' ')))
    if (isWordLike === true) yield segment
}

/** The words of a text, folded, in order, with repeats: also those too short or too long for the index. */
export const wordsIn = (text: string): string[] => [...eachWord(text)]

/**
 * Whether a folded word is indexed: of 2 to 40 characters, or a single digit, ideograph or Hangul syllable.
 */
export const isIndexed = (word: string): boolean => /^(?:.{2,40}|[\p{Nd}\p{Script=Han}가-힣])$/su.test(word)

/**
 * The distinct indexed words of a message in the order in which they first occur, at most `mostWordsOfEvent`.
 */
export const indexedWords = (text: string): string[] => {
  const words = new Set<string>()
  for (const word of eachWord(text)) {
    if (isIndexed(word)) words.add(word)
    if (words.size === mostWordsOfEvent) break
  }
  return [...words]
}

const refused = (message: string): ProtocolError =>
  new ProtocolError('validation', { details: [{ path: 'payload.filters.query', message }] })

const noWord =
  'Has no word to look for: of 2 to 40 letters or digits, or a single digit, ideograph or Hangul syllable'

/**
 * The words that a query looks for; of a blank one none. Words that are not indexed are passed over beside
 * others. Throws `validation` for more than it may have, and for none that can be found.
 */
export const queryWords = (query = ''): string[] => {
  if (query.trim() === '') return []
  const words = wordsIn(query)
  if (words.length > limits.queryWords)
    throw refused(`Has ${words.length} words: at most ${limits.queryWords} can be looked for`)
  const indexed = [...new Set(words.filter(isIndexed))]
  if (indexed.length === 0) throw refused(noWord)
  return indexed
}
