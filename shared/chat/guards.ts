import { type Chat, requireChatUnchanged } from '../table/chat/chats.ts'
import { requireNotBanned } from '../table/customers.ts'
import type { ConditionalWrite } from '../table/optimistic-write.ts'
import type { CustomerSession, Session } from '../table/sockets.ts'

// What must hold with each attempt of a change beside a chat's log, which alone is ordered with who is in it.

/**
 * What a customer's change holds by: where no thread is active, a ban leaves its chat as it is. `denied`:
 * what it is told.
 */
export const whileNotBanned =
  ({ me, now }: { me: CustomerSession; now: () => number }, denied: string) =>
  (): ConditionalWrite<'customer'> => ({
    op: requireNotBanned(me.license_id, me.customer_id, now()),
    onConditionFailed: 'authorization',
    message: denied,
  })

/**
 * What a bot's change holds by: a bot that has handed a chat over changes it no more, also by requests that
 * were under way. Undefined of a person, who goes on with what it began: two write units less.
 */
export const whileBotIsIn = ({ me }: { me: Session }) =>
  me.bot === true ? (chat: Chat): ConditionalWrite<'chat'> => ({ op: requireChatUnchanged(chat) }) : undefined
