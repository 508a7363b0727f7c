import type { RequestEntry } from './settings.ts'

/** One line a request: when, whose endpoint, which route, whose connection, how long, what came of it. */
export const requestLine = ({ time, api, route, connectionId, ms, outcome }: RequestEntry): string =>
  `${new Date(time).toISOString()} ${api.padEnd(9)} ${route.padEnd(18)} ${connectionId} ${ms.toFixed(1).padStart(7)} ms  ${outcome}`
