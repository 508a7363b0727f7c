import type * as z from 'zod/mini'
import { type ErrorDetail, errorTable, type ProtocolError } from './errors.ts'
import { parseJson, rawInContentOnly } from './json.ts'
import { limits } from './limits.ts'
import type {
  CustomerPushName,
  CustomerPushPayload,
  PushName,
  PushPayload,
  ShownToCustomers,
} from './pushes.ts'

/** What of a request every answer to it repeats. `id` and `request_id` are as they came: strings or numbers. */
export interface Echo {
  id?: unknown
  request_id?: unknown
  action?: string
}

export interface Frame {
  echo: Echo
  payload: unknown
  /** What is wrong with the frame itself; nothing else of it is looked at then. */
  faults: ErrorDetail[]
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value)

const parsed = (body: string): unknown => {
  try {
    return parseJson(body)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const isRequestId = (id: unknown): boolean =>
  (typeof id === 'string' && id.length >= 1 && id.length <= limits.requestIdLength) ||
  typeof id === 'number' ||
  (JSON.isRawJSON(id) && JSON.stringify(id).length <= limits.requestIdLength)

/** Reads any text as a request for `route`; undefined: no action has this route. Never throws. */
export const readFrame = (body: string, route: string | undefined): Frame => {
  const message = parsed(body)
  if (!isObject(message)) {
    const what = message === undefined ? 'The frame is not JSON' : 'The frame is not a JSON object'
    return { echo: {}, payload: undefined, faults: [{ path: '', message: what }] }
  }
  const echo: Echo = {}
  const faults: ErrorDetail[] = []
  for (const name of ['id', 'request_id'] as const) {
    const id = message[name] ?? undefined
    if (id === undefined) continue
    if (isRequestId(id)) echo[name] = id
    else
      faults.push({
        path: name,
        message: `Must be a string of 1-${limits.requestIdLength} characters or a number`,
      })
  }
  const action = message['action']
  if (typeof action === 'string' && action.length <= limits.requestIdLength) echo.action = action
  if (action === undefined || action === null)
    faults.push({ path: 'action', message: 'Required: the name of an action' })
  else if (action !== route) faults.push({ path: 'action', message: 'No such action' })
  return { echo, payload: rawInContentOnly(message['payload'] ?? {}), faults }
}

/** What a schema found wrong, in words that let a person mend the request. */
export const detailsOf = (issues: readonly z.core.$ZodIssue[], at: string): ErrorDetail[] =>
  issues.flatMap((issue) => {
    const path = [at, ...issue.path.map(String)].join('.')
    // of a union, the branch that came closest: the one that complains of the fewest fields
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      const [closest] = issue.errors.toSorted((a, b) => a.length - b.length)
      const typed = issue.errors.every((errors) => errors.every(({ path: inner }) => inner.length === 0))
      if (closest !== undefined && !typed) return detailsOf(closest, path)
    }
    if (issue.code === 'invalid_key' && issue.issues.length > 0)
      return issue.issues.map(({ message }) => ({ path, message }))
    return [{ path, message: issue.message }]
  })

/** A successful answer; without `payload` where the action has none. */
export const answered = (echo: Echo, payload: unknown): string =>
  JSON.stringify({ ...echo, type: 'response', success: true, payload })

const mostDetails = 20
const mostCharacters = 256

const cut = (text: string): string =>
  text.length <= mostCharacters ? text : `${text.slice(0, mostCharacters).toWellFormed()}…`

/** A frame can be wrong in thousands of places, under names as long as itself; what a person needs is the first few. */
const bounded = (details: readonly ErrorDetail[]): ErrorDetail[] => {
  const shown = details
    .slice(0, mostDetails)
    .map(({ path, message }) => ({ path: cut(path), message: cut(message) }))
  const more = details.length - shown.length
  return more === 0 ? shown : [...shown, { path: '', message: `And ${more} more of the kind` }]
}

export const refused = (echo: Echo, error: ProtocolError): string =>
  JSON.stringify({
    ...echo,
    type: 'response',
    success: false,
    payload: {
      error: {
        type: error.type,
        code: errorTable[error.type].code,
        message: error.message,
        details: error.details === undefined ? undefined : bounded(error.details),
      },
    },
  })

interface PushedFrame {
  <Name extends PushName>(action: Name, payload: PushPayload<Name>): string
  <Name extends CustomerPushName>(action: Name, payload: CustomerPushPayload<Name>): string
  /** What customers are shown of a push to agents. */
  <Name extends PushName>(action: Name, payload: ShownToCustomers<Name>): string
}

export const pushed: PushedFrame = (action: string, payload: object): string =>
  JSON.stringify({ action, type: 'push', payload })
