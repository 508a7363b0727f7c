import { type AgentClient, type AgentEndpoint, createAgentClient } from '../../../shared/client/client.ts'
import { type History, openHistory } from './history.ts'
import { type OpenSession, openSession, type Session } from './session.ts'

type Login = AgentEndpoint['actions']['login']['answer']
export type DeskChat = ReturnType<AgentClient['chats']['all']>[number]
export type DeskUser = DeskChat['users'][number]
type Colleague = Omit<Login['agents'][number], 'routing_status'> & {
  routing_status?: string | undefined
}

/** The newest that was said in a chat. */
interface Preview {
  text: string
  at: number
}

/** An agent's desk, once it is logged in. */
export interface Desk extends Session {
  client: AgentClient
  me: Login['my_profile'] | undefined
  colleagues: readonly Colleague[]
  groups: Login['groups']
  followed: ReadonlySet<string>
  previews: ReadonlyMap<string, Preview>
  /** The chat that is open, and what is shown of it. */
  open: { chat: string; history: History } | undefined
  openChat: (chat: string, thread?: string) => Promise<void>
  closeChat: () => void
  follow: (chat: string) => Promise<void>
  unfollow: (chat: string) => Promise<void>
  /** The name by which people are shown: of colleagues, or of users of a chat. */
  nameOf: (id: string | undefined, users?: readonly { id: string; name: string }[]) => string
}

export const openDesk = (url: string, token: string): Desk => {
  const session = openSession()
  const client = createAgentClient({
    url,
    token,
    application: { name: 'agent-chat console' },
    environment: session.wire.environment,
  })
  const followed = new Set<string>()
  const previews = new Map<string, Preview>()
  let stop = () => {}
  const desk: Desk = Object.assign(session, {
    client,
    me: undefined,
    colleagues: [],
    groups: [],
    followed,
    previews,
    open: undefined,
    openChat: async (chat: string, thread?: string) => {
      stop()
      const history = openHistory(
        async (ask) => await client.request('get_chat_threads', { chat_id: chat, ...ask }),
        session.changes,
      )
      const take = () => {
        history.take(client.chats.get(chat)?.threads ?? [])
        session.changes.changed()
      }
      stop = client.chats.subscribe(chat, take)
      desk.open = { chat, history }
      session.changes.changed()
      await session.run('The chat cannot be read', () => history.open(thread))
      take()
    },
    closeChat: () => {
      stop()
      desk.open = undefined
      session.changes.changed()
    },
    follow: async (chat: string) => {
      const done = await session.run('The chat is not followed', () =>
        client.request('follow_chat', { chat_id: chat }),
      )
      if (done !== undefined) followed.add(chat)
      session.changes.changed()
    },
    unfollow: async (chat: string) => {
      await session.run('The chat is still followed', () =>
        client.request('unfollow_chat', { chat_id: chat }),
      )
    },
    nameOf: (id: string | undefined, users: readonly { id: string; name: string }[] = []) =>
      [...users, ...desk.colleagues].find((one) => one.id === id)?.name ?? id ?? '',
  })
  listen(desk, session, { followed, previews })
  return desk
}

const listen = (
  desk: Desk,
  { hears, changes, noteWriting, tell }: OpenSession,
  { followed, previews }: { followed: Set<string>; previews: Map<string, Preview> },
): void => {
  const { client } = desk
  const { changed } = changes
  client.on('state', hears.state)
  client.on('recovered', hears.recovered)
  client.on('ended', hears.ended)
  client.on('incoming_typing_indicator', hears.incoming_typing_indicator)
  client.on('logged_in', (login) => {
    desk.me = login.my_profile
    desk.colleagues = login.agents
    desk.groups = login.groups
    for (const summary of login.chats_summary) {
      if (!('users' in summary)) {
        // cut down for want of room: the rest is asked for
        void desk.run('A chat cannot be read', () =>
          client.request('get_chat_threads', { chat_id: summary.id }),
        )
        continue
      }
      const { last_event_per_type: newest, timestamp } = summary.last_thread_summary
      const said = newest.find(({ type }) => type === 'message')
      previews.set(summary.id, {
        text: said?.type === 'message' ? said.text : '',
        at: said?.timestamp ?? timestamp,
      })
    }
    changed()
  })
  client.on('incoming_event', (told) => {
    const { chat_id, event } = told
    const text = event.type === 'message' ? event.text : (previews.get(chat_id)?.text ?? '')
    previews.set(chat_id, { text, at: event.timestamp })
    hears.incoming_event(told)
  })
  client.on('incoming_sneak_peek', ({ chat_id, sneak_peek: { author_id, text } }) =>
    noteWriting(chat_id, author_id, text),
  )
  client.on('agent_updated', ({ agent_id, routing_status }) => {
    desk.colleagues = desk.colleagues.map((one) => (one.id === agent_id ? { ...one, routing_status } : one))
    if (desk.me?.id === agent_id && routing_status !== 'offline') desk.me = { ...desk.me, routing_status }
    changed()
  })
  client.on('chat_unfollowed', ({ chat_id }) => {
    followed.delete(chat_id)
    changed()
  })
  client.on('incoming_broadcast', ({ author_id, content }) =>
    tell({
      isError: false,
      title: `Broadcast of ${desk.nameOf(author_id)}`,
      details: [JSON.stringify(content)],
    }),
  )
  for (const name of changing) client.on(name, changed)
}

/** Pushes that the client's store has taken by the time that they are told. */
const changing = [
  'incoming_chat_thread',
  'chat_users_updated',
  'thread_closed',
  'event_marked_as_seen',
  'last_seen_timestamp_updated',
  'chat_scopes_updated',
  'chat_properties_updated',
  'chat_thread_properties_updated',
  'customer_updated',
  'customer_banned',
  'customer_unbanned',
] as const
