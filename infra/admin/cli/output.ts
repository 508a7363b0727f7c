/** Where a command writes, and what it knows of its surroundings. */
export interface Io {
  out(text: string): void
  err(text: string): void
  env: NodeJS.ProcessEnv
  /** Where the local stack keeps its data. */
  localDir: string
  /** Milliseconds since 1970. */
  now(): number
  /** How many characters a line of `err` holds, where that is a terminal. */
  width?(): number
  /** Resolves once `out` takes more, where whoever reads it is slow. */
  drained?(): Promise<void>
  /** What a person answers to a question; absent where nobody is there to be asked. */
  ask?(question: string): Promise<string>
  /** Waits so long; rejects once the signal fires. */
  pause?(ms: number, signal?: AbortSignal): Promise<void>
  /**
   * Has `stop` called, once, when somebody wants the command to end; returns how to have it not called any
   * more.
   */
  onInterrupt?(stop: () => void): () => void
}

export const print = (io: Io, ...lines: string[]): void =>
  io.out(lines.map((line) => `${printable(line)}\n`).join(''))

export const warn = (io: Io, line: string): void => io.err(`${printable(line)}\n`)

export const json = (io: Io, value: unknown): void => io.out(`${JSON.stringify(value, undefined, 2)}\n`)

/** Says how far a command is: on a terminal in one line that is written anew, else in a line each time. */
export interface ProgressLine {
  show(text: string): void
  clear(): void
}

export const progressLine = (io: Io): ProgressLine => {
  const { width } = io
  if (width === undefined) return { show: (text) => warn(io, text), clear: () => {} }
  const restOfLine = '\u{1b}[K'
  return {
    show: (text) => io.err(`\r${printable(text).slice(0, width() - 1)}${restOfLine}`),
    clear: () => io.err(`\r${restOfLine}`),
  }
}

/** A heading and its values in columns, or a sentence where there are none. */
export function columns(
  io: Io,
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  none: string,
) {
  if (rows.length === 0) return print(io, none)
  const cells = [heading, ...rows.map((row) => row.map(oneLine))]
  const widths = heading.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  print(
    io,
    ...cells.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    ),
  )
}

/** One thing: its title, and a line for each of its values. */
export function details(io: Io, title: string, values: Record<string, string>): void {
  const width = Math.max(...Object.keys(values).map((name) => name.length))
  print(
    io,
    title,
    ...Object.entries(values).map(([name, value]) => `  ${oneLine(name.padEnd(width))}  ${oneLine(value)}`),
  )
}

// names come from people, strangers among them: nothing in them may steer the terminal, or look like another
// line
const oneLine = (text: string): string => text.replaceAll('\n', '\u{fffd}')
const printable = (text: string): string => text.replaceAll(/[^\P{Cc}\n]/gu, '\u{fffd}')

export const isoTime = (timestampS: number): string =>
  new Date(timestampS * 1000).toISOString().replace('.000Z', 'Z')
