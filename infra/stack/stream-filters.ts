import { chatPk, keys, licensePk, logPrefix } from '../../shared/table/keys.ts'

// Which records of the table's stream each worker gets, in Lambda's filter patterns: the stack deploys them
// and the local stream goes by them.

/** What a leaf of a filter pattern lists. */
export type Match = string | { prefix: string } | { suffix: string }

/**
 * The part of Lambda's filter patterns that the local stack knows, such as
 * `{ eventName: ['REMOVE'], dynamodb: { Keys: { pk: { S: [{ prefix: 'SOCKET#' }] } } } }`.
 * A leaf lists alternatives; all leaves must match.
 */
export type FilterPattern = { [field: string]: FilterPattern | Match[] }

/** Whatever stands under keys that begin so. */
const under = (prefix: string): FilterPattern => ({ dynamodb: { Keys: { pk: { S: [{ prefix }] } } } })

const ofChat = (sk: FilterPattern[string], image: FilterPattern = {}): FilterPattern => ({
  dynamodb: { Keys: { pk: { S: [{ prefix: chatPk('') }] }, sk: { S: sk } }, ...image },
})

/** Accounts and presence. */
export const ofAccounts: FilterPattern[] = [under(licensePk('')), under('CUSTOMER#')]

/** Whatever is appended to a chat's log. */
export const newEntries: FilterPattern = { eventName: ['INSERT'], ...ofChat([{ prefix: logPrefix }]) }

/**
 * What events tell of beside accounts and customers: chats, their properties, up to when they were seen,
 * logs.
 */
export const ofEvents: FilterPattern = {
  eventName: ['INSERT', 'MODIFY'],
  ...ofChat([{ prefix: keys.chat('').sk }, { prefix: logPrefix }]),
}

const headEnd = keys.thread('', 0).sk.slice(-9)
const message = { NewImage: { event: { M: { type: { S: ['message'] } } } } }

/** What the index goes by: chats, their properties and their threads; of what is in a log, messages. */
export const indexed: FilterPattern[] = [
  ofChat([keys.chat('').sk, keys.chatProperties('').sk]),
  ofChat([{ suffix: headEnd }]),
  ofChat([{ prefix: logPrefix }], message),
]
