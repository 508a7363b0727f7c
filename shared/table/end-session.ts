import type { Family } from '../protocol/action.ts'
import { keys } from './keys.ts'
import type { Attributes, Op, Writer } from './ops.ts'
import { notClosing } from './session-writes.ts'
import {
  type AnySession,
  type Listed,
  type RowFamily,
  rowKeys,
  type SocketFamily,
  SocketItem,
} from './sockets.ts'
import { absent, and, exists, is, or, remove, update } from './update.ts'

/**
 * Claims the closing of a connection, so that of several workers one tells it why; only with the session it
 * was judged by, so that one that was renewed, or logged in at the last moment, stays.
 */
export const putClosingClaim = (
  connection: string,
  { session, nonce, nowMs }: { session: AnySession | undefined; nonce: string; nowMs: number },
): Op<'socket'> => {
  const judged =
    session === undefined
      ? absent('session')
      : session.ended === undefined
        ? is({
            'session.token_expires_at': session.token_expires_at,
            'session.license_expires_at': session.license_expires_at,
          })
        : exists('session.ended')
  return update(keys.socket(connection), {
    set: { closing_at: nowMs, closing_by: nonce },
    when: and(exists(), or(notClosing(nowMs), is({ closing_by: nonce })), judged),
  })
}

export const removeSocket = (connection: string): Op<'socket'> => remove(keys.socket(connection))

const removeRows = <I extends Listed>(of: I, connection: string): Op<RowFamily<I>>[] =>
  rowKeys(of, connection).map((key) => remove(key))

/** All that is kept of a user's connection. */
export const removeConnection = <C extends Listed & { connection: string }>(of: C): Op<SocketFamily<C>>[] => [
  removeSocket(of.connection),
  ...removeRows(of, of.connection),
]

/**
 * Forgets a connection: its socket, and the rows of the user logged in on it by then; of `session`, where
 * the socket is gone already and may have left its rows behind.
 */
export const forgetSocket = async (
  write: Writer<SocketFamily>,
  connection: string,
  session?: Listed,
): Promise<void> => {
  const removed = await deleted(write, removeSocket(connection))
  const last = (removed === undefined ? undefined : SocketItem.parse(removed).session) ?? session
  if (last !== undefined) await Promise.all(removeRows(last, connection).map((op) => deleted(write, op)))
}

// a delete without a condition is refused only while a login's transaction on the item is under way
const deleted = async <F extends Family>(write: Writer<F>, op: Op<F>): Promise<Attributes | undefined> => {
  for (;;) {
    const outcome = await write.write(op, { returns: 'old' })
    if (outcome.done) return outcome.attributes
  }
}
