import type * as z from 'zod/mini'
import type { ActionSpec } from '../shared/protocol/action.ts'

/** One WebSocket endpoint, as its tables describe it. */
export interface Endpoint {
  /** `agent` or `customer`: names its server, its channel and its messages. */
  readonly name: string
  readonly summary: string
  /** Where it is found; variables of the address in braces. */
  readonly host: string
  readonly pathname: string
  /** What the address must say besides, by name: what each parameter is. */
  readonly query?: Readonly<Record<string, string>>
  readonly actions: readonly ActionSpec[]
  readonly pushes: Readonly<Record<string, { summary: string; to: string; payload: z.core.$ZodType }>>
}

export type Json = Record<string, unknown>

export const ref = (kind: string, name: string): Json => ({ $ref: `#/components/${kind}/${name}` })
export const schemaRef = (name: string): Json => ref('schemas', name)
export const collect = <T>(
  endpoints: readonly Endpoint[],
  of: (endpoint: Endpoint) => Record<string, T>,
): Record<string, T> => Object.fromEntries(endpoints.flatMap((endpoint) => Object.entries(of(endpoint))))
