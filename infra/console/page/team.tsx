import type { Desk } from './desk-state.ts'
import { Avatar, Dialog, Name } from './parts.tsx'
import { groupStatusOf, statusOf } from './statuses.ts'

/** The colleagues and their statuses; administrators change those of others. */
export const Team = ({ desk, onClose }: { desk: Desk; onClose: () => void }) => {
  const mayChange = desk.me?.permission !== 'normal'
  const change = (agent_id: string, routing_status: 'accepting_chats' | 'not_accepting_chats') =>
    void desk.run('The status was not changed', () =>
      desk.client.request('update_agent', { agent_id, routing_status }),
    )
  return (
    <Dialog title="Team" onClose={onClose}>
      <ul class="team">
        {desk.colleagues.map(({ id, name, is_bot, permission, routing_status: status = 'offline' }) => (
          <li key={id}>
            <Avatar name={name} kind="agent" />
            <span>
              <Name isBot={is_bot}>{name}</Name>
              <small>
                {permission}, {statusOf(status)}
              </small>
            </span>
            {mayChange && status !== 'offline' && (
              <button
                type="button"
                class="small"
                onClick={() =>
                  change(id, status === 'accepting_chats' ? 'not_accepting_chats' : 'accepting_chats')
                }
              >
                {status === 'accepting_chats' ? 'Stop accepting' : 'Accept chats'}
              </button>
            )}
          </li>
        ))}
      </ul>
      <p class="hint">
        Groups:{' '}
        {desk.groups.map(({ id, name }) => `${name} (${id}, ${groupStatusOf(desk, id)})`).join(', ') ||
          'none'}
      </p>
    </Dialog>
  )
}
