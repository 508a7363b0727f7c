import { ProtocolError } from '../protocol/errors.ts'
import type { Clock, Reads, Retries, Writes } from '../table/capabilities.ts'
import { putChangedBan } from '../table/chat/changed-chats.ts'
import { readChat, requireChatUnchanged, requireNoChat } from '../table/chat/chats.ts'
import { readTail } from '../table/chat/thread-log.ts'
import { type Ban, type CustomerItem, isErased, readCustomer, setBan } from '../table/customers.ts'
import { customerChatId } from '../table/ids.ts'
import type { Op, Reader } from '../table/ops.ts'
import {
  type Attempt,
  type ChatSnapshot,
  commitAll,
  isConsistentSnapshot,
  retryUntilCommitted,
  wasWrittenBy,
} from '../table/optimistic-write.ts'
import type { Session } from '../table/sockets.ts'
import { type Closing, planClosing } from './close-thread.ts'
import { customerBanned as bannedMessage } from './system-messages.ts'
import type { UsersFamily } from './thread-writes.ts'

const dayS = 24 * 3600

interface Banning extends Reads, Writes<UsersFamily | 'customer'>, Retries, Clock {
  me: Session
  refresh: () => Promise<{ me: Session }>
}

interface Banned {
  ban: Ban
  /** The thread that the ban closed, where one was active. */
  closing: Closing | undefined
}

interface BanView {
  me: Session
  customer: CustomerItem | undefined
  chat: ChatSnapshot | undefined
}

/**
 * Bans a customer and closes its active thread, in one transaction that holds for the chat as it was read: a
 * thread that starts meanwhile is either closed with it, or meets the ban. Throws `not_found` for an unknown
 * customer.
 */
export const banCustomer = async (ctx: Banning, id: string, days: number): Promise<Banned> => {
  const { read, nonce } = ctx
  const readView = async (me: Session): Promise<BanView> => ({
    me,
    ...(await readWithChat(read, me.license_id, id)),
  })
  const retrying = { ...ctx, refresh: async () => readView((await ctx.refresh()).me) }
  return retryUntilCommitted<Banned, BanView>(retrying, await readView(ctx.me), {
    // its ban may have been replaced since
    isOwn: ({ customer, chat }) =>
      customer?.ban_nonce === nonce || (chat !== undefined && wasWrittenBy(chat, nonce)),
    attempt: async ({ me, customer, chat }): Promise<Attempt<Banned> | undefined> => {
      if (customer === undefined || isErased(customer)) throw new ProtocolError('not_found')
      if (chat !== undefined && !isConsistentSnapshot(chat)) return undefined
      const at = ctx.now()
      const ban: Ban = { days, until: Math.floor(at / 1000) + days * dayS, by: me.agent_id }
      const message = (forAgents: boolean) => bannedMessage(me.name, days, forAgents)
      const closing =
        chat?.chat.active === true ? planClosing(chat, me.agent_id, message, { nonce, at }) : undefined
      const unchanged =
        chat === undefined
          ? requireNoChat(customerChatId(me.license_id, id))
          : requireChatUnchanged(chat.chat)
      const ops: Op<UsersFamily | 'customer'>[] = [
        setBan(customer, ban, nonce),
        putChangedBan(me.license_id, id, at),
        ...(closing?.ops ?? [unchanged]),
      ]
      const all = ops.map((op) => ({ op }))
      return { result: { ban, closing }, committed: commitAll(ctx.write, all, nonce) }
    },
  })
}

const readWithChat = async (
  read: Reader,
  license: string,
  id: string,
): Promise<Pick<BanView, 'customer' | 'chat'>> => {
  const chatId = customerChatId(license, id)
  const [customer, chat, tail] = await Promise.all([
    readCustomer(read, license, id),
    readChat(read, chatId),
    readTail(read, chatId, true),
  ])
  return { customer, chat: chat === undefined || tail === undefined ? undefined : { chat, tail } }
}
