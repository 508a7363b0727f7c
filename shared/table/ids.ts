import { createHash } from 'node:crypto'

/** The addresses that thread and event ids are: `<chat>_<n>` and `<chat>_<n>_<m>`. */
export const threadId = (chat: string, n: number): string => `${chat}_${n}`

export const eventId = (chat: string, n: number, m: number): string => `${chat}_${n}_${m}`

const number = '([1-9][0-9]{0,7})'

const chatIdPattern = /^[0-9a-z]{1,64}$/

const eventIdPattern = new RegExp(`^([0-9a-z]{1,64})_${number}_${number}$`)

const threadIdPattern = new RegExp(`^([0-9a-z]{1,64})_${number}$`)

/** Whether an id from a client can be one of a chat: others are not even looked up. */
export const isChatId = (id: unknown): id is string => typeof id === 'string' && chatIdPattern.test(id)

/** The chat and the number of the thread that an id is of; undefined: it is none of a thread. */
export const addressOfThread = (id: string): { chat: string; n: number } | undefined => {
  const [, chat, n] = threadIdPattern.exec(id) ?? []
  return chat === undefined ? undefined : { chat, n: Number(n) }
}

/** The chat that a thread's id is of; empty where it is none of a thread. */
export const chatOfThread = (id: string): string => addressOfThread(id)?.chat ?? ''

/** The number of the thread that `id` names in this chat; undefined: no thread of it has this id. */
export const threadNumberOf = (chat: string, id: string): number | undefined => {
  const address = addressOfThread(id)
  return address?.chat === chat ? address.n : undefined
}

/**
 * The numbers of the event that `id` names in this chat, and of its thread; undefined: none of it has this
 * id.
 */
export const eventAddressOf = (chat: string, id: string): { n: number; m: number } | undefined => {
  const [, owner, n, m] = eventIdPattern.exec(id) ?? []
  return owner === chat ? { n: Number(n), m: Number(m) } : undefined
}

/**
 * The one chat of a customer: a function of both ids, so that its first put is the lock on "one chat". Longer
 * than any other chat's id.
 */
export const customerChatId = (license: string, customer: string): string =>
  BigInt(
    `0x${createHash('sha256')
      .update(JSON.stringify([license, customer]))
      .digest('hex')}`,
  )
    .toString(36)
    .padStart(50, '0')
