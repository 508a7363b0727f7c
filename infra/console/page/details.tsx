import { useState } from 'preact/hooks'
import { customerOf } from './chat-kinds.ts'
import { CustomerCard } from './customer-card.tsx'
import type { Desk, DeskChat } from './desk-state.ts'
import type { Person } from './event-view.tsx'
import { Avatar, Chip, Name } from './parts.tsx'
import { Properties } from './properties.tsx'
import { Tags } from './tags.tsx'
import { Time } from './texts.tsx'

/** The details of the open chat: its customer, who is in it, who may see it, its tags and properties. */
export const Details = ({ desk, onClose }: { desk: Desk; onClose: () => void }) => {
  const chat = desk.open && desk.client.chats.get(desk.open.chat)
  if (chat === undefined) return null
  const customer = customerOf(chat)
  const thread = chat.threads.at(-1)
  return (
    <aside class="details" aria-label="Details" tabIndex={0}>
      <button type="button" class="small details-close" onClick={onClose}>
        Back to the chat
      </button>
      {customer !== undefined && <CustomerCard desk={desk} customer={customer} />}
      <People users={chat.users} />
      <Scopes desk={desk} chat={chat} />
      <Properties
        title="Properties of the chat"
        properties={chat.properties}
        onChange={(properties) =>
          void desk.run('The properties were not changed', () =>
            desk.client.request('update_chat_properties', { chat_id: chat.id, properties }),
          )
        }
      />
      {thread !== undefined && (
        <Tags desk={desk} at={{ chat_id: chat.id, thread_id: thread.id }} tags={thread.tags} />
      )}
      {thread !== undefined && (
        <Properties
          title="Properties of the thread"
          properties={thread.properties}
          onChange={(properties) =>
            void desk.run('The properties were not changed', () =>
              desk.client.request('update_chat_thread_properties', {
                chat_id: chat.id,
                thread_id: thread.id,
                properties,
              }),
            )
          }
        />
      )}
      <p class="hint">
        Chat <code>{chat.id}</code>
      </p>
    </aside>
  )
}

const People = ({ users }: { users: readonly Person[] }) => (
  <section>
    <h4>In the chat</h4>
    <ul class="team">
      {users.map((user) => (
        <li key={user.id} class={user.present ? '' : 'gone'}>
          <Avatar name={user.name} kind={user.type} />
          <span>
            <Name isBot={user.is_bot}>{user.name}</Name>
            <small>
              {user.type}
              {!user.present && ', has left'}
              {user.last_seen_timestamp !== undefined && (
                <>
                  , seen until <Time at={user.last_seen_timestamp} />
                </>
              )}
            </small>
          </span>
        </li>
      ))}
    </ul>
  </section>
)

interface ChatScopes {
  groups?: number[] | undefined
  agents?: string[] | undefined
}

/** The store's scopes, as the protocol has them. */
const scopesOf = ({ scopes = {} }: DeskChat): ChatScopes => scopes

const Scopes = ({ desk, chat }: { desk: Desk; chat: DeskChat }) => {
  const { groups = [], agents = [] } = scopesOf(chat)
  const update = (change: { add_scopes?: ChatScopes; remove_scopes?: ChatScopes }) =>
    void desk.run('The scopes were not changed', () =>
      desk.client.request('update_chat_scopes', { chat_id: chat.id, ...change }),
    )
  const groupName = (group: number) => desk.groups.find(({ id }) => id === group)?.name ?? `Group ${group}`
  return (
    <section>
      <h4>Open to</h4>
      {groups.length + agents.length === 0 && <p class="hint">Every agent</p>}
      <ul class="chips">
        {groups.map((id) => (
          <Chip key={id} label={groupName(id)} onRemove={() => update({ remove_scopes: { groups: [id] } })} />
        ))}
        {agents.map((id) => (
          <Chip
            key={id}
            label={desk.nameOf(id)}
            onRemove={() => update({ remove_scopes: { agents: [id] } })}
          />
        ))}
      </ul>
      <AddScope desk={desk} onAdd={(add_scopes) => update({ add_scopes })} />
    </section>
  )
}

const AddScope = ({ desk, onAdd }: { desk: Desk; onAdd: (scopes: ChatScopes) => void }) => {
  const [chosen, setChosen] = useState('')
  const add = (): void => {
    const [kind, id = ''] = chosen.split(/:(.*)/su)
    if (id !== '') onAdd(kind === 'group' ? { groups: [Number(id)] } : { agents: [id] })
    setChosen('')
  }
  return (
    <form
      class="inline"
      onSubmit={(event) => {
        event.preventDefault()
        add()
      }}
    >
      <select
        aria-label="Group or agent"
        value={chosen}
        onChange={({ currentTarget: { value } }) => setChosen(value)}
      >
        <option value="">Choose…</option>
        {desk.groups.map(({ id, name }) => (
          <option key={id} value={`group:${id}`}>
            {name}
          </option>
        ))}
        {desk.colleagues.map(({ id, name, is_bot }) => (
          <option key={id} value={`agent:${id}`}>
            {is_bot === true ? `${name} (bot)` : name}
          </option>
        ))}
      </select>
      <button type="submit" class="small" disabled={chosen === ''}>
        Add
      </button>
    </form>
  )
}
