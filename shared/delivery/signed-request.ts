import { HttpRequest } from '@smithy/core/protocols'
import { Hash } from '@smithy/core/serde'
import type { NodeHttpHandler } from '@smithy/node-http-handler'
import { SignatureV4 } from '@smithy/signature-v4'
import { text } from 'node:stream/consumers'
import { config } from '../platform/config.ts'
import { retryTransient } from '../table/transient-errors.ts'

interface Posted {
  /** Absent: the URL's own. */
  path?: string
  headers: Readonly<Record<string, string>>
  body: string
}

/** Posts a signed request, perhaps twice; resolves to whatever is answered, and throws where nothing is. */
export type SignedClient = (request: Posted, signal: AbortSignal) => Promise<{ status: number; text: string }>

/**
 * Posts to a service of AWS's by requests signed with the function's credentials, and nothing else that its
 * client in the SDK does: of the time of a core that a post to a connection took, that was more than half.
 */
export const createSignedClient = (
  service: string,
  url: string,
  requestHandler: NodeHttpHandler,
): SignedClient => {
  const { protocol, hostname, host, port, pathname } = new URL(url)
  // they stay the same for as long as the environment lives
  const { region, ...credentials } = config.credentials()
  const signer = new SignatureV4({ service, region, credentials, sha256: Hash.bind(null, 'sha256') })
  return async ({ path = pathname, headers, body }, signal) => {
    const request = new HttpRequest({
      method: 'POST',
      protocol,
      hostname,
      ...(port !== '' && { port: Number(port) }),
      path,
      headers: { ...headers, host, 'content-length': String(Buffer.byteLength(body)) },
      body,
    })
    const signed = await signer.sign(request)
    request.headers = signed.headers
    return retryTransient(async () => {
      const { response } = await requestHandler.handle(request, { abortSignal: signal })
      return { status: response.statusCode, text: await text(response.body) }
    })
  }
}
