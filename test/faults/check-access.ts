import { leaksIn } from '../customer/leaks.ts'
import { agentOf, Chats, hasAccess, isMember, wants, wantsAny } from './access.ts'
import { answersOf } from './check-answers.ts'
import {
  type Check,
  checking,
  framesOf,
  type History,
  type ReadFrame,
  type RequestRecord,
} from './history.ts'
import { entriesOf, logsOf } from './stored-log.ts'

/** The chats that a push is about: places in the queue come for several. */
const chatsOf = ({ payload }: any): string[] =>
  (Array.isArray(payload) ? payload : [payload]).flatMap((one) => one?.chat_id ?? one?.chat?.id ?? [])

/** What only whoever is in the chat is answered. */
const membersActions: ReadonlySet<string> = new Set([
  'send_event',
  'mark_event_as_seen',
  'update_last_seen_timestamp',
  'send_typing_indicator',
])

/** The chats that an answer shows. */
const shownIn = (payload: any): string[] => {
  const lists = [payload?.chats_summary, payload?.last_chats_summary, payload?.chats]
  // a sync also names those that one may see no longer
  const shown = lists.flatMap((list) => (list ?? []).filter(({ lost }: any) => lost !== true))
  const ids = shown.map(({ id }: any) => id)
  return [...ids, ...(payload?.chat === undefined ? [] : [payload.chat.id])]
}

/** What is asked of a customer, and takes access to its chat, where it has one. */
const cardActions: ReadonlySet<string> = new Set(['get_customer', 'update_customer'])

/** The chats of the customer whose card is asked for, of those that there surely were by then. */
const cardOf = ({ chats }: History, { action, payload, sentAt }: RequestRecord): string[] =>
  cardActions.has(action)
    ? chats
        .filter(({ certain, endedAt }) => certain && endedAt <= sentAt)
        .filter(({ users }) =>
          users.some(({ id, type }) => id === payload?.customer_id && type === 'customer'),
        )
        .map(({ id }) => id)
    : []

export const answersAreForThoseWithAccess: Check = checking(
  'an answer is for whoever had access while it was asked for',
  (history, on) => {
    const chats = new Chats(history)
    for (const [index, outcome] of answersOf(history).entries()) {
      const request = history.requests[index]
      const socket = history.sockets[request?.socket ?? -1]
      if (outcome.kind !== 'success' || request === undefined || socket?.user === undefined) continue
      const { action, payload, sentAt, id } = request
      const about = [
        ...new Set([
          ...(payload?.chat_id === undefined ? [] : [payload.chat_id]),
          ...shownIn(outcome.payload),
          ...cardOf(history, request),
        ]),
      ]
      const agent = agentOf(history, socket.license, socket.user)
      for (const chat of about) {
        on.count()
        const states = chats.during(chat, sentAt, outcome.at)
        const inForce = states.filter(({ license_id }) => license_id === socket.license)
        // a removed customer may still read its own chat
        const may =
          agent === undefined
            ? inForce.some(({ users }) =>
                users.some(({ id, type }) => id === socket.user && type === 'customer'),
              )
            : inForce.some((state) => hasAccess(agent, state))
        if (!may) on.say(`${socket.user} was answered ${action} (${id}) about ${chat}`)
        else if (membersActions.has(action) && !inForce.some((state) => isMember(socket.user ?? '', state)))
          on.say(`${socket.user} was answered ${action} (${id}) and was not in ${chat}`)
      }
    }
  },
)

/**
 * How long a push may be on its way: 15 s of a request that is slow, a second of posts, and two further tries
 * by the delay queue, with faults of their own.
 */
const longestWayMs = 30_000

/** When what a push tells of can have begun at the earliest. */
class Origins {
  readonly #sent = new Map<string, number>()

  constructor(history: History) {
    for (const { payload, sentAt } of history.requests) {
      const tags = [payload?.event?.custom_id, payload?.sneak_peek_text, payload?.tag]
      for (const tag of tags)
        if (typeof tag === 'string') this.#sent.set(tag, Math.min(sentAt, this.#sent.get(tag) ?? sentAt))
    }
  }

  of({ at, frame }: ReadFrame): number {
    const { payload } = frame
    const values = Object.values(payload?.properties?.test ?? {}).map(({ value }: any) => value)
    const tags = [payload?.event?.custom_id, payload?.sneak_peek?.text, payload?.tag, ...values]
    const sent = tags.flatMap((tag) => this.#sent.get(tag) ?? [])
    return Math.max(at - longestWayMs, ...sent)
  }
}

export const pushesAreForThoseWithAccess: Check = checking(
  'a push about a chat is for whoever had access since it was caused',
  (history, on) => {
    const chats = new Chats(history)
    const origins = new Origins(history)
    for (const read of framesOf(history)) {
      const { socket: to, at, frame } = read
      if (frame.type !== 'push') continue
      const socket = history.sockets[to]
      if (socket !== undefined && !wantsAny(socket, frame.action))
        on.say(`${socket.user} was pushed ${frame.action}, which it does not want`)
      const about = chatsOf(frame)
      if (about.length === 0) continue
      on.count()
      const { user, license = '' } = socket ?? {}
      // its own details are told on all of its tabs, also once it was taken out of its chat
      if (frame.action === 'customer_updated' && frame.payload?.customer?.id === user) continue
      if (socket === undefined || user === undefined) {
        on.say(`socket ${to}, on which nobody is logged in, was pushed ${frame.action}`)
        continue
      }
      const agent = agentOf(history, license, user)
      const mayHear = (chat: string) =>
        chats
          .during(chat, origins.of(read), at)
          .filter(({ license_id }) => license_id === license)
          .some((state) =>
            agent === undefined
              ? isMember(user, state)
              : hasAccess(agent, state) && wants(socket, frame.action, state),
          )
      if (!about.every(mayHear)) on.say(`${user} was pushed ${read.text.slice(0, 300)}`)
    }
  },
)

export const nothingForeign: Check = checking('nothing of another license reaches anyone', (history, on) => {
  const chats = new Chats(history)
  const foreign = new Map(
    history.licenses.map(({ id }) => {
      const others = history.licenses.filter((one) => one.id !== id)
      return [id, others.flatMap((one) => [one.marker, one.id])]
    }),
  )
  for (const { socket, frame, text } of framesOf(history)) {
    on.count()
    const { license = '', user } = history.sockets[socket] ?? {}
    const found = foreign.get(license)?.find((word) => text.includes(word))
    if (found !== undefined) on.say(`${user} of ${license} got ${found}: ${text.slice(0, 300)}`)
    const about = [...chatsOf(frame), ...shownIn(frame.payload)]
    for (const chat of about) {
      const owner = chats.licenseOf(chat)
      if (owner !== license) on.say(`${user} of ${license} was shown ${chat} of ${owner}`)
    }
  }
})

/** Part of whatever is said for agents only. */
const hiddenWord = 'hid-'
/** Part of every agent's address. */
export const addressWord = '@hidden.example'

export const nothingHidden: Check = checking('nothing hidden reaches a customer', (history, on) => {
  const chats = new Chats(history)
  const hidden = entriesOf(logsOf(history.quiet.items)).filter(
    ({ event }) => event['recipients'] === 'agents',
  )
  const hiddenIds = hidden.map(({ id }) => id)
  const own = new Map<string, Set<string>>()
  for (const { id, users } of history.chats)
    for (const user of users)
      if (user.type === 'customer') own.set(user.id, (own.get(user.id) ?? new Set()).add(id))
  for (const { socket, at, frame, text } of framesOf(history)) {
    const { as, user = '', license = '' } = history.sockets[socket] ?? {}
    if (as !== 'customer') continue
    on.count()
    const mine = [...(own.get(user) ?? [])]
    const met = new Set(
      mine.flatMap((chat) =>
        chats
          .upTo(chat, at)
          .flatMap(({ users }) => users.filter((one) => one.met === true).map(({ id }) => id)),
      ),
    )
    const agents = history.licenses.find(({ id }) => id === license)?.agents ?? []
    const words = [hiddenWord, addressWord, ...agents.map(({ id }) => id).filter((id) => !met.has(id))]
    const leaks = leaksIn(frame, { ids: hiddenIds.filter((id) => text.includes(id)), words })
    for (const leak of leaks) on.say(`${user}: ${leak}: ${text.slice(0, 300)}`)
  }
})
