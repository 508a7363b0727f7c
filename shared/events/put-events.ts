import { NodeHttpHandler } from '@smithy/node-http-handler'
import pLimit from 'p-limit'
import * as z from 'zod/mini'
import { createSignedClient, type SignedClient } from '../delivery/signed-request.ts'
import { config } from '../platform/config.ts'
import { log } from '../platform/log.ts'
import { count } from '../platform/metrics.ts'
import { InternalError } from '../protocol/errors.ts'
import { type BusEntry, callsOf } from './bus-entry.ts'

const Answer = z.object({
  Entries: z.array(z.object({ ErrorCode: z.optional(z.string()), ErrorMessage: z.optional(z.string()) })),
})

const callsAtOnce = 4
const mostTries = 4
/** A call that hangs is one that failed. */
const callMs = 3000

let client: { url: string; post: SignedClient } | undefined

/**
 * EventBridge by signed requests: its client in the SDK is larger than all else that events add to a
 * function.
 */
const postTo = (url: string): SignedClient => {
  if (client?.url !== url) client = { url, post: createSignedClient('events', url, new NodeHttpHandler()) }
  return client.post
}

const headers = { 'x-amz-target': 'AWSEvents.PutEvents', 'content-type': 'application/x-amz-json-1.1' }

/** Reasons of the moment, or of the stack's own making. By any other, no later try puts the entry either. */
const passing = new Set([
  'ThrottlingException',
  'InternalFailure',
  'InternalException',
  'AccessDeniedException',
  'NoAnswer',
])
/** A call that was refused as a whole, for what is in it. */
const tooWrong = /ValidationException|SerializationException|RequestEntityTooLarge/

/** Why an entry is not on the bus; `isLasting`: it never will be. */
interface Refusal {
  why: string
  isLasting: boolean
}

/** One call; resolves to why each of its entries was refused, undefined where it was taken. Never throws. */
const call = async (entries: readonly BusEntry[]): Promise<(Refusal | undefined)[]> => {
  const refused = (why: string, isLasting = false) => entries.map(() => ({ why, isLasting }))
  try {
    const bus = config.eventBus()
    if (bus === undefined) throw new InternalError('There is no event bus')
    const body = JSON.stringify({ Entries: entries.map((entry) => ({ ...entry, EventBusName: bus.name })) })
    const { status, text } = await postTo(bus.url)({ headers, body }, AbortSignal.timeout(callMs))
    if (status !== 200 && tooWrong.test(text)) {
      // one of them is to blame: the others are put alone
      if (entries.length === 1) return refused(`PutEvents was answered with status ${status}`, true)
      return (await Promise.all(entries.map((entry) => call([entry])))).flat()
    }
    if (status !== 200) return refused(`PutEvents was answered with status ${status}`)
    const answered = Answer.parse(JSON.parse(text)).Entries
    return entries.map((_, at) => {
      const { ErrorCode: code } = answered[at] ?? { ErrorCode: 'NoAnswer' }
      return code === undefined ? undefined : { why: code, isLasting: !passing.has(code) }
    })
  } catch (error) {
    return refused(error instanceof Error ? error.message : String(error))
  }
}

/**
 * Puts entries on the bus, what was refused again up to three times more. Begins no call once `signal` is
 * aborted. Resolves to those that are not on it and may be later, each with the reason; one that never will
 * be is logged and left out. May put one twice, where an answer was lost.
 */
export const putEvents = async <E extends { entry: BusEntry }>(
  entries: readonly E[],
  { signal, pause }: { signal: AbortSignal; pause: (tries: number) => Promise<void> },
): Promise<{ of: E; why: string }[]> => {
  const atOnce = pLimit(callsAtOnce)
  let left: { of: E; why: string }[] = entries.map((of) => ({ of, why: '' }))
  for (let tries = 1; left.length > 0 && tries <= mostTries && !signal.aborted; tries += 1) {
    if (tries > 1) await pause(tries)
    const puts = callsOf(left.map(({ of }) => of)).map((calls) =>
      atOnce(async () => {
        if (signal.aborted) return calls.map((of) => ({ of, why: 'no time left' }))
        const why = await call(calls.map(({ entry }) => entry))
        return calls.flatMap((of, at) => {
          const refusal = why[at]
          if (refusal?.isLasting === true) leaveOut(of.entry, refusal.why)
          return refusal === undefined || refusal.isLasting ? [] : [{ of, why: refusal.why }]
        })
      }),
    )
    left = (await Promise.all(puts)).flat()
  }
  return left
}

const leaveOut = ({ DetailType: name }: BusEntry, why: string): void => {
  count('records_failed')
  log.error('An event was left out that the bus does not take', { event: name, why })
}
