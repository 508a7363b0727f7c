import type { AgentEndpoint } from '../../../shared/client/client.ts'
import type { Colleague, Desk, Preview } from './desk-state.ts'
import type { OpenSession } from './session.ts'

type Login = AgentEndpoint['actions']['login']['answer']

interface Known {
  followed: Set<string>
  previews: Map<string, Preview>
}

/** A desk follows the pushes that its client is told, in all that the client's store does not keep itself. */
export const listenAtDesk = (
  desk: Desk,
  { hears, changes, tell }: OpenSession,
  { followed, previews }: Known,
): void => {
  const { client } = desk
  const { changed } = changes
  client.on('state', hears.state)
  client.on('recovered', hears.recovered)
  client.on('ended', hears.ended)
  client.on('incoming_typing_indicator', hears.incoming_typing_indicator)
  client.on('logged_in', (login) => showLogin(desk, login, previews))
  client.on('incoming_event', (told) => {
    const { chat_id, event } = told
    const text = event.type === 'message' ? event.text : (previews.get(chat_id)?.text ?? '')
    previews.set(chat_id, { text, at: event.timestamp })
    hears.incoming_event(told)
  })
  client.on('incoming_sneak_peek', hears.incoming_sneak_peek)
  followAccounts(desk, changed)
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
  'customer_banned',
  'customer_unbanned',
  'incoming_chat_thread',
  'chat_users_updated',
  'thread_closed',
  'chat_deleted',
  'event_marked_as_seen',
  'last_seen_timestamp_updated',
  'chat_scopes_updated',
  'chat_transferred',
  'queue_positions_updated',
  'chat_properties_updated',
  'chat_thread_properties_updated',
  'thread_tagged',
  'thread_untagged',
] as const

const showLogin = (desk: Desk, login: Login, previews: Known['previews']): void => {
  desk.me = login.my_profile
  desk.colleagues = login.agents
  desk.groups = login.groups
  void desk.run('Whether groups are there cannot be read', async () => {
    desk.statuses = (await desk.client.request('list_group_statuses', {})).groups_status
    desk.changes.changed()
  })
  for (const summary of login.chats_summary) {
    if (!('users' in summary)) {
      // cut down for want of room: the rest is asked for
      void desk.run('A chat cannot be read', () =>
        desk.client.request('get_chat_threads', { chat_id: summary.id }),
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
  desk.changes.changed()
}

/** The fields of a push about an account. */
const namedOf = ({
  name,
  avatar,
  permission,
}: {
  [Field in 'name' | 'avatar' | 'permission']?: Colleague[Field] | undefined
}) => ({
  ...(name !== undefined && { name }),
  ...(avatar !== undefined && { avatar }),
  ...(permission !== undefined && { permission }),
})

/** Colleagues and groups, as `login` shows them. */
const followAccounts = (desk: Desk, changed: () => void): void => {
  const { client } = desk
  const without = <T extends { id: string | number }>(all: readonly T[], id: T['id']) =>
    all.filter((one) => one.id !== id)
  client.on('agent_updated', ({ agent_id, routing_status, group_ids, name, avatar, permission }) => {
    const account = {
      ...(name !== undefined && { name }),
      ...(avatar !== undefined && { avatar }),
      ...(permission && { permission }),
    }
    desk.colleagues = desk.colleagues.map((one) =>
      one.id === agent_id ? { ...one, ...namedOf(account), routing_status } : one,
    )
    if (desk.me?.id === agent_id)
      desk.me = {
        ...desk.me,
        ...namedOf(account),
        ...(group_ids && { group_ids }),
        ...(routing_status !== 'offline' && { routing_status }),
      }
    changed()
  })
  client.on('agent_created', ({ agent_id: id, name, avatar, permission, is_bot }) => {
    const created = { id, name, permission, ...(avatar && { avatar }), ...(is_bot && { is_bot }) }
    desk.colleagues = [...without(desk.colleagues, id), created]
    changed()
  })
  client.on('agent_deleted', ({ agent_id }) => {
    desk.colleagues = without(desk.colleagues, agent_id)
    changed()
  })
  for (const name of ['group_created', 'group_updated'] as const)
    client.on(name, ({ group_id: id, name: called }) => {
      desk.groups = [...without(desk.groups, id), { id, name: called }]
      changed()
    })
  client.on('groups_status_updated', ({ groups_status }) => {
    desk.statuses = { ...desk.statuses, ...groups_status }
    changed()
  })
  client.on('group_deleted', ({ group_id }) => {
    desk.groups = without(desk.groups, group_id)
    changed()
  })
}
