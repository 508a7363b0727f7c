import type { Family } from '../protocol/action.ts'
import type { Key, RawKey } from './keys.ts'

/**
 * The families of items, each by its partition key: `*` stands for an id. IAM policies name families by these
 * patterns, keys are of their form, and whatever is written is of a family by the type of its key.
 */
export const families = {
  licenses: 'LICENSES',
  /** A license with its groups, its agents and their devices. */
  account: 'LICENSE#*',
  agentSockets: 'LICENSE#*#SOCKETS',
  /** The same connections, by what their agents may hear. */
  audience: 'AUDIENCE#*#*',
  chats: 'LICENSE#*#CHATS',
  activeChats: 'LICENSE#*#ACTIVE',
  /** Those of them that wait for an agent. */
  waitingChats: 'LICENSE#*#WAITING',
  /** What changed of a license's chats and customers, for two days. */
  changedChats: 'LICENSE#*#CHANGED',
  loads: 'LICENSE#*#LOAD',
  /** Whether somebody is there for each group of a license. */
  groupStatuses: 'STATUS#*#GROUPS',
  identity: 'IDENTITY#*#*',
  customer: 'CUSTOMER#*#*',
  customerSockets: 'CUSTOMER#*#*#SOCKETS',
  address: 'ADDRESS#*',
  /** What users and licenses ask for in a minute. */
  count: 'COUNT#*#*',
  socket: 'SOCKET#*',
  device: 'DEVICE#*',
  /** A chat with all that stands beside it: its log, its properties, what of it is indexed. */
  chat: 'CHAT#*',
  postings: 'INDEX#*#LIST#*#*',
  marks: 'INDEX#*#MARKS#*',
  keptCounts: 'INDEX#*#COUNTS#*',
} as const satisfies Record<Family, string>

/** The families that every function with the need `read` may read. */
export const common = [
  'account',
  'customer',
  'chat',
  'socket',
  'agentSockets',
  'audience',
  'customerSockets',
] as const satisfies readonly Family[]
export type Common = (typeof common)[number]

/** Whether a key that was read is one of a family. */
export const isKey = (key: RawKey): key is Key =>
  Object.values(families).some((pattern) => isOf(pattern, key.pk))

/** Whether a partition key is one of a family's pattern. */
export const isOf = (pattern: string, pk: string): boolean => {
  const [wanted, parts] = [pattern.split('#'), pk.split('#')]
  return wanted.length === parts.length && wanted.every((one, i) => one === '*' || one === parts[i])
}
