import type { RequestEntry } from './gateway-settings.ts'

/** One line a request: when, which route, whose connection, how long, what came of it. */
export const requestLine = ({ time, route, connectionId, ms, outcome }: RequestEntry): string =>
  `${new Date(time).toISOString()} ${route.padEnd(18)} ${connectionId} ${ms.toFixed(1).padStart(7)} ms  ${outcome}`
