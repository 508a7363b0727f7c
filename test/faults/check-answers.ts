import { type Check, checking, framesOf, type History, type RequestRecord } from './history.ts'

/**
 * What a client knows of a request. `unknown`: nobody answered, the gateway did in the Lambda's place, or the
 * answer says that the outcome is not known.
 */
export interface Outcome {
  kind: 'success' | 'refused' | 'unknown'
  /** When the answer came; of a request without one, Infinity. */
  at: number
  payload?: any
  error?: string | undefined
}

const unknown: Outcome = { kind: 'unknown', at: Number.POSITIVE_INFINITY }
/** After these a request may have been carried out all the same. */
const openErrors: ReadonlySet<string> = new Set(['request_timeout', 'internal'])

const known = new WeakMap<History, readonly Outcome[]>()

/** What came of each request. */
export const answersOf = (history: History): readonly Outcome[] => {
  const found = known.get(history) ?? outcomesOf(history)
  known.set(history, found)
  return found
}

const keyOf = ({ socket, id }: Pick<RequestRecord, 'socket' | 'id'>): string => `${socket} ${id}`

const outcomesOf = (history: History): Outcome[] => {
  const answers = new Map<string, Outcome>()
  for (const { socket, at, frame } of framesOf(history)) {
    if (frame.type !== 'response') continue
    const key = keyOf({ socket, id: frame.request_id })
    if (answers.has(key)) continue
    const { payload } = frame
    const error: string | undefined = payload?.error?.type
    const kind = frame.success ? 'success' : openErrors.has(error ?? 'internal') ? 'unknown' : 'refused'
    answers.set(key, { kind, at, payload, error })
  }
  return history.requests.map((request) => answers.get(keyOf(request)) ?? unknown)
}

/** An answer comes within 15 s, and a second for its pushes; so much more for a busy machine. */
const answeredWithinMs = 25_000

export const answeredOnce: Check = checking('every request is answered, once', (history, on) => {
  const asked = new Map(history.requests.map((request) => [keyOf(request), request]))
  const answers = new Map<string, number>()
  const gateway = new Map<number, number>()
  for (const { socket, text, frame } of framesOf(history)) {
    if (frame.type === 'push') continue
    if (frame.type !== 'response') {
      gateway.set(socket, (gateway.get(socket) ?? 0) + 1)
      continue
    }
    const key = keyOf({ socket, id: frame.request_id })
    answers.set(key, (answers.get(key) ?? 0) + 1)
    const request = asked.get(key)
    if (request === undefined) on.say(`socket ${socket} got an answer to nothing: ${text.slice(0, 200)}`)
    else if (request.action !== frame.action) on.say(`${key} was answered as ${frame.action}`)
  }
  const without = new Map<number, string[]>()
  for (const [key, request] of asked) {
    on.count()
    const times = answers.get(key) ?? 0
    if (times > 1) on.say(`${key} was answered ${times} times`)
    const { closedAt } = history.sockets[request.socket] ?? {}
    if (
      times === 0 &&
      Math.min(closedAt ?? history.endedAt, history.endedAt) > request.sentAt + answeredWithinMs
    )
      without.set(request.socket, [...(without.get(request.socket) ?? []), key])
  }
  // the gateway's own answers, to Lambdas that died, do not say to what they are one
  for (const [socket, keys] of without)
    if (keys.length > (gateway.get(socket) ?? 0)) on.say(`no answer to ${keys.length} of: ${keys.join(', ')}`)
  for (const [socket, times] of gateway) {
    const open = history.requests.filter(
      (request) => request.socket === socket && !answers.has(keyOf(request)),
    )
    if (times > open.length)
      on.say(`the gateway answered ${times} times on socket ${socket} for ${open.length}`)
  }
})

export const loggedOutIsOver: Check = checking('who has logged out is served no more', (history, on) => {
  const answers = answersOf(history)
  for (const [index, { socket, action, sentAt }] of history.requests.entries()) {
    on.count()
    const { kind, at } = answers[index] ?? unknown
    if (action !== 'logout' || kind !== 'success') continue
    for (const [later, request] of history.requests.entries()) {
      const isAfter = request.socket === socket && request.sentAt > at
      const isBack = history.requests.some(
        (one) => one.socket === socket && one.action === 'login' && one.sentAt > sentAt,
      )
      if (isAfter && !isBack && answers[later]?.kind === 'success' && request.action !== 'ping')
        on.say(`socket ${socket} logged out, and then ${request.action} succeeded`)
    }
  }
})

export const nothingRunsOn: Check = checking(
  'nothing of a request runs on after its answer',
  (history, on) => {
    for (let count = 0; count < history.requests.length; count += 1) on.count()
    for (const call of history.ranOn) on.say(call)
  },
)

export const nothingUnheard: Check = checking('nothing fails that nobody waits for', (history, on) => {
  for (let count = 0; count < history.requests.length; count += 1) on.count()
  for (const failure of history.unheard) on.say(failure)
})
