import { pushed } from '../protocol/envelope.ts'
import type { PushName, PushPayload } from '../protocol/pushes.ts'
import { log } from '../runtime/log.ts'
import type { Reader, Writer } from '../table/ops.ts'
import { type AgentSocketItem, readAgentSockets } from '../table/sockets.ts'
import type { Audience } from './audience.ts'
import { deliver, type Push } from './deliver.ts'

export interface Pushing<Name extends PushName = PushName> {
  /**
   * Tells everyone of the audience once the work is done: of several pushes each connection gets its own in this
   * order. Who that is is read after the work too, so that whoever came meanwhile is told.
   */
  push<One extends Name>(to: Audience, name: One, payload: PushPayload<One>): void
  /** Begins to read a licence's sockets now: after a write, side by side with other reads; or beside the write itself. */
  readAudience(license: string): void
}

export interface Outbox extends Pushing {
  /** Sends what was pushed since. Never throws. */
  flush(): Promise<void>
}

/**
 * How long an audience read beside a write is good for: a login within this time that saw neither the write nor its
 * push is told by `later`, a longer write is told to an audience read after it.
 */
export const audienceFreshMs = 1000

/** A client waits for its answer until the posts are over. */
const postingMs = 1000

/** Collects the pushes of one request or job until what they tell of is written. */
export const openOutbox = (options: {
  read: Reader
  write: Writer
  signal: AbortSignal
  /** How long the posts may take in all; without it a second. */
  postingMs?: number
}): Outbox => {
  const { read, write, signal } = options
  let pushes: (Push & { license: string })[] = []
  let beside: { license: string; at: number; rows: Promise<AgentSocketItem[]> } | undefined

  const rowsOf = async (license: string): Promise<AgentSocketItem[]> => {
    const first =
      beside?.license === license && performance.now() - beside.at < audienceFreshMs
        ? beside.rows
        : readAgentSockets(read, license)
    // what the pushes tell of is written: they are worth a second read
    return first.catch(() => readAgentSockets(read, license))
  }

  return {
    push: ({ license, includes }, name, payload) => {
      pushes.push({ license, to: includes, frame: pushed(name, payload) })
    },
    readAudience: (license) => {
      const rows = readAgentSockets(read, license)
      rows.catch(() => undefined) // whoever awaits it sees the failure
      beside = { license, at: performance.now(), rows }
    },
    flush: async () => {
      const sending = pushes
      pushes = []
      const licenses = [...new Set(sending.map((push) => push.license))]
      const sent = licenses.map(async (license) => {
        const rows = await rowsOf(license)
        const mine = sending.filter((push) => push.license === license)
        await deliver({
          rows,
          pushes: mine,
          write,
          signal,
          postingMs: options.postingMs ?? postingMs,
          nowMs: Date.now(),
        })
      })
      for (const result of await Promise.allSettled(sent))
        if (result.status === 'rejected')
          log.error('The audience of a push could not be read', { cause: String(result.reason) })
      beside = undefined
    },
  }
}
