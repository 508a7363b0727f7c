import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  jwtVerify,
  type JWTVerifyGetKey,
  type JWTVerifyResult,
} from 'jose'
import { config } from '../platform/config.ts'
import { log } from '../platform/log.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { utf8Bytes } from '../protocol/fields.ts'
import { keyBytes, keys } from '../table/keys.ts'

export interface TokenChecks {
  issuer: string
  /**
   * Expected as `aud`, or as `client_id` of an access token whose `token_use` says so (Cognito's have no
   * `aud`). Such a token that a client got for itself is of its own `client_id`.
   */
  audience: string
  keys: JWTVerifyGetKey
  /**
   * `access`: a token must say that it is an access token, by `token_use` or its type `at+jwt` (RFC 9068).
   * An issuer signs ID tokens by the same keys, and they name no scopes. `any`: for issuers whose access
   * tokens do not say what they are.
   */
  tokenType: TokenType
  /** As in `TokenIdentity`. */
  resourceServer: string | undefined
}

type TokenType = 'access' | 'any'

/** Who a token names, by its identity provider, and what it may be used for. */
export interface TokenIdentity {
  issuer: string
  subject: string
  scopes: string[]
  /** The resource server whose scopes grant something; undefined: those of any do, and those of none. */
  resourceServer: string | undefined
  /** A client got it for itself (RFC 6749 §4.4): nobody has signed in. */
  machine: boolean
  /** Unix seconds. */
  expiresAt: number
}

const clockSkewS = 60

// how long a key set that did not come is not asked for again, in ms
const unreachableMs = 10_000

/**
 * The issuer's keys, fetched when first needed and kept for ten minutes; an unknown key id fetches them
 * anew. Where they cannot be fetched, the last that came still verify.
 */
export const remoteKeys = (url: string): JWTVerifyGetKey => {
  const options = { timeoutDuration: 3000, cooldownDuration: 10_000, cacheMaxAge: 600_000 }
  const remote = createRemoteJWKSet(new URL(url), options)
  let lastGood: ReturnType<typeof createLocalJWKSet> | undefined
  let outage: { until: number; cause: unknown } | undefined
  return async (header, token) => {
    if (lastGood === undefined || outage === undefined || Date.now() >= outage.until) {
      try {
        const key = await remote(header, token)
        const set = remote.jwks()
        if (set !== undefined) lastGood = createLocalJWKSet(set)
        return key
      } catch (error) {
        if (lastGood === undefined || isAboutToken(error)) throw error
        outage = { until: Date.now() + unreachableMs, cause: error }
        log.error('The key set cannot be fetched: the last one that came is used', { cause: error })
      }
    }
    const { cause } = outage
    return lastGood(header, token).catch((error: unknown) => {
      // a key that came into the set meanwhile is not the token's fault
      throw error instanceof errors.JWKSNoMatchingKey ? cause : error
    })
  }
}

let checks: TokenChecks | undefined

/** What the deployment says. Made once and kept: the key set is fetched once for many tokens. */
export const tokenChecks = (): TokenChecks =>
  (checks ??= {
    issuer: config.tokenIssuer(),
    audience: config.tokenAudience(),
    keys: remoteKeys(config.tokenJwksUrl()),
    tokenType: config.tokenType(),
    resourceServer: config.tokenResourceServer(),
  })

/**
 * Verifies an agent's token. Throws `auth` for whatever is wrong with it, and other errors where keys are out
 * of reach.
 */
export const verifyToken = async (token: unknown, checks: TokenChecks): Promise<TokenIdentity> => {
  if (typeof token !== 'string') throw new ProtocolError('auth')
  const { payload, protectedHeader } = await verified(token.replace(/^Bearer\s+/i, ''), checks)
  const { iss, sub, exp, ...claims } = payload
  if (!isAccessToken(claims['token_use'], protectedHeader.typ, checks.tokenType))
    throw new ProtocolError('auth')
  const machine = isMachine(sub, claims['client_id'] ?? claims['azp'])
  const isCognitos = claims['token_use'] === 'access'
  const audiences = isCognitos ? [claims['client_id'], claims.aud] : [claims.aud]
  const scopes = scopesOf(claims['scope'] ?? claims['scp'])
  // Cognito names no audience to a machine: the API that its token is for is that of its scopes
  const isForUs =
    machine && isCognitos && claims.aud === undefined
      ? scopes.some((scope) => scope.startsWith(`${checks.resourceServer}/`))
      : audiences.flat().includes(checks.audience)
  if (!isForUs) throw new ProtocolError('auth')
  // claims are whatever the issuer put there: a subject that is no text would be one key with many others
  if (iss === undefined || typeof sub !== 'string' || sub === '' || exp === undefined)
    throw new ProtocolError('auth')
  // nobody can be known by a key that no item has
  if (!sub.isWellFormed() || utf8Bytes(keys.identity(iss, sub).pk) > keyBytes) throw new ProtocolError('auth')
  const nowS = Date.now() / 1000
  return {
    issuer: iss,
    subject: sub,
    scopes,
    resourceServer: checks.resourceServer,
    machine,
    // one that ended within the skew ends with it
    expiresAt: Math.floor(exp > nowS ? exp : exp + clockSkewS),
  }
}

const verified = async (token: string, { issuer, keys }: TokenChecks): Promise<JWTVerifyResult> => {
  try {
    return await jwtVerify(token, keys, {
      issuer,
      algorithms: ['RS256', 'ES256'],
      clockTolerance: clockSkewS,
      requiredClaims: ['sub', 'exp'],
    })
  } catch (error) {
    throw isAboutToken(error) ? new ProtocolError('auth') : error
  }
}

const isAboutToken = (error: unknown): boolean =>
  error instanceof errors.JOSEError && !unreachable.has(error.code)

// the key set did not come, or came broken: nothing that the client could mend
const unreachable: ReadonlySet<string> = new Set(['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC'])

/** `token_use` is Cognito's own claim; where there is none, the header's type tells. */
const isAccessToken = (tokenUse: unknown, type: string | undefined, expected: TokenType): boolean => {
  if (tokenUse !== undefined) return tokenUse === 'access'
  return expected === 'any' || type?.toLowerCase().replace(/^application\//, '') === 'at+jwt'
}

/** A token whose client is its subject: by RFC 9068 and Cognito, or as Auth0 spells it. */
const isMachine = (subject: unknown, client: unknown): boolean =>
  typeof client === 'string' && client !== '' && (subject === client || subject === `${client}@clients`)

const scopesOf = (claim: unknown): string[] => {
  if (typeof claim === 'string') return claim.split(' ').filter((scope) => scope !== '')
  return Array.isArray(claim) ? claim.filter((scope) => typeof scope === 'string') : []
}
