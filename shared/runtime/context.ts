import type * as z from 'zod/mini'
import { authorize } from '../chat/access.ts'
import { isOwnWork, type View } from '../chat/place.ts'
import type { ActionSpec } from '../protocol/action.ts'
import { ProtocolError } from '../protocol/errors.ts'
import type { Pushing } from '../push/outbox.ts'
import { type Chat, readChat } from '../table/chats.ts'
import { isChatId } from '../table/keys.ts'
import { readTail, type Tail } from '../table/log.ts'
import type { Reader, Writer } from '../table/ops.ts'
import { expiryOf, readSocket, type Session, type SocketItem } from '../table/sockets.ts'
import type { Job } from './later.ts'

type Has<List extends readonly unknown[], Item> = Item extends List[number] ? true : false
type If<Condition, Then> = Condition extends true ? Then : unknown

interface Base {
  connection: string
  /** Marks what this request writes. */
  nonce: string
  /** Now, in ms. */
  now(): number
  /** Hands a job to the delay queue. */
  later(job: Job, delayS: number): Promise<void>
  /** Waits a short random time before attempt `tries`; throws `too_many_requests` past the last moment. */
  pause(tries: number): Promise<void>
}

/**
 * What a story may use, by its contract: `needs` gives `read`, `write` and `push`, `reads` gives `chat` and `tail`.
 * What is not declared is not there, and does not compile.
 */
export type Ctx<Spec extends ActionSpec> = Base &
  If<Has<Spec['needs'], 'read'>, { read: Reader }> &
  If<Has<Spec['needs'], 'write'>, { write: Writer }> &
  If<Has<Spec['needs'], 'push'>, Pushing<Spec['pushes'][number]>> &
  (Spec['session'] extends 'required' ? { me: Session } : unknown) &
  If<Has<Spec['reads'], 'chat'>, { chat: Chat }> &
  If<Has<Spec['reads'], 'tail'>, { tail: Tail; refresh(): Promise<View> }>

/** What a story returns: its response's payload, or nothing where the response has none. */
type Answer<Spec extends ActionSpec> = Spec['response'] extends z.core.$ZodType
  ? z.input<Spec['response']>
  : void

export type Story<Spec extends ActionSpec> = (
  ctx: Ctx<Spec>,
  payload: z.output<Spec['request']>,
) => Promise<Answer<Spec>>

/** What one round of reads found, before any of it was judged. */
export interface Found {
  socket?: SocketItem | undefined
  chat?: Chat | undefined
  tail?: Tail | undefined
}

/** The session, and what the contract names of `payload.chat_id`, side by side. */
export const find = async (
  read: Reader,
  spec: ActionSpec,
  connection: string,
  payload: unknown,
  { strongTail }: { strongTail: boolean },
): Promise<Found> => {
  const asked =
    typeof payload === 'object' && payload !== null && 'chat_id' in payload ? payload.chat_id : undefined
  // what no chat can be named is not looked up
  const chatId = isChatId(asked) ? asked : undefined
  const [socket, chat, tail] = await Promise.all([
    readSocket(read, connection, Date.now()),
    chatId !== undefined && spec.reads.includes('chat') ? readChat(read, chatId) : undefined,
    chatId !== undefined && spec.reads.includes('tail') ? readTail(read, chatId, strongTail) : undefined,
  ])
  return { socket, chat, tail }
}

/** The session in force, or the error that says why there is none. */
export const sessionOf = (socket: SocketItem | undefined): Session => {
  const session = socket?.session
  if (session === undefined) throw new ProtocolError('auth', { message: 'Not logged in' })
  const over = session.ended ?? expiryOf(session, Date.now())
  if (over === undefined) return session
  throw new ProtocolError(over === 'license_expired' ? 'license_expired' : 'auth')
}

/** The chat asked for, of the requester's own licence; another's is as absent as one that never was. */
export const chatOf = (me: Session, { chat }: Found): Chat => {
  if (chat === undefined || chat.license_id !== me.license_id) throw new ProtocolError('not_found')
  return chat
}

/** Session, chat and tail, read anew and judged anew: what a lost race starts over from. */
export const viewAgain = async (
  read: Reader,
  spec: ActionSpec,
  connection: string,
  payload: object,
  nonce: string,
): Promise<View> => {
  const found = await find(read, spec, connection, payload, { strongTail: true })
  const me = sessionOf(found.socket)
  const chat = chatOf(me, found)
  if (found.tail === undefined) throw new ProtocolError('not_found')
  const view = { me, chat, tail: found.tail }
  // what this request has done already, it was allowed to; leaving may have taken its access
  if (!isOwnWork(view, nonce)) authorize(spec, me, chat, payload)
  return view
}
