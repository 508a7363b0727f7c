import type { Io } from './output.ts'

/** Runs a command's work with a signal that an interrupt of the command aborts. */
export const interruptibly = async <T>(io: Io, run: (stopped: AbortSignal) => Promise<T>): Promise<T> => {
  const stopping = new AbortController()
  const forget = io.onInterrupt?.(() => stopping.abort())
  try {
    return await run(stopping.signal)
  } finally {
    forget?.()
  }
}
