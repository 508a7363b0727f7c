import { createHash, createHmac } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

const sha256 = (data: string) => createHash('sha256').update(data).digest('hex')
const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest()

const shape =
  /^AWS4-HMAC-SHA256 Credential=(?<id>\w+)\/(?<scope>\d{8}\/[\w-]+\/[\w-]+\/aws4_request), SignedHeaders=(?<names>[\w;-]+), Signature=(?<signature>\w{64})$/

/** A request's signature, version 4, read, and made anew by AWS's description of it. */
export const signatureOf = (
  { method = '', url = '', headers }: IncomingMessage,
  body: string,
  secret: string,
): { id: string; scope: string; signed: string[]; signature: string; expected: string } => {
  const {
    id = '',
    scope = '',
    names = '',
    signature = '',
  } = shape.exec(headers.authorization ?? '')?.groups ?? {}
  const signed = names.split(';')
  const date = String(headers['x-amz-date'])
  const canonical = [
    method,
    // each part once more, as for every service but S3
    url.split('/').map(encodeURIComponent).join('/'),
    '',
    ...signed.map((name) => `${name}:${String(headers[name]).trim()}`),
    '',
    names,
    sha256(body),
  ].join('\n')
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${secret}`)
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')
  return { id, scope, signed, signature, expected: hmac(key, text).toString('hex') }
}
