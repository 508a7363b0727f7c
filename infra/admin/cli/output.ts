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
  /** Resolves once `out` takes more, where its reader is slow. */
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

/** The answer of a command: as JSON where `--json` asks for that, else in lines. */
export interface Answer {
  lines: readonly string[]
  json?: unknown
}

export const say = (...lines: string[]): Answer => ({ lines })

export const print = (io: Io, { lines, json }: Answer, asJson: boolean): void =>
  io.out(
    asJson ? `${JSON.stringify(json, undefined, 2)}\n` : lines.map((line) => `${printable(line)}\n`).join(''),
  )

export const warn = (io: Io, line: string): void => io.err(`${printable(line)}\n`)

/** The value of an item under each heading. */
export type Columns<Item> = Record<string, (item: Item) => string>

/** A heading and the items in columns, or a sentence where there are none. */
export function columns<Item>(of: Columns<Item>, items: readonly Item[], none: string): string[] {
  if (items.length === 0) return [none]
  const table = Object.entries(of).map(([heading, valueOf]) => {
    const cells = [heading, ...items.map((item) => oneLine(valueOf(item)))]
    const width = Math.max(...cells.map((cell) => cell.length))
    return cells.map((cell) => cell.padEnd(width))
  })
  return [undefined, ...items].map((_, row) =>
    table
      .map((cells) => cells[row])
      .join('  ')
      .trimEnd(),
  )
}

/** One thing: its title, and a line for each of its values; what is undefined is left out. */
export function details(title: string, values: Record<string, string | undefined>): string[] {
  const known = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [{ name, value }],
  )
  const width = Math.max(...known.map(({ name }) => name.length))
  return [title, ...known.map(({ name, value }) => `  ${oneLine(name.padEnd(width))}  ${oneLine(value)}`)]
}

// names come from people, strangers among them: nothing in them may steer the terminal, or look like another
// line
const oneLine = (text: string): string => text.replaceAll('\n', '\u{fffd}')
export const printable = (text: string): string => text.replaceAll(/[^\P{Cc}\n]/gu, '\u{fffd}')

export const isoTime = (timestampS: number): string =>
  new Date(timestampS * 1000).toISOString().replace('.000Z', 'Z')

/** A number of seconds, as people say it. */
export const duration = (seconds: number): string => {
  const s = Math.max(0, Math.ceil(seconds))
  if (s < 120) return `${s} s`
  const minutes = Math.round(s / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

export const counted = (n: number, thing: string): string => `${n} ${thing}${n === 1 ? '' : 's'}`

export const minutes = (count: number): string => counted(count, 'minute')
