import { config } from '../platform/config.ts'
import { log } from '../platform/log.ts'
import type { ActionSpec } from '../protocol/action.ts'
import { type ErrorType, ProtocolError } from '../protocol/errors.ts'
import { count, countedChat, countedUser } from '../table/counters.ts'
import { addressOf, isCustomers, type SocketItem } from '../table/sockets.ts'
import {
  enforce,
  limitAddress,
  type Limiting,
  limitLicense,
  limitUser,
  limitUsersAddress,
  mostOf,
  requestKindOf,
} from './rate-limits.ts'

/** A request that is counted while it is read. */
export interface Counting {
  socket: Promise<SocketItem | undefined>
  /** Resolves once the request is counted; rejects where it was one too many. Nothing is written before. */
  allowed: Promise<void>
  /** Once allowed: when its user asked for the same the last time (ms), of what is paced. */
  previousAt: () => number
  /**
   * A customer's that does not name its chat: `allowed` comes only after the session was read, and what the
   * action reads need not wait for it.
   */
  isLate: boolean
  /** Resolves once nothing of the counting is under way; never rejects. */
  done: () => Promise<void>
}

/**
 * Counts a request of a session for its user. A customer's request that names its chat is counted while that
 * is read, by the chat: a customer has one. Any other is counted once its session is read, beside what the
 * action reads.
 */
export const countRequest = (
  spec: Pick<ActionSpec, 'name' | 'paced'>,
  ctx: Limiting,
  socket: Promise<SocketItem | undefined>,
  chat: string | undefined,
): Counting => {
  const kind = requestKindOf(spec)
  const most = mostOf(ctx.endpoint, kind)
  const stamp = spec.paced ? spec.name : undefined
  const named = ctx.endpoint === 'customer' && chat !== undefined ? countedChat(chat) : undefined
  const early =
    named === undefined || most === 0 ? undefined : count(ctx.write, named, kind, Date.now(), { stamp })
  let beside: Promise<void> | undefined
  let previousAt = 0
  const counted = async (): Promise<void> => {
    const [found, counts] = await Promise.all([socket, early])
    if (found === undefined) return
    const address = addressOf(found)
    if (found.session === undefined) return limitAddress(ctx, address, 'not_logged_in')
    if (most === 0) return
    const who = countedUser(found.session)
    const own =
      counts !== undefined && who === named
        ? counts
        : await count(ctx.write, who, kind, Date.now(), { stamp })
    if (ctx.endpoint === 'customer' && address !== undefined)
      beside = limitUsersAddress(ctx, { who, kind, times: own.count, address }).catch((error: unknown) =>
        log.error('An address was not counted', { cause: error }),
      )
    ;({ previousAt } = own)
    await enforce(ctx, own, most, { address })
  }
  const allowed = counted()
  // its awaiter is told; it may reject before
  allowed.catch(() => undefined)
  return {
    socket,
    allowed,
    previousAt: () => previousAt,
    isLate: ctx.endpoint === 'customer' && named === undefined,
    done: async () => {
      await allowed.catch(() => undefined)
      await beside
    },
  }
}

/**
 * Counts a thread that a request begins: for its user, and a customer's for its address and license as well.
 */
export const countThread = async (
  { name }: Pick<ActionSpec, 'name'>,
  ctx: Limiting,
  socket: SocketItem | undefined,
  events: number,
): Promise<void> => {
  const { session } = socket ?? {}
  if (socket === undefined || session === undefined) return
  const address = addressOf(socket)
  const who = countedUser(session)
  await Promise.all([
    // counted already, as the request that it is
    name === 'start_chat' ? undefined : limitUser(ctx, who, 'start_chat', { address }),
    events === 0 ? undefined : limitUser(ctx, who, 'send_event', { address, by: events }),
    ...(isCustomers(session)
      ? [limitAddress(ctx, address, 'start_chat'), limitLicense(ctx, session.license_id)]
      : []),
  ])
}

// what went wrong on our side is nobody's doing
const notCounted = new Set<ErrorType>(['too_many_requests', 'request_timeout', 'internal'])

/** Counts a token that was refused, for the address that it came from. */
export const countFailedLogin = async (
  ctx: Limiting,
  error: unknown,
  from: () => Promise<string | undefined>,
): Promise<void> => {
  if (!(error instanceof ProtocolError) || notCounted.has(error.type)) return
  await limitAddress(ctx, await from(), 'failed_login')
}

/**
 * Counts a frame that asks for nothing: a ping, or one that is no request. For its user; before a login, for
 * its address: nobody there has anything else to send but that login.
 */
export const limitFrame = async (
  ctx: Omit<Limiting, 'endpoint'>,
  arrive: () => Promise<SocketItem | undefined>,
): Promise<void> => {
  if (config.rates().other === 0 && config.agentRates().other === 0) return
  const socket = await arrive()
  if (socket === undefined) return
  const address = addressOf(socket)
  const endpoint = socket.visitor === undefined ? 'agent' : 'customer'
  const limiting: Limiting = { ...ctx, endpoint }
  if (socket.session === undefined) await limitAddress(limiting, address, 'not_logged_in')
  else await limitUser(limiting, countedUser(socket.session), 'frame', { address })
}
