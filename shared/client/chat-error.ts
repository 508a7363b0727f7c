import type { ErrorDetail, ErrorType } from '../protocol/errors.ts'

/**
 * `connection_lost`: the connection broke before the answer, and the request must not be sent twice.
 * `closed`: the client was closed, by the app or for good by the server.
 */
type ClientErrorType = ErrorType | 'connection_lost' | 'closed'

/** Why a request failed; `code` is 0 where the server never said. */
export class ChatError extends Error {
  readonly type: ClientErrorType
  readonly code: number
  readonly details: readonly ErrorDetail[]

  constructor(error: {
    type: ClientErrorType
    code?: number
    message: string
    details?: readonly ErrorDetail[]
  }) {
    super(error.message)
    this.name = 'ChatError'
    this.type = error.type
    this.code = error.code ?? 0
    this.details = error.details ?? []
  }
}
