import * as z from 'zod/mini'
import { errorFrame, type GatewayEvent } from './events.ts'
import type { Ending } from './invoke.ts'
import type { Limits, RequestEntry, Route } from './settings.ts'

const WithAction = z.object({ action: z.string() })
const WithError = z.object({ payload: z.object({ error: z.object({ type: z.string() }) }) })

/**
 * The route of a message: `$request.body.action` where that is the key of a route, else `$default`. The real
 * gateway reads the action off JSON with unquoted keys as well; here what `JSON.parse` refuses has none.
 */
export function routeKeyOf(body: string, routes: ReadonlyMap<string, Route>): string {
  const action = WithAction.safeParse(parsed(body)).data?.action ?? '$default'
  return routes.has(action) && !action.startsWith('$') ? action : '$default'
}

/** The message that goes out for a message that came in; none for a one-way route that went well. */
export function answerFrame(
  ending: Ending,
  event: GatewayEvent,
  { twoWay }: Route,
  { outboundBytes }: Limits,
): string | undefined {
  switch (ending.how) {
    case 'timeout':
      return errorFrame(
        ending.of === 'lambda' ? 'Internal server error' : 'Endpoint request timed out',
        event,
      )
    case 'failed':
      return errorFrame('Internal server error', event)
    case 'ended': {
      if (!twoWay) return undefined
      const { body = '' } = ending.result
      return Buffer.byteLength(body) > outboundBytes ? errorFrame('Internal server error', event) : body
    }
  }
}

export function outcomeOf(ending: Ending, { twoWay }: Route): Pick<RequestEntry, 'outcome' | 'error'> {
  switch (ending.how) {
    case 'timeout':
      return { outcome: 'timeout' }
    case 'failed':
      return { outcome: 'failed', error: ending.error }
    case 'ended': {
      const answer = twoWay ? WithError.safeParse(parsed(ending.result.body ?? '')).data : undefined
      return { outcome: answer === undefined ? 'ok' : `error: ${answer.payload.error.type}` }
    }
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // no JSON, no action
  }
}
