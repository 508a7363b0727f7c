import { type AgentClient, type AgentEndpoint, createAgentClient } from '../../../shared/client/client.ts'
import { listenAtDesk } from './desk-pushes.ts'
import { type History, openHistory } from './history.ts'
import { openSession, type Session } from './session.ts'

type Login = AgentEndpoint['actions']['login']['answer']
export type DeskChat = ReturnType<AgentClient['chats']['all']>[number]
export type DeskUser = DeskChat['users'][number]
export type Colleague = Omit<Login['agents'][number], 'routing_status'> & {
  routing_status?: string | undefined
}

/** The newest event of a chat. */
export interface Preview {
  text: string
  at: number
}

/** An agent's desk, once it is logged in. */
export interface Desk extends Session {
  client: AgentClient
  me: Login['my_profile'] | undefined
  colleagues: readonly Colleague[]
  groups: Login['groups']
  /** Whether somebody is there for each group, by its id. */
  statuses: AgentEndpoint['actions']['list_group_statuses']['answer']['groups_status']
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

/** The answer to a login, as a desk needs it. */
const beforeLogin = { me: undefined, colleagues: [], groups: [], statuses: {} }

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
    ...beforeLogin,
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
  listenAtDesk(desk, session, { followed, previews })
  return desk
}
