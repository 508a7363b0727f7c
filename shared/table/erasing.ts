import * as z from 'zod/mini'
import { type Chat, ChatItem } from './chat/chats.ts'
import { putEntry } from './chat/log-entries.ts'
import { type Entry, parseEntry } from './chat/thread-log.ts'
import { keys } from './keys.ts'
import type { Attributes, Op, Reader } from './ops.ts'
import { absent, exists, is, put, remove, update } from './update.ts'

/**
 * `CUSTOMER#<l>#<c>` / `CUSTOMER` of a customer whose data are erased. Banned by it, so that whatever is
 * conditional on no ban meets it; it goes with the last token that says who the customer was.
 */
const ErasedItem = z.object({
  erased_at: z.int(),
  /** Until its logs are gone too. */
  erasing: z._default(z.boolean(), false),
  /** How its active thread was closed, for those who are still to be told. `entry`: as the log had it. */
  closing: z.optional(z.object({ chat: ChatItem, entry: z.record(z.string(), z.unknown()) })),
  /** Its chat as it was, where it had no active thread. */
  chat: z.optional(ChatItem),
})
export interface ErasedCustomer {
  /** In ms. */
  erasedAt: number
  erasing: boolean
  closing: { chat: Chat; entry: Entry } | undefined
  /** Its chat as it was, with the active thread closed; undefined: it had none, or nobody is told of it. */
  chat: Chat | undefined
}

/** Strongly consistent. Undefined where the customer is not erased. */
export const readErased = async (
  read: Reader,
  license: string,
  customer: string,
): Promise<ErasedCustomer | undefined> => {
  const item = await read.get(keys.customer(license, customer), { strong: true })
  return item === undefined ? undefined : parseErased(item)
}

/** How a customer is erased, by its item; undefined where it is not. */
export const parseErased = (item: Attributes): ErasedCustomer | undefined => {
  if (item['erased_at'] === undefined) return undefined
  const { erased_at, erasing, closing, chat } = ErasedItem.parse(item)
  return {
    erasedAt: erased_at,
    erasing,
    closing: closing && { chat: closing.chat, entry: parseEntry(closing.entry) },
    chat: closing?.chat ?? chat,
  }
}

/**
 * Replaces all that is known of a customer, unless it is erased already. `untilS`: until when its tokens
 * last.
 */
export const setErased = (
  license: string,
  customer: string,
  {
    nowMs,
    untilS,
    closing,
    chat,
  }: {
    nowMs: number
    untilS: number
    closing?: { chat: Chat; entry: Entry } | undefined
    /** Its chat, for those who are to be told that it is gone. */
    chat?: Chat | undefined
  },
): Op<'customer'> =>
  put(
    keys.customer(license, customer),
    {
      id: customer,
      license_id: license,
      erased_at: nowMs,
      erasing: true,
      ban: { days: 0, until: untilS, by: '' },
      ttl: untilS,
      ...(closing === undefined
        ? { chat }
        : { closing: { chat: closing.chat, entry: itemOf(closing.chat.id, closing.entry) } }),
    },
    absent('erased_at'),
  )

const itemOf = (chat: string, entry: Entry) => {
  const op = putEntry(chat, entry)
  return 'Put' in op ? op.Put.Item : {}
}

/** Nothing of the customer is left but that it was erased. */
export const removeErasure = (license: string, customer: string): Op<'customer'> =>
  update(keys.customer(license, customer), {
    remove: ['erasing', 'closing', 'chat'],
    when: exists('erased_at'),
  })

/** Deletes a chat as it was read: nothing begins in it any more. What stands beside it stays. */
export const removeChat = ({ id, version }: Pick<Chat, 'id' | 'version'>): Op<'chat'> =>
  remove(keys.chat(id), is({ version }))

export const removeChatListing = (license: string, chat: string): Op<'chats'> =>
  remove(keys.chatListed(license, chat))
