import { counted, duration, type Io } from '../cli/output.ts'
import { openProgress } from '../cli/progress.ts'

export interface ReindexProgress {
  onChat(done: number): void
  onThreads(count: number): void
  /** Makes room for other lines. */
  clear(): void
  threads(): number
  /** How long this run has taken. */
  elapsedMs(): number
}

/** Shows how far a run is that begins with `before` of `total` chats done. */
export const openReindexProgress = (
  io: Io,
  { before, total }: { before: number; total: number },
): ReindexProgress => {
  const progress = openProgress(io)
  const beganAt = io.now()
  const elapsedMs = () => io.now() - beganAt
  let [done, threads] = [before, 0]

  const text = () => {
    const perS = (done - before) / (elapsedMs() / 1000)
    const left = perS > 0 ? `, ${duration((total - done) / perS)} left` : ''
    const rate = perS.toFixed(perS < 10 ? 1 : 0)
    // `total` leaves out the chats that came meanwhile
    const of = Math.max(done, total)
    return `${done} of ${of} chats, ${counted(threads, 'thread')}, ${rate} chats/s${left}`
  }
  return {
    onChat: (count) => {
      done = count
      progress.show(text)
    },
    onThreads: (count) => {
      threads += count
      progress.show(text)
    },
    clear: progress.clear,
    threads: () => threads,
    elapsedMs,
  }
}
