import { createCustomerClient, type CustomerClient } from '../../../shared/client/client.ts'
import { type History, openHistory } from './history.ts'
import { openSession, type Session } from './session.ts'

/** A customer's widget. */
export interface Widget extends Session {
  client: CustomerClient
  me: string | undefined
  /** The customer's one chat, once it has one. */
  chat: () => ReturnType<CustomerClient['chats']['all']>[number] | undefined
  history: History
  /** Ends the connection, and forgets who the customer is: the next one is a stranger. */
  forget: () => void
}

/** A widget of the n-th visitor: each has a token of its own in the browser's storage, and is known by it. */
export const openWidget = (url: string, licenseId: string, visitor: number): Widget => {
  const session = openSession()
  const { hears, changes } = session
  const nameOf = (key: string): string => `${key}:visitor-${visitor}`
  const client = createCustomerClient({
    url,
    licenseId,
    storage: {
      getItem: (key) => localStorage.getItem(nameOf(key)),
      setItem: (key, value) => localStorage.setItem(nameOf(key), value),
      removeItem: (key) => localStorage.removeItem(nameOf(key)),
    },
    customer: { monitoring: { page: { url: location.href, title: document.title }, timezone: timezone() } },
    environment: session.wire.environment,
  })
  const chat = () => client.chats.all().at(-1)
  const history = openHistory(async (ask) => {
    const own = chat()
    if (own === undefined) return { chat: { threads: [], threads_summary: [] } }
    return await client.request('get_chat_threads', { chat_id: own.id, ...ask })
  }, changes)
  const widget: Widget = Object.assign(session, {
    client,
    me: undefined,
    chat,
    history,
    forget: () => {
      client.close()
      localStorage.removeItem(nameOf(`agent-chat:${licenseId}`))
    },
  })
  const take = () => {
    history.take(chat()?.threads ?? [])
    changes.changed()
  }
  client.on('state', hears.state)
  client.on('recovered', hears.recovered)
  client.on('ended', hears.ended)
  client.on('incoming_typing_indicator', hears.incoming_typing_indicator)
  client.on('incoming_event', (told) => {
    hears.incoming_event(told)
    take()
  })
  client.on('logged_in', ({ customer_id, last_chats_summary }) => {
    widget.me = customer_id
    changes.changed()
    const [own] = last_chats_summary
    if (own !== undefined)
      void session.run('The chat cannot be read', async () => {
        await client.request('get_chat_threads', { chat_id: own.id })
        await history.open()
        take()
      })
  })
  for (const name of changing) client.on(name, take)
  return widget
}

const changing = [
  'recovered',
  'incoming_chat_thread',
  'chat_users_updated',
  'thread_closed',
  'chat_transferred',
  'queue_position_updated',
  'chat_properties_updated',
  'event_marked_as_seen',
  'last_seen_timestamp_updated',
  'customer_updated',
] as const

const timezone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone
