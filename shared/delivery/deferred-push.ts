import { encode, type Job } from '../jobs/job-queue.ts'
import { partsThatFit } from '../protocol/budget.ts'
import { type Connected, isCustomers } from '../table/sockets.ts'

type PushJob = Extract<Job, { job: 'push' }>
type Target = PushJob['targets'][number]

// SQS takes messages of up to 1 MiB. One frame may be over its limit: a frame of 120 KiB has up to 240 KiB as
// a string in a job's JSON. What a job holds is also what its worker gets through in the time of one try
const frameLimits = { bytes: 200 * 1024, count: 20 }
const targetLimits = { bytes: 200 * 1024, count: 500 }

/**
 * The frames for each of the targets, as jobs that SQS takes: in order within a job, the jobs in any order.
 */
export const deferPushes = (rows: readonly Connected[], frames: readonly string[]): PushJob[] => {
  const named = rows.map(targetOf)
  return partsThatFit(frames, frameLimits, bytesOf).flatMap((frames) =>
    partsThatFit(named, targetLimits, bytesOf).map((targets) => ({
      job: 'push' as const,
      targets,
      frames,
      tries: 0,
    })),
  )
}

/** What a job says of a connection. */
export const targetOf = (row: Connected): Target => {
  const { license_id, connection } = row
  return isCustomers(row)
    ? { license_id, customer_id: row.customer_id, connection }
    : { license_id, agent_id: row.agent_id, connection }
}

/** Bytes as the queue's messages have them. */
const bytesOf = (item: string | Target): number => Buffer.byteLength(encode(item)) + 1
