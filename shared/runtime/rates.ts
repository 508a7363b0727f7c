import type { ActionSpec } from '../protocol/action.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { countAddress } from '../table/addresses.ts'
import type { Reader, Writer } from '../table/ops.ts'
import { counters, countRequest, readSocket, type SocketItem } from '../table/sockets.ts'
import { config } from './config.ts'

// How much customers may ask for: they are strangers. Agents are limited where a deployment says so.

type Counter = keyof typeof counters

const counterOf = (action: string): Counter =>
  action === 'start_chat' || action === 'send_event' ? action : 'other'

const tooMany = (nowMs: number): ProtocolError =>
  new ProtocolError('too_many_requests', {
    details: [{ path: '', message: `Try again in ${60 - (Math.floor(nowMs / 1000) % 60)} s` }],
  })

/**
 * The connection's socket, as it is now. Where a rate limit is on, reading it counts the request: one over the limit of its
 * minute throws `too_many_requests`, which says when to try again.
 */
export const socketOf = async (
  { name, by }: Pick<ActionSpec, 'name' | 'by'>,
  { read, write }: { read: Reader; write: Writer<'socket'> },
  connection: string,
): Promise<SocketItem | undefined> => {
  const now = Date.now()
  const counter = counterOf(name)
  const most = (by === 'customer' ? config.rates() : config.agentRates())[counter]
  if (most === 0) return readSocket(read, connection, now)
  const counted = await countRequest(write, connection, counters[counter], now)
  if (counted !== undefined && counted.count > most) throw tooMany(now)
  return counted?.socket
}

/** Counts what comes from an address, where that is limited; throws `too_many_requests` for what is over its limit. */
export const limitAddress = async (
  write: Writer<'address'>,
  ip: string,
  what: 'connect' | 'new_customer' | 'start_chat',
): Promise<void> => {
  const rates = config.rates()
  const most = rates[what === 'start_chat' ? 'start_chat' : 'other'] * rates.addressFactor
  if (most === 0) return
  const now = Date.now()
  if ((await countAddress(write, ip, what, now)) > most) throw tooMany(now)
}
