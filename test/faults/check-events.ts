import { isBusEvent } from '../../shared/protocol/pushes-on-bus.ts'
import type { PushName } from '../../shared/protocol/pushes.ts'
import { Chats } from './access.ts'
import { type Check, checking, type CustomerState, framesOf, grouped, type History } from './history.ts'

type Told = { action: string; payload: any }

const changedUsers = ({ chat_id, updated_users }: any): string[] =>
  Object.entries<any>(updated_users).flatMap(([kind, { added, removed_ids }]) => [
    ...added.map(({ id }: any) => `${chat_id}: ${id} came to ${kind}`),
    ...removed_ids.map((id: string) => `${chat_id}: ${id} left ${kind}`),
  ])
const changedScopes = ({ chat_id, scopes_added, scopes_removed }: any): string[] =>
  Object.entries<any>({ scopes_added, scopes_removed }).flatMap(([how, { groups = [], agents = [] }]) =>
    [...groups, ...agents].map((one) => `${chat_id}: ${how} ${one}`),
  )

/**
 * What pushes and events say, each by what it is told by again: a push that is made a second time, or by
 * another function than the first, shows users and texts as they then are.
 */
const said: Partial<Record<PushName, (payload: any) => string[]>> = {
  incoming_event: ({ event }) => [event.id],
  incoming_chat_thread: ({ chat }) => (chat.thread === undefined ? [] : [chat.thread.id]),
  thread_closed: ({ thread_id }) => [thread_id],
  chat_users_updated: changedUsers,
  chat_scopes_updated: changedScopes,
  chat_transferred: ({ thread_id, reason }) => [`${thread_id} ${reason}`],
  chat_properties_updated: ({ chat_id, version }) => [`${chat_id} ${version}`],
  chat_thread_properties_updated: ({ thread_id, version }) => [`${thread_id} ${version}`],
  event_marked_as_seen: ({ event_id, user_id }) => [`${event_id} ${user_id}`],
  customer_banned: ({ customer_id }) => [customer_id],
  customer_unbanned: ({ customer_id }) => [customer_id],
  queue_positions_updated: (all) =>
    all.map(({ thread_id, queue }: any) => `${thread_id} ${queue.position} ${queue.queued_at}`),
  thread_tagged: ({ thread_id, tag }) => [`${thread_id} ${tag}`],
  thread_untagged: ({ thread_id, tag }) => [`${thread_id} ${tag}`],
  chat_deleted: ({ chat_id }) => [chat_id],
}

const sayingsOf = ({ action, payload }: Told): string[] =>
  (said[action as PushName]?.(payload) ?? []).map((one) => `${action} ${one}`)

/** What a thread, or a chat, starts with is told with it; who tells of it again tells it one by one. */
const startedWith = ({ action, payload }: Told): string[] => {
  if (action !== 'incoming_chat_thread') return []
  const { id, thread } = payload.chat
  const events: string[] = thread.events.map((event: any) => `incoming_event ${event.id}`)
  return thread.order === 1 ? [...events, `chat_properties_updated ${id} 1`] : events
}

/**
 * A request that may have given a tag, and has not, is told of by what stands there: that the thread has it
 * not, which receivers of events know who never heard of it.
 */
const isKnownWithout = (one: string, sent: ReadonlySet<string>): boolean =>
  one.startsWith('thread_untagged ') && !sent.has(one.replace('untagged', 'tagged'))

/** Up to when events say that somebody has seen a chat. */
const seenIn = (events: readonly Told[]): Map<string, number> => {
  const seen = new Map<string, number>()
  for (const { action, payload } of events)
    if (action === 'last_seen_timestamp_updated') {
      const name = `${payload.chat_id} ${payload.user_id}`
      seen.set(name, Math.max(seen.get(name) ?? 0, payload.timestamp))
    }
  return seen
}

/** The agents with all rights of such licenses, as `<license> <agent>`. */
const allSeeingOf = (
  { licenses }: History,
  isMeant: (license: History['licenses'][number]) => boolean,
): Set<string> =>
  new Set(
    licenses
      .filter(isMeant)
      .flatMap(({ id, agents }) =>
        agents
          .filter(({ permission, onlyOwn }) => permission !== 'normal' && onlyOwn !== true)
          .map((agent) => `${id} ${agent.id}`),
      ),
  )

export const eventsCoverPushes: Check = checking(
  'what agents with all rights are told goes out to the bus',
  (history, on) => {
    const allSeeing = allSeeingOf(history, ({ events }) => events)
    const events = history.events.map(({ name, payload }) => ({ action: name, payload }))
    const sent = new Set(events.flatMap((event) => [...sayingsOf(event), ...startedWith(event)]))
    const seen = seenIn(events)
    for (const { socket, frame } of framesOf(history)) {
      const { license, user } = history.sockets[socket]!
      if (frame.type !== 'push' || !allSeeing.has(`${license} ${user}`)) continue
      if (!isBusEvent[frame.action as PushName]) continue
      for (const one of sayingsOf(frame)) {
        on.count()
        if (!sent.has(one) && !isKnownWithout(one, sent)) on.say(`no event: ${one}`)
      }
      if (frame.action !== 'last_seen_timestamp_updated') continue
      const { chat_id, user_id, timestamp } = frame.payload
      on.count()
      if ((seen.get(`${chat_id} ${user_id}`) ?? 0) < timestamp)
        on.say(`no event: ${user_id} has seen ${chat_id} up to ${timestamp}`)
    }
  },
)

/** What agents are shown of a customer that it, or an agent, tells. */
const detailsOf = ({ id, name = 'Customer', email = '', properties = {} }: any): string =>
  JSON.stringify([id, name, email, Object.entries(properties).toSorted()])

/**
 * The writes that surely made something else of a customer than there was. `ascending`: all of it, by
 * version; a call that was made again is there twice.
 */
const changesOf = (ascending: readonly CustomerState[]): CustomerState[] =>
  ascending.filter((state, index) => {
    const isFirst = !ascending.slice(0, index).some((one) => one.certain && one.version === state.version)
    const earlier = ascending.filter(({ version }) => version < state.version)
    const known = earlier.findLastIndex(({ certain }) => certain)
    const details = detailsOf(state)
    const isOther = known !== -1 && earlier.slice(known).every((before) => detailsOf(before) !== details)
    return state.certain && isFirst && isOther
  })

export const customersAreEvents: Check = checking(
  'each change of a customer in an active chat goes out to the bus',
  (history, on) => {
    const chats = new Chats(history)
    const wanting = new Set(history.licenses.flatMap(({ id, events }) => (events ? [id] : [])))
    const sent = new Set(
      history.events
        .filter(({ name }) => name === 'customer_updated')
        .map(({ license, payload }) => `${license} ${detailsOf(payload.customer)}`),
    )
    const chatOf = new Map(
      history.chats.flatMap(({ id, license_id, users }) =>
        users.filter(({ type }) => type === 'customer').map((user) => [`${license_id} ${user.id}`, id]),
      ),
    )
    for (const [who, states] of grouped(history.customers, ({ id, license_id }) => `${license_id} ${id}`)) {
      const chat = chatOf.get(who) ?? ''
      for (const state of changesOf(states.toSorted((a, b) => a.version - b.version))) {
        const { license_id: license, sentAt, endedAt } = state
        const isActive =
          chats.existed(chat, sentAt) && chats.during(chat, sentAt, endedAt).every(({ active }) => active)
        if (!isActive || !wanting.has(license)) continue
        on.count()
        if (!sent.has(`${license} ${detailsOf(state)}`)) on.say(`no event: ${detailsOf(state)}`)
      }
    }
  },
)

export const eventsAreWanted: Check = checking(
  'nothing of a license without events is on the bus',
  (history, on) => {
    const without = history.licenses.filter(({ events }) => !events)
    const words = without.flatMap(({ id, marker }) => [id, marker])
    const hearing = allSeeingOf(history, ({ events }) => !events)
    for (const { socket, frame } of framesOf(history)) {
      const { license, user } = history.sockets[socket] ?? {}
      // what would be an event, were it another license's
      if (frame.type === 'push' && hearing.has(`${license} ${user}`) && isBusEvent[frame.action as PushName])
        on.count()
    }
    const chats = new Chats(history)
    for (const event of history.events) {
      const text = JSON.stringify(event)
      const about = [event.payload].flat().map((one) => one?.chat_id ?? one?.chat?.id)
      const isOf = about.some((chat) => without.some(({ id }) => chats.licenseOf(chat) === id))
      if (isOf || words.some((word) => text.includes(word))) on.say(`an event: ${text.slice(0, 300)}`)
    }
  },
)
