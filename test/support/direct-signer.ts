import type { SignatureV4 as Signer } from '@smithy/signature-v4'

// Stands for the signer in the bundles of tests: nothing local goes by signatures, and one takes as long as a read. What a
// signature is made of is a test of its own.

type Options = ConstructorParameters<typeof Signer>[0]

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
