import { chatPrefix, keys, logPrefix, type RawKey, unpart } from './keys.ts'

/**
 * What a changed item is, from its key alone: the stream's workers read it. Undefined: of no concern to them.
 */
export type Changed =
  | { item: 'license'; license: string }
  | { item: 'agent'; license: string; agent: string }
  | { item: 'group'; license: string; group: number }
  | { item: 'load'; license: string; agent: string }
  | { item: 'agentSocket'; license: string; agent: string; connection: string }
  | { item: 'customer'; license: string; customer: string }
  | { item: 'customerSocket'; license: string; customer: string; connection: string }

export const changedOf = ({ pk, sk }: RawKey): Changed | undefined => {
  const [table, escapedLicense, list, ...rest] = pk.split('#')
  if (table === 'CUSTOMER' && escapedLicense !== undefined && list !== undefined) {
    const who = { license: unpart(escapedLicense), customer: unpart(list) }
    return rest.length === 0
      ? { item: 'customer', ...who }
      : { item: 'customerSocket', ...who, connection: unpart(sk) }
  }
  if (table !== 'LICENSE' || escapedLicense === undefined || rest.length > 0) return undefined
  const license = unpart(escapedLicense)
  const [first = '', second = ''] = sk.split('#')
  if (list === 'SOCKETS')
    return { item: 'agentSocket', license, agent: unpart(first), connection: unpart(second) }
  if (list === 'LOAD') return { item: 'load', license, agent: unpart(sk) }
  if (list !== undefined) return undefined
  if (sk === 'LICENSE') return { item: 'license', license }
  if (first === 'GROUP') return { item: 'group', license, group: Number(second) }
  return first === 'AGENT' ? { item: 'agent', license, agent: unpart(second) } : undefined
}

/** What of a chat an item is, as far as the index goes by it, from its key alone. */
export type ChatPart =
  | { item: 'chat' | 'properties'; chat: string }
  /** Event `m` of thread `n`; 0: the thread itself. */
  | { item: 'log'; chat: string; n: number; m: number }

export const chatPartOf = (key: RawKey): ChatPart | undefined => {
  const [table, chat, ...rest] = key.pk.split('#')
  if (table !== 'CHAT' || chat === undefined || rest.length > 0) return undefined
  const id = unpart(chat)
  if (key.sk === chatPrefix) return { item: 'chat', chat: id }
  if (key.sk === keys.chatProperties(id).sk) return { item: 'properties', chat: id }
  const [, n, m] = key.sk.split('#')
  return key.sk.startsWith(logPrefix) ? { item: 'log', chat: id, n: Number(n), m: Number(m) } : undefined
}

/** The user whose mark in a chat an item is, from its key alone. */
export const seenPartOf = ({ pk, sk }: RawKey): { chat: string; user: string } | undefined => {
  const [table, chat, ...rest] = pk.split('#')
  const [first, second, user] = sk.split('#')
  const isMark = table === 'CHAT' && first === chatPrefix && second === 'SEEN' && rest.length === 0
  return isMark && chat !== undefined && user !== undefined
    ? { chat: unpart(chat), user: unpart(user) }
    : undefined
}

/** Whether an item is a customer, from its key alone. */
export const isCustomerKey = ({ sk }: { sk?: unknown }): boolean => sk === 'CUSTOMER'

/** The license whose waiting chats' positions an item is, from its key alone. */
export const queueOfKey = ({ pk, sk }: RawKey): string | undefined => {
  const [table, license, ...rest] = pk.split('#')
  const isQueue = table === 'LICENSE' && license !== undefined && rest.length === 0
  return isQueue && sk === keys.queue(license).sk ? unpart(license) : undefined
}

/** The chat that an entry of a log is in, from its key alone; undefined: it is none. */
export const chatOfEntry = (key: RawKey): string | undefined => {
  const part = chatPartOf(key)
  return part?.item === 'log' ? part.chat : undefined
}
