import { createHash, timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import { InternalError } from '../protocol/errors.ts'
import { config } from './config.ts'
import { log } from './log.ts'
import { readSecret } from './secrets.ts'

// Where CloudFront, say, stands before an endpoint, the gateway sees its address and not the client's. The
// proxy tells the client's in a header, and a secret header proves that it is the proxy that tells.

/** The header in which the proxy shows its secret. */
export const secretHeader = 'x-proxy-secret'

// its value ends in the client's port, behind an IPv6 address without brackets too
const withPort = 'cloudfront-viewer-address'

type Headers = Readonly<Record<string, string | undefined>>

/** A header of a handshake, whatever its letter case. */
export const headerOf = (headers: Headers, wanted: string): string | undefined =>
  Object.entries(headers).find(([name]) => name.toLowerCase() === wanted.toLowerCase())?.[1]

/** Compares in a time that tells nothing of either: digests have one length. */
const isSame = (one: string, other: string): boolean => {
  const [first, second] = [one, other].map((text) => createHash('sha256').update(text).digest())
  return first !== undefined && second !== undefined && timingSafeEqual(first, second)
}

/**
 * The client's address as the proxy tells it. Undefined where the handshake shows none of the secrets, or no
 * address: it did not come through the proxy.
 */
export const addressBehindProxy = (
  headers: Headers,
  proxy: { readonly addressHeader: string; readonly secrets: readonly string[] },
): string | undefined => {
  const shown = headerOf(headers, secretHeader) ?? ''
  // each is compared, so that the time does not tell which
  const isProven = proxy.secrets.map((secret) => secret !== '' && isSame(secret, shown)).includes(true)
  const told = headerOf(headers, proxy.addressHeader)
  if (!isProven || told === undefined) return undefined
  const hasPort = proxy.addressHeader.toLowerCase() === withPort
  const address = hasPort ? told.slice(0, Math.max(told.lastIndexOf(':'), 0)) : told
  return isIP(address) === 0 ? undefined : address
}

const keptMs = 600_000
let known: { secrets: readonly string[]; readAt: number } | undefined

/**
 * The current text of the secret and the one before it, read at most every ten minutes; old ones where that
 * fails.
 */
const secretsOf = async (id: string): Promise<readonly string[]> => {
  if (known !== undefined && Date.now() - known.readAt < keptMs) return known.secrets
  try {
    const versions = await Promise.all([readSecret(id), readSecret(id, 'AWSPREVIOUS')])
    const secrets = versions.flatMap((version) => (version === undefined ? [] : [version.text]))
    if (secrets.length === 0) throw new InternalError('The secret of the proxy has no current version')
    known = { secrets, readAt: Date.now() }
  } catch (error) {
    if (known === undefined) throw error
    log.error('The secret of the proxy could not be read', { cause: error })
  }
  return known.secrets
}

/**
 * Where a handshake comes from: what the gateway says, or the proxy where one is set. Undefined: there is
 * one, and the handshake did not come through it.
 */
export const clientAddress = async (headers: Headers, sourceIp: string): Promise<string | undefined> => {
  const proxy = config.proxy()
  if (proxy === undefined) return sourceIp
  return addressBehindProxy(headers, { ...proxy, secrets: await secretsOf(proxy.secretId) })
}
