import { randomUUID } from 'node:crypto'
import * as z from 'zod/mini'

const mostEntries = 10
const mostBytes = 256 * 1024

const Entry = z.strictObject({
  EventBusName: z.string(),
  Source: z.string().check(z.minLength(1)),
  DetailType: z.string().check(z.minLength(1), z.maxLength(128)),
  Detail: z.string(),
  Time: z.optional(z.number()),
})
const Request = z.strictObject({ Entries: z.array(Entry).check(z.minLength(1), z.maxLength(mostEntries)) })
type Entry = z.output<typeof Entry>

/** An event as targets of a bus get it. */
export interface BusEvent {
  version: '0'
  id: string
  'detail-type': string
  source: string
  account: string
  time: string
  region: string
  resources: string[]
  detail: unknown
}

/** Why a bus refuses an entry; undefined: it takes it. */
export type Refuses = (event: BusEvent) => string | undefined

/** How `PutEvents` is answered, and what the bus has taken. */
export interface PutAnswer {
  status: number
  body: string
  taken: BusEvent[]
}

const refusal = (type: string, message: string): PutAnswer => ({
  status: 400,
  body: JSON.stringify({ __type: type, message }),
  taken: [],
})

const bytesOf = ({ Source, DetailType, Detail, Time }: Entry): number =>
  (Time === undefined ? 0 : 14) +
  [Source, DetailType, Detail].reduce((sum, one) => sum + Buffer.byteLength(one), 0)

/** Answers one `PutEvents` of the JSON protocol. */
export const answerPut = (
  { target, body, bus }: { target: string; body: string; bus: string },
  refuses: Refuses,
): PutAnswer => {
  if (target !== 'AWSEvents.PutEvents')
    return refusal('UnknownOperationException', `The local bus does not know ${target}.`)
  const parsed = Request.safeParse(parseJson(body))
  if (!parsed.success) return refusal('ValidationException', z.prettifyError(parsed.error))
  const { Entries: entries } = parsed.data
  if (entries.reduce((sum, entry) => sum + bytesOf(entry), 0) > mostBytes)
    return refusal('ValidationException', 'Total size of the entries in the request is over the limit.')
  const answers = entries.map((entry) => {
    const detail = entry.EventBusName === bus ? parseJson(entry.Detail) : undefined
    if (typeof detail !== 'object' || detail === null)
      return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' }
    const event = eventOf(entry, detail)
    const code = refuses(event)
    return code === undefined ? { EventId: event.id, event } : { ErrorCode: code, ErrorMessage: 'Refused.' }
  })
  const taken = answers.flatMap(({ event }) => (event === undefined ? [] : [event]))
  const Entries = answers.map(({ event: _, ...rest }) => rest)
  const FailedEntryCount = entries.length - taken.length
  return { status: 200, body: JSON.stringify({ FailedEntryCount, Entries }), taken }
}

const eventOf = (entry: Entry, detail: object): BusEvent => ({
  version: '0',
  id: randomUUID(),
  'detail-type': entry.DetailType,
  source: entry.Source,
  account: '000000000000',
  time: new Date((entry.Time ?? Math.floor(Date.now() / 1000)) * 1000).toISOString().replace('.000Z', 'Z'),
  region: 'us-east-1',
  resources: [],
  detail,
})

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
