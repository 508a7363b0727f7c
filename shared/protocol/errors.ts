/**
 * Every error type of the protocol (§2): its stable number and the sentence used where an action has none of
 * its own.
 */
export const errorTable = {
  validation: { code: 400, message: 'Wrong format of request' },
  auth: { code: 401, message: 'Invalid access token' },
  license_expired: { code: 402, message: 'License expired' },
  authorization: { code: 403, message: 'Authorization error' },
  customer_banned: { code: 403, message: 'Customer is banned' },
  not_found: { code: 404, message: 'Not found' },
  license_not_found: { code: 404, message: 'License not found' },
  request_timeout: { code: 408, message: 'Request timed out' },
  chat_inactive: { code: 409, message: 'Chat is inactive' },
  too_many_requests: { code: 429, message: 'Too many requests' },
  too_many_connections: { code: 429, message: 'Too many connections' },
  internal: { code: 500, message: 'Internal server error' },
} as const

export type ErrorType = keyof typeof errorTable

export interface ErrorDetail {
  /** Where in the request, as `payload.event.text`; empty for the frame as a whole. */
  path: string
  message: string
}

/**
 * A fault that this code has worded itself, of nothing that people wrote: the log repeats its message, as it
 * does of no other error that a library could have made of what it was given. Clients get `internal`.
 */
export class InternalError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'InternalError'
  }
}

/** The one error that a client may see. Anything else thrown becomes `internal`. */
export class ProtocolError extends Error {
  readonly type: ErrorType
  readonly details: readonly ErrorDetail[] | undefined
  /** After so many seconds the same may succeed. */
  readonly retryAfterS: number | undefined

  constructor(
    type: ErrorType,
    options: {
      message?: string | undefined
      details?: readonly ErrorDetail[]
      retryAfterS?: number
    } = {},
  ) {
    super(options.message ?? errorTable[type].message)
    this.name = 'ProtocolError'
    this.type = type
    this.details = options.details
    this.retryAfterS = options.retryAfterS
  }
}
