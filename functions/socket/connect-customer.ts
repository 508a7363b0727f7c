import { enqueueJob } from '../../shared/jobs/job-queue.ts'
import { allEnded } from '../../shared/platform/all-ended.ts'
import { clientAddress, headerOf } from '../../shared/platform/client-address.ts'
import { config } from '../../shared/platform/config.ts'
import { log } from '../../shared/platform/log.ts'
import { measured } from '../../shared/platform/metrics.ts'
import type { SocketWrites } from '../../shared/platform/writes.ts'
import { InternalError } from '../../shared/protocol/errors.ts'
import { cutText, utf8Bytes } from '../../shared/protocol/fields.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { mayConnect } from '../../shared/request/rate-limits.ts'
import { LicenseItem } from '../../shared/table/accounts.ts'
import { openTable, tableClient } from '../../shared/table/client.ts'
import { keys } from '../../shared/table/keys.ts'
import { putSocket } from '../../shared/table/session-writes.ts'

interface ConnectEvent {
  requestContext: {
    connectionId: string
    identity: { sourceIp: string; userAgent?: string | null }
  }
  headers?: Record<string, string | undefined>
  queryStringParameters?: Record<string, string | undefined> | null
}

const client = tableClient()
const loginWithinS = 30
// in bytes: of one of today's browsers they have some hundred
const mostUserAgent = 512
// strangers may send kilobytes
const mostLogged = 128

/**
 * Customers' `$connect`: keeps the connection, with what its handshake tells, for a license that is valid and
 * allows the page's origin. It has half a minute to log in. Answers 404 for no license, 402 for one that has
 * expired, 403 for an origin that it does not allow and for a way around the proxy where there is one, 429
 * for too many connections from one address; the log says why.
 */
const connect = async (event: ConnectEvent): Promise<{ statusCode: number }> => {
  const { headers = {}, requestContext } = event
  const { connectionId: connection, identity } = requestContext
  const { read, write } = openTable<SocketWrites['connectCustomer']>({
    client,
    tableName: config.tableName(),
  })
  const license_id = event.queryStringParameters?.['license_id'] ?? ''
  const origin = headerOf(headers, 'origin')
  const refuse = (statusCode: number, reason: string): { statusCode: number } => {
    const [license, from] = [license_id, origin].map((told) => told?.slice(0, mostLogged))
    log.warn('A customer’s connection was refused', { reason, license, origin: from })
    return { statusCode }
  }
  const ip = await clientAddress(headers, identity.sourceIp)
  if (ip === undefined) return refuse(403, 'not through the proxy')
  if (license_id === '') return refuse(404, 'no license_id')
  // no key of the table is so long
  if (utf8Bytes(license_id) > limits.idBytes) return refuse(404, 'unknown license')
  const [item, isAllowed] = await allEnded([
    read.get(keys.license(license_id), { strong: true }),
    mayConnect(write, ip),
  ])
  if (!isAllowed) return refuse(429, 'too many connections from one address')
  if (item === undefined) return refuse(404, 'unknown license')
  const license = LicenseItem.parse(item)
  if (license.expires_at * 1000 <= Date.now()) return refuse(402, 'license expired')
  const { origins } = license
  if (origin !== undefined && origins.length > 0 && !origins.includes(origin.toLowerCase()))
    return refuse(403, 'origin not allowed')
  const user_agent = cutText(identity.userAgent ?? headerOf(headers, 'user-agent') ?? '', mostUserAgent)
  const visitor = {
    license_id,
    ip,
    ...(user_agent ? { user_agent } : {}),
  }
  const [kept] = await allEnded([
    write.write(putSocket(connection, Date.now(), { visitor })),
    enqueueJob({ job: 'expect_login', connection }, loginWithinS),
  ])
  // throttled: the handshake is refused, so that the client tries again
  if (!kept.done) throw new InternalError('The connection could not be kept')
  return { statusCode: 200 }
}

export const handler = measured('socket', 'connect-customer', connect)
