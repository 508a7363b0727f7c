import { NodeHttpHandler } from '@smithy/node-http-handler'
import * as z from 'zod/mini'
import { config } from '../platform/config.ts'
import { InternalError } from '../protocol/errors.ts'
import { isCustomers } from '../table/sockets.ts'
import { createSignedClient, type SignedClient } from './signed-request.ts'

const target = {
  license_id: z.string(),
  connection: z.string(),
  ttl: z.int(),
  slow_until: z.optional(z.int()),
}

/** What of a row is needed to post to its connection and to say what came of it. */
const Target = z.union([
  z.object({
    ...target,
    agent_id: z.string(),
    places: z.optional(z.array(z.string())),
  }),
  z.object({ ...target, customer_id: z.string() }),
])
type Target = z.output<typeof Target>

/** What a connection is to get: `which` of the frames, in their order. */
export const Delivery = z.object({ row: Target, which: z.array(z.int()) })
export type Delivery = z.output<typeof Delivery>

/** A part of a large audience: what one run of `fan_out` delivers. */
export const Slice = z.object({ frames: z.array(z.string()), deliveries: z.array(Delivery) })
export type Slice = z.output<typeof Slice>

/** Hands a slice to a run of its own; throws where that was not taken. */
export type HandOver = (slice: Slice, signal: AbortSignal) => Promise<void>

/** An action's own function posts to so many connections. */
export const directMost = 100
const sliceSize = 500
// Lambda takes asynchronous events of up to 1 MiB
const sliceBytes = 1_000_000

export const slicesOf = (deliveries: readonly Delivery[]): Delivery[][] =>
  Array.from({ length: Math.ceil(deliveries.length / sliceSize) }, (_, i) =>
    deliveries.slice(i * sliceSize, (i + 1) * sliceSize),
  )

/** These deliveries with the frames that somebody of them gets. */
export const sliceOf = (deliveries: readonly Delivery[], frames: readonly string[]): Slice => {
  const used = [...new Set(deliveries.flatMap(({ which }) => which))].toSorted((a, b) => a - b)
  const place = new Map(used.map((index, at) => [index, at]))
  return {
    frames: used.map((index) => frames[index] ?? ''),
    deliveries: deliveries.map(({ row, which }) => ({
      row: targetOf(row),
      which: which.map((index) => place.get(index) ?? 0),
    })),
  }
}

const targetOf = (row: Target): Target => {
  const { license_id, connection, ttl, slow_until } = row
  const known = { license_id, connection, ttl, ...(slow_until !== undefined && { slow_until }) }
  if (isCustomers(row)) return { ...known, customer_id: row.customer_id }
  const { agent_id, places } = row
  return { ...known, agent_id, ...(places !== undefined && { places }) }
}

let lambda: SignedClient | undefined

/**
 * Invokes `fan_out` asynchronously: it runs once and, where it fails, twice more. Lambda's API by a signed
 * request, since its client in the SDK is larger than what else a function carries for its pushes.
 */
export const invokeFanOut: HandOver = async (slice, signal) => {
  const body = JSON.stringify(slice)
  if (Buffer.byteLength(body) > sliceBytes)
    throw new InternalError('A slice of a push is too large to be handed over')
  lambda ??= createSignedClient('lambda', config.fanOutUrl(), new NodeHttpHandler())
  const headers = { 'x-amz-invocation-type': 'Event', 'content-type': 'application/json' }
  const { status } = await lambda({ headers, body }, signal)
  if (status !== 202) throw new InternalError(`The fan-out was refused with status ${status}`)
}
