import type * as z from 'zod/mini'
import type { ConnectionStatus } from '../delivery/connections.ts'
import type { Pushing } from '../delivery/outbox.ts'
import type { Enqueues } from '../jobs/job-queue.ts'
import type { ActionSpec, Family } from '../protocol/action.ts'
import type { Clock, Retries } from '../table/capabilities.ts'
import type { Chat } from '../table/chat/chats.ts'
import type { PropertiesOwner, StoredProperties } from '../table/chat/stored-properties.ts'
import type { StoredTags, ThreadAddress } from '../table/chat/stored-tags.ts'
import type { Entry, Tail } from '../table/chat/thread-log.ts'
import type { Common } from '../table/families.ts'
import type { Reader, Writer } from '../table/ops.ts'
import type { CustomerSession, Session, SocketItem, Visitor } from '../table/sockets.ts'
import type { Paced } from './pace.ts'
import type { Limiting } from './rate-limits.ts'

type Has<List extends readonly unknown[], Item> = Extract<List[number], Item> extends never ? false : true

type If<Condition, Then> = Condition extends true ? Then : unknown

interface Base extends Retries, Clock, Enqueues {
  /**
   * Counts a thread that is begun, and so many events that come with it, for whoever begins it; throws
   * `too_many_requests`.
   */
  admitThread: (events?: number) => Promise<void>
}

/** What is about a connection knows it. */
interface Connecting {
  connection: string
}

interface Arriving extends Connecting {
  /** The connection's socket, as it is now. */
  arrive: () => Promise<SocketItem | undefined>
}

/** What a login finds out of itself: the other actions are given a session. */
interface LoggingIn extends Arriving {
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
  (Spec extends { socketOnly: true } | { by: 'customer' } ? Connecting : unknown) &
  (Spec['session'] extends 'required'
    ? Authorized<Spec> & { refresh: () => Promise<Authorized<Spec>> }
    : Spec['session'] extends 'login'
      ? LoggingIn
      : Spec['session'] extends 'optional'
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
  > &
  If<Has<Spec['reads'], 'threadTags'>, { thread: ThreadAddress; tags: StoredTags }>

/** What a handler returns: its response's payload, or nothing where the response has none. */
type Answer<Spec extends ActionSpec> = Spec['response'] extends z.core.$ZodType
  ? z.input<Spec['response']>
  : void

export type Handler<Spec extends ActionSpec> = (
  ctx: Ctx<Spec>,
  payload: z.output<Spec['request']>,
) => Promise<Answer<Spec>>
