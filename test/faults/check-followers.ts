import { agentOf, Chats, hasAccess } from './access.ts'
import {
  type ChatState,
  type Check,
  checking,
  type FollowerRecord,
  framesOf,
  type History,
  type KeptChat,
} from './history.ts'
import { chatsOf, logsOf, type StoredChat, type StoredThread } from './stored-log.ts'

/**
 * When (ms) each chat was last shown to a client since it was opened, in a way that brings it into the store.
 */
const shownTo = (history: History, { license, user, since }: FollowerRecord): Map<string, number> => {
  const shown = new Map<string, number>()
  const isOwn = history.sockets.map(
    (one) => one.license === license && one.user === user && one.openedAt >= since,
  )
  for (const { socket, at, frame } of framesOf(history)) {
    const isRead = frame.action === 'get_chat_threads' && frame.success === true
    if (isOwn[socket] === true && (isRead || frame.action === 'incoming_chat_thread'))
      shown.set(frame.payload.chat.id, at)
  }
  return shown
}

const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1)

/** Who is in a chat and who may see it. */
const peopleIn = ({ users, scopes }: Pick<KeptChat, 'users' | 'scopes'>): string =>
  JSON.stringify([
    users.toSorted(byId).map(({ id, type, present }) => [id, type, present]),
    (scopes?.groups ?? []).toSorted((a, b) => a - b),
    (scopes?.agents ?? []).toSorted(),
  ])

const numberOf = ({ id }: { id: string }): number => Number(id.split('_')[1])

/** What is wrong with a thread as it is kept. */
const wrongIn = (
  kept: KeptChat['threads'][number],
  { entries, closed, tags }: StoredThread,
  as: FollowerRecord['as'],
): string[] => {
  const shown = as === 'agent' ? entries : entries.filter(({ event }) => event['recipients'] !== 'agents')
  const wanted = shown.map(({ id, event }) => `${id} ${event['text'] ?? ''}`)
  const has = kept.events.map(({ id, text }) => `${id} ${text ?? ''}`)
  // it may have been shown the end alone
  const compared = kept.has_more === true ? wanted.slice(wanted.length - has.length) : wanted
  return [
    ...(has.join('\n') === compared.join('\n')
      ? []
      : [
          `holds of ${kept.id} not ${compared.filter((one) => !has.includes(one)).join(', ')}, ` +
            `but ${has.join(', ')}${kept.has_more === true ? ', and says that there is more' : ''}`,
        ]),
    // that of a customer may be before or behind what is hidden
    ...(as === 'customer' || kept.upTo === entries.length
      ? []
      : [`knows ${kept.id} up to ${kept.upTo} of ${entries.length}`]),
    // a customer is shown none
    ...((kept.tags ?? []).join() === (as === 'agent' ? tags : []).join()
      ? []
      : [`holds ${kept.id} with the tags ${(kept.tags ?? []).join()} and not ${tags.join()}`]),
    ...(kept.active === closed ? [`holds ${kept.id} as ${kept.active ? 'active' : 'closed'}`] : []),
  ]
}

/** What is wrong with a chat as it is kept. */
const wrongWith = (
  kept: KeptChat,
  stored: StoredChat,
  threads: ReadonlyMap<number, StoredThread>,
  as: FollowerRecord['as'],
): string[] => {
  const newest = [...threads.keys()].toSorted((a, b) => a - b).slice(-kept.threads.length)
  return [
    // a customer is shown neither all users nor all scopes
    ...(as === 'customer' || peopleIn(kept) === peopleIn(stored)
      ? []
      : [`holds ${kept.id} with ${peopleIn(kept)} and not ${peopleIn(stored)}`]),
    ...(kept.threads.map(numberOf).join() === newest.join()
      ? []
      : [
          `holds threads ${kept.threads.map(numberOf).join()} of ${kept.id}, whose last are ${newest.join()}`,
        ]),
    ...kept.threads.flatMap((thread) => {
      const found = threads.get(numberOf(thread))
      return found === undefined ? [`holds ${thread.id}, which is not there`] : wrongIn(thread, found, as)
    }),
  ]
}

export const followersHoldAll: Check = checking(
  'a client that was cut off ends with what the server has',
  (history, on) => {
    const { items, at } = history.quiet
    const states = new Chats(history)
    const logs = logsOf(items)
    const chats = chatsOf(items)
    for (const follower of history.followers) {
      const { license, as, user, startedOver } = follower
      // nobody is away for days, nor given other rights
      if (startedOver > 0) on.say(`${user} was told ${startedOver} times to start over`)
      const agent = agentOf(history, license, user)
      const may = ({ users, scopes }: Pick<ChatState, 'users' | 'scopes'>) =>
        agent === undefined
          ? users.some(({ id, type }) => id === user && type === 'customer')
          : hasAccess(agent, { users, scopes })
      const held = new Map(follower.chats.map((chat) => [chat.id, chat]))
      const shown = shownTo(history, follower)
      for (const [id, chat] of chats) {
        const kept = held.get(id)
        held.delete(id)
        const isShown = chat.license_id === license && may(chat)
        if (kept === undefined) {
          const since = isShown ? shown.get(id) : undefined
          // where it was closed, and was to be seen all the time since, it stays
          if (isShown && (chat.active || (since !== undefined && states.during(id, since, at).every(may))))
            on.say(`${user} lacks ${id}`)
          continue
        }
        on.count()
        if (!isShown) on.say(`${user} holds ${id}, which it may not see`)
        else
          for (const wrong of wrongWith(kept, chat, logs.get(id) ?? new Map(), as)) on.say(`${user} ${wrong}`)
      }
      for (const id of held.keys()) on.say(`${user} holds ${id}, which is not there`)
    }
  },
)
