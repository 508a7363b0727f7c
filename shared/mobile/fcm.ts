import { setTimeout as wait } from 'node:timers/promises'
import * as z from 'zod/mini'
import { log } from '../platform/log.ts'
import { parseJson } from '../protocol/json.ts'
import { type Account, callMs, forgetAccount, nameOf, openAccount, ownConnection } from './service-account.ts'

// Firebase Cloud Messaging, HTTP v1. Beside the account that it is asked with, the one file that knows it.

/** A message of FCM's, as far as it is used. */
export interface MobileMessage {
  token: string
  notification: { title: string; body: string }
  data: Record<string, string>
  android?: { priority: 'HIGH'; ttl: string; notification: { tag: string } }
  apns?: { headers: Record<string, string>; payload: { aps: Record<string, string> } }
}

/**
 * `dead_token`: the token will never work again. `refused_message`: this message was not taken, and would not
 * be the next time. `failed`: FCM did not answer, or not in time.
 */
export type SendOutcome = 'sent' | 'dead_token' | 'refused_message' | 'failed'

export interface Sending {
  signal: AbortSignal
  /** No attempt begins after this, by `performance.now()`. */
  untilMs: number
  /** How often FCM is asked at the most. */
  tries: number
}

/** What an attempt came to. `again`: worth another one, after `afterMs` where FCM says when. */
interface Answer {
  outcome: SendOutcome | 'again'
  afterMs?: number | undefined
  /** For the log. */
  why?: object
}

const firstPauseMs = 500

/**
 * Sends one message; again, after longer and longer pauses or when FCM says, where FCM is too busy or
 * failing, as long as `untilMs` and `tries` allow. One whose fate is unknown is not sent again. Never throws:
 * the log says why a message was not sent, without token and text.
 */
export const send = async (message: MobileMessage, sending: Sending): Promise<SendOutcome> => {
  for (let tries = 1; ; tries += 1) {
    const { outcome, afterMs, why } = await attempt(message, sending.signal)
    if (outcome !== 'again') {
      if (why !== undefined) log.warn('A mobile notification was not sent', { why })
      return outcome
    }
    const pauseMs = afterMs ?? firstPauseMs * 2 ** (tries - 1) * (0.5 + Math.random())
    const isLast = tries >= sending.tries || performance.now() + pauseMs > sending.untilMs
    if (isLast || !(await paused(pauseMs, sending.signal))) {
      log.warn('A mobile notification was given up', { why, tries })
      return 'failed'
    }
  }
}

/** Whether the time was waited for. */
const paused = (ms: number, signal: AbortSignal): Promise<boolean> =>
  wait(ms, true, { signal }).catch(() => false)

/** Posts once; where the access token is not taken, once more with a new one. */
const attempt = async (message: MobileMessage, signal: AbortSignal, isRenewed = false): Promise<Answer> => {
  const opened = openAccount()
  let known: Account
  let access: string
  let response: Posted
  try {
    known = await opened
  } catch (error) {
    return { outcome: 'failed', why: { account: nameOf(error) } }
  }
  try {
    access = await known.token()
  } catch (error) {
    return classifyExchange(error, opened)
  }
  try {
    response = await post(known.url, access, message, signal)
  } catch (error) {
    // it may have arrived all the same
    return { outcome: 'failed', why: { cause: nameOf(error) } }
  }
  if (response.status !== 401) return classify(response)
  known.notTaken(access)
  if (!isRenewed) return attempt(message, signal, true)
  forgetAccount(opened)
  return classify(response)
}

/** Why there is no access token. */
const classifyExchange = (error: unknown, opened: Promise<Account>): Answer => {
  const status = z.object({ status: z.int() }).safeParse(error).data?.status
  const why = { exchange: nameOf(error), status }
  // the key may have been replaced in the secret since
  forgetAccount(opened)
  const isRefused = status !== undefined && status < 500 && status !== 429
  return { outcome: isRefused ? 'failed' : 'again', why }
}

interface Posted {
  status: number
  retryAfter: string | null
  body: string
}

const post = async (
  url: string,
  access: string,
  message: MobileMessage,
  signal: AbortSignal,
): Promise<Posted> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${access}`,
      'content-type': 'application/json',
      ...ownConnection,
    },
    body: JSON.stringify({ message }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(callMs)]),
  })
  const body = await response.text()
  return { status: response.status, retryAfter: response.headers.get('retry-after'), body }
}

const ErrorBody = z.object({
  error: z.object({
    status: z.optional(z.string()),
    message: z.optional(z.string()),
    details: z._default(
      z.array(
        z.object({
          errorCode: z.optional(z.string()),
          fieldViolations: z.optional(z.array(z.object({ field: z.optional(z.string()) }))),
        }),
      ),
      [],
    ),
  }),
})

const classify = ({ status, retryAfter, body }: Posted): Answer => {
  if (status < 300) return { outcome: 'sent' }
  const { error } = errorBodyIn(body) ?? {}
  const codes = (error?.details ?? []).flatMap(({ errorCode }) => errorCode ?? [])
  const fields = (error?.details ?? []).flatMap(({ fieldViolations = [] }) =>
    fieldViolations.map(({ field }) => field),
  )
  const names = [...codes, error?.status]
  if (status === 404 && names.includes('UNREGISTERED')) return { outcome: 'dead_token' }
  // the token is all that a device has given of the message; but where FCM names fields, it must be the one
  const isToken = fields.every((field) => field === 'message.token') && !/too big/i.test(error?.message ?? '')
  if (status === 400 && names.includes('INVALID_ARGUMENT') && isToken) return { outcome: 'dead_token' }
  const why = { status, error: error?.status, codes, fields }
  if (status === 429 || status >= 500) return { outcome: 'again', afterMs: waitOf(retryAfter), why }
  return { outcome: 'refused_message', why }
}

const errorBodyIn = (body: string): z.output<typeof ErrorBody> | undefined => {
  try {
    return ErrorBody.safeParse(parseJson(body)).data
  } catch (error) {
    // what stands before FCM may answer a page
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** `Retry-After`, in seconds or as a date; undefined where there is none. */
const waitOf = (retryAfter: string | null): number | undefined => {
  if (retryAfter === null) return undefined
  const ms = /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}
