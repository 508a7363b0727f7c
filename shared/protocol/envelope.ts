import type * as z from 'zod/mini'
import { type ErrorDetail, errorTable, type ProtocolError } from './errors.ts'
import { type JsonRead, rawInContentOnly, readJson, stringifyJson } from './json.ts'
import { limits } from './limits.ts'
import { namesForCustomers, type ShownToCustomers } from './push-kinds.ts'
import type { CustomerPushName, CustomerPushPayload } from './customer-pushes.ts'
import type { PushName, PushPayload } from './pushes.ts'

/**
 * What of a request every answer to it repeats. `id` and `request_id` are as they came: strings or numbers.
 */
export interface Echo {
  id?: unknown
  request_id?: unknown
  action?: string
}

export interface Frame {
  echo: Echo
  payload: unknown
  /** Faults of the frame itself; nothing else of it is looked at then. */
  faults: ErrorDetail[]
}

export const isJsonObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value)

const read = (body: string): JsonRead => {
  try {
    return readJson(body)
  } catch (error) {
    if (error instanceof SyntaxError) return { value: undefined, isTooDeep: false, hasRaw: false }
    throw error
  }
}

const isRequestId = (id: unknown): boolean =>
  (typeof id === 'string' && id.length >= 1 && id.length <= limits.requestIdLength) ||
  typeof id === 'number' ||
  (JSON.isRawJSON(id) && JSON.stringify(id).length <= limits.requestIdLength)

const tooDeep = `Objects and arrays may be nested at most ${limits.frameDepth} levels deep`

/**
 * Reads any text as a payload of its own, as HTTP has it; nothing and `null` are an empty one. Never throws.
 */
export const readPayload = (body: string): Pick<Frame, 'payload' | 'faults'> => {
  if (body.trim() === '') return { payload: {}, faults: [] }
  const { value, isTooDeep, hasRaw } = read(body)
  const faults: ErrorDetail[] = isTooDeep ? [{ path: '', message: tooDeep }] : []
  if (value === null) return { payload: {}, faults }
  if (isJsonObject(value)) return { payload: hasRaw ? rawInContentOnly(value) : value, faults }
  const what = value === undefined ? 'The body is not JSON' : 'The body is not a JSON object'
  return { payload: undefined, faults: [...faults, { path: '', message: what }] }
}

/** Reads any text as a request for `route`; undefined: no action has this route. Never throws. */
export const readFrame = (body: string, route: string | undefined): Frame => {
  const { value: message, isTooDeep, hasRaw } = read(body)
  const faults: ErrorDetail[] = isTooDeep ? [{ path: '', message: tooDeep }] : []
  if (!isJsonObject(message)) {
    const what = message === undefined ? 'The frame is not JSON' : 'The frame is not a JSON object'
    return { echo: {}, payload: undefined, faults: [...faults, { path: '', message: what }] }
  }
  const echo: Echo = {}
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
  const payload = message['payload'] ?? {}
  return { echo, payload: hasRaw ? rawInContentOnly(payload) : payload, faults }
}

const mostDetails = 20
/** Of a place, whose names are a client's; a message may list what there is. */
const [mostPath, mostMessage] = [256, 1024]

const cut = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most).toWellFormed()}…`

/**
 * A frame can be wrong in thousands of places, under names as long as itself; what a person needs is the
 * first few.
 */
const firstOf = <Fault>(
  faults: readonly Fault[],
  at: string,
  detailOf: (fault: Fault) => ErrorDetail,
): ErrorDetail[] => {
  const shown = faults.length <= mostDetails + 1 ? faults : faults.slice(0, mostDetails)
  const details = shown.map(detailOf).map(({ path, message }) => ({
    path: cut(path, mostPath),
    message: cut(message, mostMessage),
  }))
  const more = faults.length - shown.length
  return more === 0 ? details : [...details, { path: at, message: `And ${more} more of the kind` }]
}

interface Fault {
  path: readonly PropertyKey[]
  message: string
}

const faultsIn = (issues: readonly z.core.$ZodIssue[], at: readonly PropertyKey[]): Fault[] =>
  issues.flatMap((issue) => {
    const path = [...at, ...issue.path]
    // of a union, the branch that came closest: the one that complains of the fewest fields
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      const [closest] = issue.errors.toSorted((a, b) => a.length - b.length)
      const typed = issue.errors.every((errors) => errors.every(({ path: inner }) => inner.length === 0))
      if (closest !== undefined && !typed) return faultsIn(closest, path)
    }
    if (issue.code === 'invalid_key' && issue.issues.length > 0)
      return issue.issues.map(({ message }) => ({ path, message }))
    return [{ path, message: issue.message }]
  })

/** What a schema found wrong, in words that let a person mend the request: of many faults the first. */
export const detailsOf = (issues: readonly z.core.$ZodIssue[], at: string): ErrorDetail[] =>
  // paths are spelled out of those alone that are shown: a name as long as the frame may be in thousands of
  // them
  firstOf(faultsIn(issues, [at]), at, ({ path, message }) => ({ path: path.map(String).join('.'), message }))

/** A successful answer; without `payload` where the action has none. */
export const answered = (echo: Echo, payload: unknown): string =>
  stringifyJson({ ...echo, type: 'response', success: true, payload })

export const refused = (echo: Echo, error: ProtocolError): string =>
  JSON.stringify({ ...echo, type: 'response', success: false, payload: errorShown(error) })

/** An error as clients are shown it, over HTTP as the whole body. */
export const errorShown = ({ type, message, details }: ProtocolError) => ({
  error: {
    type,
    code: errorTable[type].code,
    message,
    details: details && firstOf(details, '', (detail) => detail),
  },
})

interface PushedFrame {
  <Name extends PushName>(action: Name, payload: PushPayload<Name>): string
  <Name extends CustomerPushName>(action: Name, payload: CustomerPushPayload<Name>): string
}

export const pushed: PushedFrame = (action: string, payload: object): string =>
  stringifyJson({ action, type: 'push', payload })

/** A push to agents as customers are shown it, under their name for it. */
export const pushedToCustomers = <Name extends PushName>(
  name: Name,
  shown: ShownToCustomers<Name>,
): string => {
  const action: string = Object.hasOwn(namesForCustomers, name) ? Reflect.get(namesForCustomers, name) : name
  return stringifyJson({ action, type: 'push', payload: shown })
}
