import { hasAccess } from '../../access/permissions.ts'
import { ProtocolError } from '../../protocol/errors.ts'
import { readChat } from '../../table/chat/chats.ts'
import { parseProperties, readProperties } from '../../table/chat/stored-properties.ts'
import { readTail } from '../../table/chat/thread-log.ts'
import { isBanned, isErased, readCustomer } from '../../table/customers.ts'
import { customerChatId } from '../../table/ids.ts'
import type { Reader } from '../../table/ops.ts'
import {
  type Attempt,
  commitAll,
  isConsistentSnapshot,
  retryUntilCommitted,
  wasWrittenBy,
} from '../../table/optimistic-write.ts'
import { type AnySession, isCustomers, type Visitor } from '../../table/sockets.ts'
import { readRoutingState } from '../routing-state.ts'
import { groupsExist } from '../scopes.ts'
import { add, membersOf, type StartView, withMembers } from './continue-chat.ts'
import { agentChecks, eventsOf, isEmpty, type NewChat, type Started, type Starting } from './new-chat.ts'
import { openThread, requireActiveLicense, type ThreadStartReads } from './open-thread.ts'
import { startOwnChat } from './start-own-chat.ts'

/**
 * Starts a chat, or a customer's next thread; to a customer's thread that is active it adds. Whoever asks is
 * in the chat then. Throws `customer_banned`, `not_found` for an unknown customer and for scopes that name
 * nobody, `authorization`.
 */
export const startChat = async (ctx: Starting, asked: NewChat): Promise<Started> => {
  const { customer } = asked
  if (customer === undefined) return startOwnChat(ctx, asked)
  const read = (me: AnySession, strong: boolean) =>
    readStart(ctx.read, me, { ...asked, customer }, { strong })
  const refresh = async (): Promise<StartView> => {
    const view = await read((await ctx.refresh()).me, true)
    if (view.chat?.active !== true || asked.threadProperties === undefined) return view
    const { id, thread: n } = view.chat
    return { ...view, heldOfThread: await readProperties(ctx.read, { chat: id, n }) }
  }
  const [first] = await Promise.all([read(ctx.me, false), asked.allowed])
  return retryUntilCommitted<Started, StartView>({ ...ctx, refresh }, first, {
    isOwn: ({ chat, tail, held, heldOfThread }) =>
      held.by === ctx.nonce ||
      heldOfThread?.by === ctx.nonce ||
      (chat !== undefined && tail !== undefined && wasWrittenBy({ chat, tail }, ctx.nonce)),
    attempt: (view) => attempt(ctx, view, { ...asked, customer }),
  })
}

const attempt = async (
  ctx: Starting,
  view: StartView,
  asked: NewChat & { customer: string },
): Promise<Attempt<Started> | undefined> => {
  const { me, customer, chat, tail } = view
  if ((customer === undefined || isErased(customer)) && !isCustomers(me)) throw new ProtocolError('not_found')
  if (customer !== undefined && isBanned(customer, ctx.now())) throw new ProtocolError('customer_banned')
  if (chat === undefined || tail === undefined) return chat === undefined ? open(ctx, view, asked) : undefined
  if (!isConsistentSnapshot({ chat, tail })) return undefined
  if (!isCustomers(me) && !hasAccess(me, chat))
    throw new ProtocolError('authorization', { message: asked.denied })
  return chat.active ? add(ctx, { ...view, chat, tail }, asked) : open(ctx, view, asked)
}

/** The customer's chat with its first thread, or with another one. */
const open = async (
  ctx: Starting,
  view: StartView,
  asked: NewChat & { customer: string },
): Promise<Attempt<Started>> => {
  const { me, chat: before, tail, desk } = view
  const { license_id } = me
  if (isCustomers(me)) requireActiveLicense(desk)
  const scopes = before !== undefined && isEmpty(asked.scopes) ? before.scopes : asked.scopes
  const opened = openThread(
    {
      me,
      before: before ?? { id: customerChatId(license_id, asked.customer), license_id },
      tail,
      users: withMembers(before?.users ?? [], membersOf(me, asked.customer)),
      scopes,
      events: eventsOf(me, asked.events),
      properties: asked.properties,
      threadProperties: asked.threadProperties,
      held: view.held,
      desk,
      visit:
        view.customer === undefined && ctx.visitor !== undefined
          ? { started_timestamp: Math.floor(ctx.now() / 1000), pages: [], ...addressOf(ctx.visitor) }
          : undefined,
    },
    { nonce: ctx.nonce, at: ctx.now() },
  )
  if (!view.groupsExist) throw new ProtocolError('not_found')
  const checks = await agentChecks(ctx.read, me, asked.scopes)
  const writes = [...checks, ...opened.writes]
  const placed = commitAll(ctx.write, writes, ctx.nonce)
  const { chat, head, entries, told } = opened
  return {
    result: { outcome: 'started', before, chat, head, entries, events: entries, told },
    committed: placed,
  }
}

const addressOf = ({ ip, user_agent }: Visitor) => ({
  ip,
  ...(user_agent === undefined ? {} : { user_agent }),
})

/** All that is known of the customer's chat, in one round; the desk only where routing may be due. */
const readStart = async (
  read: Reader<ThreadStartReads>,
  me: AnySession,
  asked: Pick<NewChat, 'scopes'> & { customer: string },
  { strong }: { strong: boolean },
): Promise<StartView> => {
  const id = customerChatId(me.license_id, asked.customer)
  const [customer, chat, tail, held, desk, exist] = await Promise.all([
    readCustomer(read, me.license_id, asked.customer),
    readChat(read, id),
    readTail(read, id, true),
    readProperties(read, { chat: id }),
    isCustomers(me) ? readRoutingState(read, me.license_id, { strong }) : undefined,
    groupsExist(read, me, asked.scopes),
  ])
  return { me, customer, chat, tail, held: held ?? parseProperties(undefined), desk, groupsExist: exist }
}
