import { errors, jwtVerify, SignJWT } from 'jose'
import { createSecretKey, type KeyObject } from 'node:crypto'
import { config } from '../platform/config.ts'
import { log } from '../platform/log.ts'
import { readSecret } from '../platform/secrets.ts'
import { InternalError, ProtocolError } from '../protocol/errors.ts'

// Customers have no accounts: a token of our own is all that says who they are.

/** A customer's token lasts so long, and each login gives a new one. In seconds. */
export const customerTokenS = 365 * 24 * 3600
const issuer = 'agent-chat'
const algorithm = 'HS256'
/**
 * How long a key is used without asking whether it was replaced, and how soon an unknown one may be asked for
 * again.
 */
const keptMs = 600_000
const askedAgainMs = 10_000

/** A version of the secret: its id is the `kid` of what it signed. */
interface Key {
  kid: string
  key: KeyObject
}
interface Keys {
  current: Key
  /** The one before it, which still verifies. */
  previous: Key | undefined
  readAt: number
}

// a version's id, as Secrets Manager makes them: nothing else can be one that is not known yet
const versionId = /^[A-Za-z0-9-]{32,64}$/

let known: Promise<Keys> | undefined

const readVersion = async (stage: 'AWSCURRENT' | 'AWSPREVIOUS'): Promise<Key | undefined> => {
  const secret = await readSecret(config.customerKeySecretId(), stage)
  return secret && { kid: secret.version, key: createSecretKey(secret.text, 'utf8') }
}

const readKeys = async (): Promise<Keys> => {
  const [current, previous] = await Promise.all([readVersion('AWSCURRENT'), readVersion('AWSPREVIOUS')])
  if (current === undefined) throw new InternalError('The secret has no current version')
  return { current, previous, readAt: Date.now() }
}

/** The keys, read once for many logins; anew after `olderThanMs`. */
const keysNow = async (olderThanMs: number): Promise<Keys> => {
  const keys = await known?.catch(() => undefined)
  if (keys !== undefined && Date.now() - keys.readAt < olderThanMs) return keys
  // where they cannot be read just now, those that are known still verify
  const reading = readKeys().catch((error: unknown) => {
    if (keys === undefined) throw error
    log.error('The keys of customers’ tokens could not be read', { cause: error })
    return keys
  })
  known = reading
  return reading
}

/** Who a customer is, in the license that its token was made for. */
export interface CustomerIdentity {
  license_id: string
  customer_id: string
}

/** A token that logs the customer in for a year. */
export const signCustomerToken = async ({ license_id, customer_id }: CustomerIdentity): Promise<string> => {
  const { current } = await keysNow(keptMs)
  return new SignJWT()
    .setProtectedHeader({ alg: algorithm, kid: current.kid })
    .setIssuer(issuer)
    .setAudience(license_id)
    .setSubject(customer_id)
    .setIssuedAt()
    .setExpirationTime(`${customerTokenS} s`)
    .sign(current.key)
}

/**
 * Verifies a customer's token for a license. Throws `auth` for whatever is wrong with it. `issued_at` in Unix
 * seconds.
 */
export const verifyCustomerToken = async (
  token: unknown,
  license: string,
): Promise<CustomerIdentity & { issued_at: number }> => {
  if (typeof token !== 'string') throw new ProtocolError('auth')
  try {
    const { payload } = await jwtVerify(token, ({ kid }) => keyOf(kid), {
      issuer,
      audience: license,
      algorithms: [algorithm],
      requiredClaims: ['sub', 'iat', 'exp'],
    })
    const { sub = '', iat = 0 } = payload
    if (sub === '') throw new ProtocolError('auth')
    return { license_id: license, customer_id: sub, issued_at: iat }
  } catch (error) {
    throw error instanceof errors.JOSEError ? new ProtocolError('auth') : error
  }
}

/** Of the last two keys the one of this id; both are read anew for one that is unknown. */
const keyOf = async (kid: string | undefined): Promise<KeyObject> => {
  for (const olderThanMs of [keptMs, askedAgainMs]) {
    const { current, previous } = await keysNow(olderThanMs)
    const found = [current, previous].find((key) => key !== undefined && key.kid === kid)
    if (found !== undefined) return found.key
    if (kid === undefined || !versionId.test(kid)) break
  }
  throw new ProtocolError('auth')
}
