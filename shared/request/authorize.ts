import { authorize } from '../access/permissions.ts'
import { isShown } from '../access/visibility.ts'
import type { ActionSpec } from '../protocol/action.ts'
import { ProtocolError } from '../protocol/errors.ts'
import type { Chat } from '../table/chat/chats.ts'
import { customerChatId } from '../table/ids.ts'
import type { Reader } from '../table/ops.ts'
import { wasWrittenBy } from '../table/optimistic-write.ts'
import { type AnySession, expiryOf, isCustomers, type SocketItem, type Visitor } from '../table/sockets.ts'
import { prefetch, type Prefetched } from './prefetch.ts'

/** The session in force, or the error that says why there is none. */
export const sessionOf = (
  { name, denied }: Pick<ActionSpec, 'name' | 'denied'>,
  socket: SocketItem | undefined,
): AnySession => {
  const session = socket?.session
  if (session === undefined || session.ended === 'logged_out')
    throw new ProtocolError('auth', { message: 'Not logged in' })
  const over = session.ended ?? expiryOf(session, Date.now())
  if (over === undefined) return session
  // protocol §2: a ban has an error of its own where a thread is to start
  if (over === 'customer_banned')
    throw name === 'start_chat'
      ? new ProtocolError('customer_banned')
      : new ProtocolError('authorization', { message: denied })
  throw new ProtocolError(over === 'license_expired' ? 'license_expired' : 'auth')
}

/** Everything found, judged: what the contract reads is there, and the requester may do what it asks for. */
export const authorizeRequest = (
  spec: ActionSpec,
  me: AnySession,
  found: Prefetched,
  payload: object,
  /** What this request has done already, it was allowed to; leaving may have taken its access. */
  nonce?: string,
): Omit<Prefetched, 'socket'> & { me: AnySession; visitor: Visitor | undefined } => {
  const { socket, ...rest } = found
  const { reads } = spec
  const chat = reads.includes('chat') ? chatOf(me, found) : undefined
  const { tail } = found
  const isOwn =
    nonce !== undefined && chat !== undefined && tail !== undefined && wasWrittenBy({ chat, tail }, nonce)
  if (!isOwn) authorize(spec, me, chat, payload)
  const { event } = found
  const isMissing =
    (reads.includes('event') && (event === undefined || (isCustomers(me) && !isShown(event.event)))) ||
    (reads.includes('threadProperties') && found.properties === undefined) ||
    (reads.includes('threadTags') && found.tags === undefined)
  if (isMissing) throw new ProtocolError('not_found')
  return { ...rest, chat, me, visitor: socket?.visitor }
}

/**
 * The chat asked for, of the requester's own license, a customer's own; another's is as absent as one that
 * never was.
 */
const chatOf = (me: AnySession, { chat }: Prefetched): Chat => {
  const isOwn = (id: string) => !isCustomers(me) || id === customerChatId(me.license_id, me.customer_id)
  if (chat === undefined || chat.license_id !== me.license_id || !isOwn(chat.id))
    throw new ProtocolError('not_found')
  return chat
}

/** Session, and what the contract names, read anew and judged anew: what a lost race starts over from. */
export const reauthorize = async (
  read: Reader,
  spec: ActionSpec,
  socket: Promise<SocketItem | undefined>,
  payload: object,
  nonce: string,
): Promise<ReturnType<typeof authorizeRequest>> => {
  const found = await prefetch(read, spec, socket, payload, { strongTail: true })
  const judged = authorizeRequest(spec, sessionOf(spec, found.socket), found, payload, nonce)
  if (spec.reads.includes('tail') && judged.tail === undefined) throw new ProtocolError('not_found')
  return judged
}
