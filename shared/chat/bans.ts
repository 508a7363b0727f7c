import { ProtocolError } from '../protocol/errors.ts'
import { chatAbsent, chatUnchanged, readChat } from '../table/chats.ts'
import { type Ban, type CustomerItem, customerBanned, readCustomer } from '../table/customers.ts'
import { customerChatId } from '../table/keys.ts'
import { readTail } from '../table/log.ts'
import type { Op, Reader, Writer } from '../table/ops.ts'
import type { Session } from '../table/sockets.ts'
import { type ChatView, coherent, isOwnWork } from './place.ts'
import { customerBanned as bannedMessage } from './system-messages.ts'
import { type Closing, closingOf } from './threads.ts'

const dayS = 24 * 3600

interface Banning {
  me: Session
  read: Reader
  write: Writer
  nonce: string
  now(): number
  refresh(): Promise<{ me: Session }>
  pause(tries: number): Promise<void>
}

interface Banned {
  ban: Ban
  /** The thread that the ban closed, where one was active. */
  closing: Closing | undefined
}

/**
 * Bans a customer and closes its active thread, in one transaction that holds for the chat as it was read: a thread that
 * starts meanwhile is either closed with it, or meets the ban. Throws `not_found` for an unknown customer.
 */
export const banCustomer = async (ctx: Banning, id: string, days: number): Promise<Banned> => {
  const { read, nonce } = ctx
  let { me } = ctx
  let attempted: Banned | undefined
  for (let tries = 1; ; tries += 1) {
    const [customer, view] = await readWithChat(read, me.license_id, id)
    if (customer === undefined) throw new ProtocolError('not_found')
    if (attempted !== undefined && isOwnBan(customer, view, nonce)) return attempted
    if (view === undefined || coherent(view)) {
      const at = ctx.now()
      const ban: Ban = { days, until: Math.floor(at / 1000) + days * dayS, by: me.agent_id }
      const message = (forAgents: boolean) => bannedMessage(me.name, days, forAgents)
      const closing =
        view?.chat.active === true ? closingOf({ me, ...view }, message, { nonce, at }) : undefined
      attempted = { ban, closing }
      const unchanged = view === undefined ? chatAbsent(chatOf(customer)) : chatUnchanged(view.chat)
      const ops: Op[] = [customerBanned(customer, ban, nonce), ...(closing?.ops ?? [unchanged])]
      if ((await ctx.write.transact(ops)).length === 0) return attempted
    }
    try {
      await ctx.pause(tries)
    } catch (error) {
      // too late for another attempt; what is answered must be so all the same
      const [last, lastView] = await readWithChat(read, me.license_id, id)
      if (attempted !== undefined && isOwnBan(last, lastView, nonce)) return attempted
      throw error
    }
    me = (await ctx.refresh()).me
  }
}

/** Whether this request wrote what was read, though an answer was lost; its ban may have been replaced since. */
const isOwnBan = (customer: CustomerItem | undefined, view: ChatView | undefined, nonce: string): boolean =>
  customer?.ban_nonce === nonce || (view !== undefined && isOwnWork(view, nonce))

const chatOf = ({ license_id, id }: CustomerItem): string => customerChatId(license_id, id)

const readWithChat = async (
  read: Reader,
  license: string,
  id: string,
): Promise<[CustomerItem | undefined, ChatView | undefined]> => {
  const chatId = customerChatId(license, id)
  const [customer, chat, tail] = await Promise.all([
    readCustomer(read, license, id),
    readChat(read, chatId),
    readTail(read, chatId, true),
  ])
  return [customer, chat === undefined || tail === undefined ? undefined : { chat, tail }]
}
