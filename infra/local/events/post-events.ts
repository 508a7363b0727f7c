import pLimit from 'p-limit'
import { setTimeout as wait } from 'node:timers/promises'
import { InFlight } from '../in-flight.ts'
import type { BusEvent } from './put-events.ts'

const postsAtOnce = 8
/** As an API destination's. */
const postMs = 5000
const firstPauseMs = 500
const longestPauseMs = 30_000
/**
 * EventBridge tries again what is answered so, or not at all; anything else a receiver has refused for good.
 */
const isTriedAgain = (status: number): boolean => [401, 407, 409, 429].includes(status) || status >= 500

/** Posts to a receiver as an API destination does. Events may come in another order. */
export interface Poster {
  add(event: BusEvent): void
  /** Resolves when every event was posted once; what a receiver that is down has missed is not waited for. */
  settled(): Promise<void>
  stop(): Promise<void>
}

export const startPosting = (url: string, { pauseMs = firstPauseMs } = {}): Poster => {
  const stopping = new AbortController()
  const { signal } = stopping
  const inTurn = pLimit(postsAtOnce)
  const firstTries = new InFlight()
  const running = new Set<Promise<void>>()

  /** Whether the receiver has taken it, or refused it for good. */
  const isDone = (event: BusEvent): Promise<boolean> =>
    inTurn(async () => {
      if (signal.aborted) return true
      try {
        const response = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json; charset=utf-8' },
          body: JSON.stringify(event),
          signal: AbortSignal.any([signal, AbortSignal.timeout(postMs)]),
        })
        await response.body?.cancel()
        return !isTriedAgain(response.status)
      } catch {
        return false
      }
    })

  const post = async (event: BusEvent, first: Promise<boolean>): Promise<void> => {
    if (await first) return
    for (let tries = 1; !signal.aborted; tries += 1) {
      await wait(Math.min(pauseMs * 2 ** (tries - 1), longestPauseMs), undefined, { signal }).catch(() => {})
      if (await isDone(event)) return
    }
  }

  return {
    add: (event) => {
      const underWay = post(event, firstTries.track(isDone(event))).finally(() => running.delete(underWay))
      running.add(underWay)
    },
    settled: () => firstTries.none(() => true),
    stop: async () => {
      stopping.abort()
      await Promise.all(running)
    },
  }
}
