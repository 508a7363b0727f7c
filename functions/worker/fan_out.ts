import { deliverAll } from '../../shared/delivery/deliver.ts'
import { Slice } from '../../shared/delivery/fan-out.ts'
import { runWork } from '../../shared/delivery/worker-context.ts'
import { measured } from '../../shared/platform/metrics.ts'

// nobody waits for this run but those whom it tells
const postingMs = 10_000

/**
 * Posts one slice of a push to a large audience. It is invoked asynchronously: a run that fails is tried
 * again, so that a connection may get a frame twice.
 */
const postSlice = async (event: unknown): Promise<void> => {
  const slice = Slice.parse(event)
  await runWork(({ write, signal }) => deliverAll({ ...slice, write, signal, postingMs, nowMs: Date.now() }))
}

export const handler = measured('worker', 'fan_out', postSlice)
