import type { BusEvent } from '../../infra/local/events/put-events.ts'
import type { World } from '../support/world.ts'

/** An event with whatever it tells. */
export interface Sent extends Omit<BusEvent, 'detail'> {
  detail: any
}

/** What a world's bus has taken, which may be emptied. */
export const sentBy = ({ events }: World): Sent[] => (events?.taken ?? []) as Sent[]

/** Events as the pushes that they were. */
export const eventsOf = (events: readonly Sent[]): { action: string; payload: unknown }[] =>
  events.map((event) => ({ action: event['detail-type'], payload: event.detail.payload }))

/** Pushes, or events, each once and in no order: both may come twice. */
export const comparable = (pushed: readonly { action: string; payload: unknown }[]): string[] =>
  [...new Set(pushed.map(({ action, payload }) => JSON.stringify([action, payload], inOrder)))].toSorted()

const inOrder = (_: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value
