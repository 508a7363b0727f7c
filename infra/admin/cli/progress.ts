import { type Io, printable, warn } from './output.ts'

/** How far a command is, shown now and then: on a terminal in one line, else in a line each time. */
export interface Progress {
  /** Shows the text, unless another one has just been shown. */
  show(text: () => string): void
  /** Makes room for other lines. */
  clear(): void
}

const restOfLine = '\u{1b}[K'

export const openProgress = (io: Io): Progress => {
  const { width } = io
  const everyMs = width === undefined ? 5000 : 100
  let shownAt = io.now()
  return {
    show: (text) => {
      if (io.now() - shownAt < everyMs) return
      shownAt = io.now()
      if (width === undefined) warn(io, text())
      else io.err(`\r${printable(text()).slice(0, width() - 1)}${restOfLine}`)
    },
    clear: () => {
      if (width !== undefined) io.err(`\r${restOfLine}`)
    },
  }
}
