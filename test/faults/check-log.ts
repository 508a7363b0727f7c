import { type Check, checking, grouped, type History } from './history.ts'
import { chatsOf, entriesOf, logsOf, type StoredEntry } from './stored-log.ts'
import { answersOf, type Outcome } from './check-answers.ts'

/** An attempt to add an event, named by its `custom_id`, and what came of it. */
interface Attempt {
  tag: string
  text: string | undefined
  chat: string | undefined
  author: string
  sentAt: number
  outcome: Outcome
}

const initialEvents = (payload: any): any[] =>
  [payload?.initial_events, payload?.chat?.thread?.events].find((events) => events?.length > 0) ?? []

/** Every attempt of every event that was asked to be stored. */
const attemptsOf = (history: History): Attempt[] => {
  const outcomes = answersOf(history)
  return history.requests.flatMap((request, index): Attempt[] => {
    const { action, payload, sentAt, socket } = request
    const events =
      action === 'send_event' ? [payload.event] : action === 'start_chat' ? initialEvents(payload) : []
    const author = history.sockets[socket]?.user
    const outcome = outcomes[index]
    if (author === undefined || outcome === undefined) return []
    return events
      .filter(({ custom_id }) => custom_id !== undefined)
      .map(({ custom_id: tag, text }): Attempt => ({
        ...{ tag, text, author, sentAt, outcome },
        chat: payload.chat_id ?? outcome.payload?.chat?.id,
      }))
  })
}

/** The event that an answer shows under this `custom_id`. */
const answeredEvent = ({ tag, outcome }: Attempt): any =>
  outcome.kind !== 'success'
    ? undefined
    : outcome.payload?.event !== undefined
      ? outcome.payload.event
      : outcome.payload?.chat?.thread?.events?.find((event: any) => event.custom_id === tag)

export const answeredAreStored: Check = checking(
  'an answered event is stored once, as answered',
  (history, on) => {
    const byId = new Map(entriesOf(logsOf(history.quiet.items)).map((entry) => [entry.id, entry]))
    for (const attempt of attemptsOf(history)) {
      const event = answeredEvent(attempt)
      // an answer of 120 KiB shows its newest events only
      if (event === undefined) continue
      on.count()
      const entry = byId.get(event.id)
      if (entry === undefined) {
        on.say(`${attempt.tag} was answered as ${event.id}, which is not stored`)
        continue
      }
      const { custom_id, text, author_id, type, recipients = 'all' } = entry.event
      const same =
        custom_id === attempt.tag &&
        author_id === attempt.author &&
        type === event.type &&
        (text ?? '') === (event.text ?? '') &&
        recipients === event.recipients &&
        entry.m === event.order &&
        (attempt.text === undefined || attempt.text === text)
      if (!same)
        on.say(`${event.id} was answered as ${JSON.stringify(event)} and stored as ${JSON.stringify(entry)}`)
    }
  },
)

/** Of an event sent again so many are looked through (protocol §5): one further back may be stored anew. */
const tailLength = 25

export const storedOnce: Check = checking('no event is stored twice', (history, on) => {
  const tagged = entriesOf(logsOf(history.quiet.items)).filter(
    ({ event }) => event['custom_id'] !== undefined,
  )
  const same = grouped(tagged, ({ chat, event }) => `${chat} ${event['author_id']} ${event['custom_id']}`)
  for (const entries of same.values()) {
    on.count()
    for (const [index, entry] of entries.slice(1).entries()) {
      const before = entries[index]
      if (before !== undefined && before.n === entry.n && entry.m - before.m < tailLength)
        on.say(`${before.id} and ${entry.id} are both ${entry.event['custom_id']}`)
    }
  }
})

export const refusedAreNotStored: Check = checking('what was refused is not stored', (history, on) => {
  const stored = grouped(
    entriesOf(logsOf(history.quiet.items)).filter(({ event }) => event['custom_id'] !== undefined),
    ({ event }) => `${event['author_id']} ${event['custom_id']}`,
  )
  for (const [tag, attempts] of grouped(attemptsOf(history), ({ author, tag }) => `${author} ${tag}`)) {
    if (!attempts.every(({ outcome }) => outcome.kind === 'refused')) continue
    on.count()
    for (const entry of stored.get(tag) ?? [])
      on.say(`${tag} was refused each time and is stored as ${entry.id}`)
  }
})

export const ordersAreWhole: Check = checking('orders are 1...n, and time never runs back', (history, on) => {
  for (const [chat, threads] of logsOf(history.quiet.items))
    for (const { n, hasHead, entries } of threads.values()) {
      on.count()
      if (!hasHead) on.say(`thread ${chat}_${n} has no head`)
      const orders = entries.map(({ m }) => m)
      if (orders.some((m, index) => m !== index + 1))
        on.say(`thread ${chat}_${n} has the orders ${orders.join()}`)
      if (entries.some(({ atMs }, index) => atMs < (entries[index - 1]?.atMs ?? 0)))
        on.say(`the time of thread ${chat}_${n} runs back`)
    }
})

export const oneActiveThread: Check = checking(
  'at most one thread of a chat is active, and closed ones get annotations only',
  (history, on) => {
    const { items } = history.quiet
    const logs = logsOf(items)
    for (const [id, chat] of chatsOf(items)) {
      on.count()
      const threads = [...(logs.get(id)?.values() ?? [])]
      const open = threads.filter(({ closed }) => !closed).map(({ n }) => n)
      const wanted = chat.active ? [chat.thread] : []
      if (open.join() !== wanted.join())
        on.say(`${id} is at thread ${chat.thread}, active: ${chat.active}; open: ${open.join()}`)
      if (threads.length !== chat.thread || threads.some(({ n }, index) => n !== index + 1))
        on.say(`${id} is at thread ${chat.thread} and has ${threads.map(({ n }) => n).join()}`)
      for (const { entries } of threads) {
        const end = entries.findIndex(({ closed }) => closed)
        const late =
          end < 0 ? [] : entries.slice(end + 1).filter(({ event }) => event['type'] !== 'annotation')
        for (const entry of late) on.say(`${entry.id} follows the end of its thread`)
      }
    }
    for (const id of logs.keys()) if (!chatsOf(items).has(id)) on.say(`the log of ${id} has no chat`)
  },
)

export const authorsWereIn: Check = checking('whoever stored an event was in the chat', (history, on) => {
  const states = grouped(history.chats, ({ id, version }) => `${id} ${version}`)
  for (const entry of entriesOf(logsOf(history.quiet.items))) {
    const author = entry.event['author_id']
    if (author === undefined) continue
    on.count()
    const inForce = states.get(`${entry.chat} ${entry.version}`) ?? []
    if (!inForce.some(({ users }) => users.some(({ id, present }) => id === author && present)))
      on.say(`${entry.id} is by ${author}, who was not in the chat at version ${entry.version}`)
  }
})

const isBefore = (a: Pick<StoredEntry, 'n' | 'm'>, b: Pick<StoredEntry, 'n' | 'm'>): boolean =>
  a.n < b.n || (a.n === b.n && a.m < b.m)

export const orderIsRealTime: Check = checking(
  'an event sent after another was answered stands behind it',
  (history, on) => {
    const placed = [
      ...grouped(attemptsOf(history), ({ author, tag }) => `${author} ${tag}`).values(),
    ].flatMap((attempts) => {
      const answers = attempts.flatMap((attempt) => {
        const event = answeredEvent(attempt)
        return event === undefined ? [] : [{ id: String(event.id), at: attempt.outcome.at }]
      })
      const [first] = answers
      // stored twice where it was sent again too late: no one place
      if (first === undefined || answers.some(({ id }) => id !== first.id)) return []
      const [chat = '', n, m] = first.id.split('_')
      const sentAt = Math.min(...attempts.map((attempt) => attempt.sentAt))
      return [
        {
          chat,
          n: Number(n),
          m: Number(m),
          id: first.id,
          sentAt,
          answeredAt: Math.min(...answers.map(({ at }) => at)),
        },
      ]
    })
    for (const events of grouped(placed, ({ chat }) => chat).values()) {
      const byAnswer = events.toSorted((a, b) => a.answeredAt - b.answeredAt)
      let next = 0
      let last: (typeof events)[number] | undefined
      for (const event of events.toSorted((a, b) => a.sentAt - b.sentAt)) {
        on.count()
        for (
          let one = byAnswer[next];
          one !== undefined && one.answeredAt < event.sentAt;
          one = byAnswer[++next]
        )
          if (last === undefined || isBefore(last, one)) last = one
        if (last !== undefined && last.id !== event.id && !isBefore(last, event))
          on.say(`${event.id} was sent after ${last.id} was answered`)
      }
    }
  },
)
