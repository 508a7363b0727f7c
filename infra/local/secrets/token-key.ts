import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose'
import { createHmac } from 'node:crypto'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { openSecretFile } from './secret-file.ts'

/** The private JWK that signs local tokens. */
const TokenKey = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: z.string(),
  y: z.string(),
  d: z.string(),
  kid: z.string(),
  alg: z.literal('ES256'),
})
export type TokenKey = z.output<typeof TokenKey>

/**
 * The key of `<dir>/token-key.json`, made at the first call; of two first calls at once, both get the same.
 */
export async function openTokenKey(dir: string): Promise<TokenKey> {
  const file = join(dir, 'token-key.json')
  const text = await openSecretFile(file, async () => `${JSON.stringify(await newKey(), undefined, 2)}\n`)
  try {
    return TokenKey.parse(JSON.parse(text))
  } catch {
    throw new Error(
      `${file} holds no ES256 key. Delete it, and a new one is made; tokens of the old one end.`,
    )
  }
}

/** The key set against which tokens are checked: the public half only. */
export function publicJwks({ kty, crv, x, y, kid, alg }: TokenKey) {
  return { keys: [{ kty, crv, x, y, kid, alg, use: 'sig' }] }
}

interface TokenRequest {
  key: TokenKey
  issuer: string
  audience: string
  subject: string
  /** Names of token scopes, separated by spaces. */
  scope?: string | undefined
  /** The subject is a client, which gets the token for itself. */
  machine?: boolean | undefined
  expiresInS: number
  /** Milliseconds since 1970. */
  now?: number
}

export async function mintToken(request: TokenRequest): Promise<string> {
  const { key, issuer, audience, subject, scope, machine, expiresInS, now = Date.now() } = request
  const issuedAt = Math.floor(now / 1000)
  return new SignJWT({
    ...(scope === undefined ? {} : { scope }),
    ...(machine === true ? { client_id: subject } : {}),
  })
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(subject)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + expiresInS)
    .sign(await importJWK(key))
}

/** The secret of a local client: it follows from the key, so that none is kept. */
export const clientSecretOf = ({ d }: TokenKey, client: string): string =>
  createHmac('sha256', d).update(`client ${client}`).digest('base64url')

async function newKey(): Promise<TokenKey> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const jwk = await exportJWK(privateKey)
  return TokenKey.parse({ ...jwk, kid: await calculateJwkThumbprint(jwk), alg: 'ES256' })
}
