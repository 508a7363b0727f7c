import type * as z from 'zod/mini'
import { authorize } from '../access/permissions.ts'
import { wasWrittenBy } from '../table/optimistic-write.ts'
import type { ActionSpec, Family } from '../protocol/action.ts'
import { ProtocolError } from '../protocol/errors.ts'
import type { ConnectionStatus } from '../delivery/connections.ts'
import type { Pushing } from '../delivery/outbox.ts'
import { type Chat, readChat } from '../table/chat/chats.ts'
import { isShown } from '../access/visibility.ts'
import type { Common } from '../table/families.ts'
import { customerChatId, eventAddressOf, isChatId, threadOf } from '../table/ids.ts'
import { type Entry, readEntry, readTail, type Tail } from '../table/chat/thread-log.ts'
import type { Reader, Writer } from '../table/ops.ts'
import {
  type StoredProperties,
  type PropertiesOwner,
  readProperties,
} from '../table/chat/stored-properties.ts'
import {
  type AnySession,
  type CustomerSession,
  expiryOf,
  isCustomers,
  readSocket,
  type Session,
  type SocketItem,
  type Visitor,
} from '../table/sockets.ts'
import type { Job } from '../jobs/job-queue.ts'
import type { Limiting } from './rate-limits.ts'
import type { Paced } from './pace.ts'

type Has<List extends readonly unknown[], Item> = Extract<List[number], Item> extends never ? false : true
type If<Condition, Then> = Condition extends true ? Then : unknown

interface Base {
  connection: string
  /** Marks what this request writes. */
  nonce: string
  /** Now, in ms. */
  now: () => number
  /** Hands a job to the delay queue. */
  enqueue: (job: Job, delayS: number) => Promise<void>
  /**
   * Counts a thread that is begun, and so many events that come with it, for whoever begins it; throws
   * `too_many_requests`.
   */
  admitThread: (events?: number) => Promise<void>
  /** Waits a short random time before attempt `tries`; throws `too_many_requests` past the last moment. */
  pause: (tries: number) => Promise<void>
}

/** What a login finds out of itself: the other actions are given a session. */
interface Arriving {
  /** The connection's socket, as it is now. */
  arrive: () => Promise<SocketItem | undefined>
  limiting: Limiting
}

/**
 * What a handler may use, by its contract: `needs` gives `read` and `push`, `writes` gives `write`, `reads`
 * what was fetched. What is not declared is not there, and does not compile.
 */
export type Ctx<Spec extends ActionSpec> = Base &
  If<Has<Spec['needs'], 'read'>, { read: Reader<Common | AlsoRead<Spec>> }> &
  WritesOf<Spec> &
  If<Has<Spec['needs'], 'push'>, Pushing<Spec['pushes'][number]>> &
  If<Has<Spec['needs'], 'connection_status'>, ConnectionStatus> &
  (Spec extends { paced: true } ? { pace: (paced: Paced) => Promise<boolean> } : unknown) &
  (Spec['session'] extends 'required'
    ? Authorized<Spec> & { refresh: () => Promise<Authorized<Spec>> }
    : Spec['session'] extends 'login'
      ? Arriving
      : unknown)

type AlsoRead<Spec extends ActionSpec> = Spec extends { alsoReads: readonly (infer F extends Family)[] }
  ? F
  : never

/** Its table takes what the contract names, and nothing else. */
type WritesOf<Spec extends ActionSpec> = Spec extends { writes: readonly (infer F extends Family)[] }
  ? { write: Writer<F> }
  : unknown

type Asking<Spec extends ActionSpec> = Spec extends { by: 'customer' }
  ? { me: CustomerSession; visitor: Visitor }
  : { me: Session }

/** Who asks, and what `serve` fetched: all of it judged (protocol §1). `refresh` reads and judges it anew. */
type Authorized<Spec extends ActionSpec> = Asking<Spec> &
  If<Has<Spec['reads'], 'chat'>, { chat: Chat }> &
  If<Has<Spec['reads'], 'tail'>, { tail: Tail }> &
  If<Has<Spec['reads'], 'event'>, { event: Entry }> &
  If<
    Has<Spec['reads'], 'chatProperties' | 'threadProperties'>,
    { of: PropertiesOwner; properties: StoredProperties }
  >

/** What a handler returns: its response's payload, or nothing where the response has none. */
type Answer<Spec extends ActionSpec> = Spec['response'] extends z.core.$ZodType
  ? z.input<Spec['response']>
  : void

export type Handler<Spec extends ActionSpec> = (
  ctx: Ctx<Spec>,
  payload: z.output<Spec['request']>,
) => Promise<Answer<Spec>>

/** What one round of reads found, before any of it was judged. */
export interface Prefetched {
  socket?: SocketItem | undefined
  chat?: Chat | undefined
  tail?: Tail | undefined
  event?: Entry | undefined
  of?: PropertiesOwner | undefined
  properties?: StoredProperties | undefined
}

const fieldOf = (payload: unknown, name: string): unknown =>
  typeof payload === 'object' && payload !== null ? Reflect.get(payload, name) : undefined

/** The chat that a payload names, where a chat can have this id. */
export const chatNamedIn = (payload: unknown): string | undefined => {
  const asked = fieldOf(payload, 'chat_id')
  return isChatId(asked) ? asked : undefined
}

/** Whose properties the contract names; undefined where no thread can have this id. */
const holderOf = ({ reads }: ActionSpec, chat: string, payload: unknown): PropertiesOwner | undefined => {
  if (reads.includes('chatProperties')) return { chat }
  const thread = reads.includes('threadProperties') ? fieldOf(payload, 'thread_id') : undefined
  const n = typeof thread === 'string' ? threadOf(chat, thread) : undefined
  return n === undefined ? undefined : { chat, n }
}

/** The session, and what the contract names of `payload.chat_id`, side by side. */
export const prefetch = async (
  read: Reader,
  spec: ActionSpec,
  socket: Promise<SocketItem | undefined>,
  payload: unknown,
  { strongTail }: { strongTail: boolean },
): Promise<Prefetched> => {
  const { reads } = spec
  // what no chat, event or thread can be named is not looked up
  const asked = fieldOf(payload, 'chat_id')
  const id = chatNamedIn(payload)
  const eventId = fieldOf(payload, 'event_id')
  const address = id !== undefined && typeof eventId === 'string' ? eventAddressOf(id, eventId) : undefined
  const of = id === undefined ? undefined : holderOf(spec, id, payload)
  const [found, chat, tail, event, properties] = await Promise.all([
    socket,
    id !== undefined && reads.includes('chat') ? readChat(read, id) : readOwnChat(read, spec, socket, asked),
    id !== undefined && reads.includes('tail') ? readTail(read, id, strongTail) : undefined,
    id !== undefined && address !== undefined && reads.includes('event')
      ? readEntry(read, id, address)
      : undefined,
    of === undefined ? undefined : readProperties(read, of),
  ])
  return { socket: found, chat, tail, event, of, properties }
}

/** A customer's own chat, where an action is about that one without naming it: known once its session is. */
const readOwnChat = async (
  read: Reader,
  { by, reads }: ActionSpec,
  socket: Promise<SocketItem | undefined>,
  asked: unknown,
): Promise<Chat | undefined> => {
  if (by !== 'customer' || !reads.includes('chat') || (asked ?? undefined) !== undefined) return undefined
  const session = (await socket)?.session
  return session !== undefined && isCustomers(session)
    ? readChat(read, customerChatId(session.license_id, session.customer_id))
    : undefined
}

/** The session in force, or the error that says why there is none. */
export const sessionOf = (
  { name, denied }: Pick<ActionSpec, 'name' | 'denied'>,
  socket: SocketItem | undefined,
): AnySession => {
  const session = socket?.session
  if (session === undefined) throw new ProtocolError('auth', { message: 'Not logged in' })
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
    (reads.includes('threadProperties') && found.properties === undefined)
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
  connection: string,
  payload: object,
  nonce: string,
): Promise<ReturnType<typeof authorizeRequest>> => {
  const socket = readSocket(read, connection, Date.now())
  const found = await prefetch(read, spec, socket, payload, { strongTail: true })
  const judged = authorizeRequest(spec, sessionOf(spec, found.socket), found, payload, nonce)
  if (spec.reads.includes('tail') && judged.tail === undefined) throw new ProtocolError('not_found')
  return judged
}
