import type { Io } from './output.ts'

/** Runs with a signal that is aborted once somebody wants the command to end. */
export const interruptibly = async <T>(io: Io, run: (stopped: AbortSignal) => Promise<T>): Promise<T> => {
  const stopping = new AbortController()
  const forget = io.onInterrupt?.(() => stopping.abort())
  try {
    return await run(stopping.signal)
  } finally {
    forget?.()
  }
}
