import { type Io, progressLine } from '../cli/output.ts'

export interface Progress {
  onChat(done: number): void
  onThreads(count: number): void
  /** Makes room for other lines. */
  clear(): void
  threads(): number
  /** Of this run. */
  elapsedMs(): number
}

/** Shows on `err` how far a run is that begins with `before` of `total` chats done. */
export const openProgress = (io: Io, { before, total }: { before: number; total: number }): Progress => {
  const line = progressLine(io)
  const everyMs = io.width === undefined ? 5000 : 100
  const beganAt = io.now()
  const elapsedMs = () => io.now() - beganAt
  let shownAt = beganAt
  let done = before
  let threads = 0

  const show = () => {
    if (io.now() - shownAt < everyMs) return
    shownAt = io.now()
    const perS = (done - before) / (elapsedMs() / 1000)
    const left = perS > 0 ? `, ${duration((total - done) / perS)} left` : ''
    const rate = perS.toFixed(perS < 10 ? 1 : 0)
    // those that came meanwhile are not counted
    line.show(
      `${done} of ${Math.max(done, total)} chats, ${counted(threads, 'thread')}, ${rate} chats/s${left}`,
    )
  }
  return {
    onChat: (count) => {
      done = count
      show()
    },
    onThreads: (count) => {
      threads += count
      show()
    },
    clear: line.clear,
    threads: () => threads,
    elapsedMs,
  }
}

/** So many seconds, as people say it. */
export const duration = (seconds: number): string => {
  const s = Math.max(0, Math.ceil(seconds))
  if (s < 120) return `${s} s`
  const minutes = Math.round(s / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

export const counted = (n: number, thing: string): string => `${n} ${thing}${n === 1 ? '' : 's'}`
