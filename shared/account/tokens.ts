import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify, type JWTVerifyGetKey } from 'jose'
import { ProtocolError } from '../protocol/errors.ts'

export interface TokenChecks {
  issuer: string
  /** Expected as `aud`, or as `client_id` of an access token whose `token_use` says so (Cognito's have no `aud`). */
  audience: string
  keys: JWTVerifyGetKey
}

/** Who a token names, by its identity provider, and what it may be used for. */
export interface TokenIdentity {
  issuer: string
  subject: string
  scopes: string[]
  /** Unix seconds. */
  expiresAt: number
}

const clockSkewS = 60

/** The issuer's keys, fetched when first needed and kept for ten minutes; an unknown key id fetches them anew. */
export const remoteKeys = (url: string): JWTVerifyGetKey =>
  createRemoteJWKSet(new URL(url), { timeoutDuration: 3000, cooldownDuration: 10_000, cacheMaxAge: 600_000 })

/** Verifies a login's token. Throws `auth` for whatever is wrong with it, and other errors where keys are out of reach. */
export const verifyToken = async (token: unknown, checks: TokenChecks): Promise<TokenIdentity> => {
  if (typeof token !== 'string') throw new ProtocolError('auth')
  const { iss, sub, exp, ...claims } = await claimsOf(token.replace(/^Bearer\s+/i, ''), checks)
  const audiences = claims['token_use'] === 'access' ? [claims['client_id'], claims.aud] : [claims.aud]
  if (!audiences.flat().includes(checks.audience)) throw new ProtocolError('auth')
  // claims are whatever the issuer put there: a subject that is no text would be one key with many others
  if (iss === undefined || typeof sub !== 'string' || sub === '' || exp === undefined)
    throw new ProtocolError('auth')
  const nowS = Date.now() / 1000
  return {
    issuer: iss,
    subject: sub,
    scopes: scopesOf(claims['scope'] ?? claims['scp']),
    // one that ended within the skew ends with it
    expiresAt: Math.floor(exp > nowS ? exp : exp + clockSkewS),
  }
}

const claimsOf = async (token: string, { issuer, keys }: TokenChecks): Promise<JWTPayload> => {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      algorithms: ['RS256', 'ES256'],
      clockTolerance: clockSkewS,
      requiredClaims: ['sub', 'exp'],
    })
    return payload
  } catch (error) {
    const aboutToken = error instanceof errors.JOSEError && !unreachable.has(error.code)
    throw aboutToken ? new ProtocolError('auth') : error
  }
}

// the key set did not come, or came broken: nothing that the client could mend
const unreachable: ReadonlySet<string> = new Set(['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC'])

const scopesOf = (claim: unknown): string[] => {
  if (typeof claim === 'string') return claim.split(' ').filter((scope) => scope !== '')
  return Array.isArray(claim) ? claim.filter((scope) => typeof scope === 'string') : []
}
