import { expect } from 'vitest'
import type { WireError } from './client.ts'

// The errors of protocol §2 as a client gets them. Written out, not taken from the code that they judge.

export const notFound: WireError = { type: 'not_found', code: 404, message: 'Not found' }
export const chatInactive: WireError = { type: 'chat_inactive', code: 409, message: 'Chat is inactive' }
export const invalidToken: WireError = { type: 'auth', code: 401, message: 'Invalid access token' }
export const notLoggedIn: WireError = { type: 'auth', code: 401, message: 'Not logged in' }
export const licenseExpired: WireError = { type: 'license_expired', code: 402, message: 'License expired' }
export const customerBanned: WireError = {
  type: 'customer_banned',
  code: 403,
  message: 'Customer is banned',
}

/** `authorization`, with the action's own sentence (protocol §2) or the default one. */
export const denied = (sentence = 'Authorization error'): WireError => ({
  type: 'authorization',
  code: 403,
  message: sentence,
})

/** `validation` with one detail for each of these paths, each with a sentence. */
export const invalid = (...paths: string[]) => ({
  type: 'validation',
  code: 400,
  message: 'Wrong format of request',
  details: paths.map((path) => ({ path, message: expect.stringMatching(/./) })),
})
