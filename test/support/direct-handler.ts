import { NodeHttpHandler as SocketHandler } from '@smithy/node-http-handler'
import type { SignatureV4 as Signer } from '@smithy/signature-v4'
import { handleDirectly } from './direct.ts'

// Stands for the SDK's own handler in the bundles of tests: what a server of the same process answers
// directly goes over no socket. Everything else does, and so does all that ships.

export * from '@smithy/node-http-handler'

type Given = Parameters<typeof SocketHandler.create>[0]
type MadeOf = ConstructorParameters<typeof SocketHandler>[0]
const isOptions = (given: Given): given is MadeOf => given === undefined || !('handle' in given)

export class NodeHttpHandler extends SocketHandler {
  // a client that is given none makes its own by this
  static override create(given?: Given) {
    return SocketHandler.create(isOptions(given) ? new NodeHttpHandler(given) : given)
  }

  override handle(...asked: Parameters<SocketHandler['handle']>): ReturnType<SocketHandler['handle']> {
    return handleDirectly(...asked) ?? super.handle(...asked)
  }
}

type Options = ConstructorParameters<typeof Signer>[0]

/**
 * Stands for the signer: nothing local goes by signatures, and one takes as long as a read. What a signature
 * is made of is a test of its own.
 */
export class SignatureV4 {
  readonly #credentials: Options['credentials']

  constructor({ credentials }: Options) {
    this.#credentials = credentials
  }

  async sign<T extends { headers: Record<string, string> }>(request: T): Promise<T> {
    const { accessKeyId } =
      typeof this.#credentials === 'function' ? await this.#credentials() : this.#credentials
    const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/20260101/us-east-1/test/aws4_request, SignedHeaders=host, Signature=none`
    return { ...request, headers: { ...request.headers, 'x-amz-date': '20260101T000000Z', authorization } }
  }
}
