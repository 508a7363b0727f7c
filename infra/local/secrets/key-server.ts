import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { listenOn } from '../listen-on.ts'
import { clientSecretOf, mintToken, publicJwks, type TokenKey } from './token-key.ts'

interface KeyServer {
  /** The key set. */
  url: string
  /** Where a bot gets its tokens. */
  tokenUrl: string
  stop(): Promise<void>
}

/** Whose tokens are made. */
interface Issuing {
  key: TokenKey
  issuer: string
  audience: string
}

const tokenPath = '/oauth2/token'
const expiresInS = 3600

/**
 * What an identity provider serves: the key set that `login` checks local tokens against, and, by the
 * client-credentials flow (RFC 6749 §4.4), tokens for bots.
 */
export const startKeyServer = async (issuing: Issuing): Promise<KeyServer> => {
  const server = createServer((request, response) => {
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (request.method !== 'POST' || request.url !== tokenPath) return answer(200, publicJwks(issuing.key))
    grant(request, issuing).then(
      ({ status, ...body }) => answer(status, body),
      () => answer(400, { error: 'invalid_request' }),
    )
    return undefined
  })
  const port = await listenOn(server, 0, '127.0.0.1')
  const at = `http://127.0.0.1:${port}`
  return {
    url: `${at}/.well-known/jwks.json`,
    tokenUrl: `${at}${tokenPath}`,
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

const grant = async (request: IncomingMessage, issuing: Issuing): Promise<{ status: number }> => {
  const asked = new URLSearchParams(await text(request))
  if (asked.get('grant_type') !== 'client_credentials') return refused(400, 'unsupported_grant_type')
  const [id = '', secret = ''] = credentialsOf(request.headers.authorization)
  if (id === '' || secret !== clientSecretOf(issuing.key, id)) return refused(401, 'invalid_client')
  const scope = asked.get('scope') ?? undefined
  const access_token = await mintToken({ ...issuing, subject: id, scope, machine: true, expiresInS })
  const granted = { access_token, token_type: 'Bearer', expires_in: expiresInS }
  return { status: 200, ...granted }
}

const refused = (status: number, error: string) => ({ status, error })

/** Id and secret of HTTP's basic authentication, each as a form has it (RFC 6749 §2.3.1). */
const credentialsOf = (header = ''): string[] => {
  const [, encoded = ''] = /^Basic +(\S+)$/i.exec(header) ?? []
  const [id = '', ...secret] = Buffer.from(encoded, 'base64').toString().split(':')
  return [id, secret.join(':')].map((part) => decodeURIComponent(part))
}
