import { useState } from 'preact/hooks'
import { customerOf, roleIn } from './chat-kinds.ts'
import type { Desk, DeskChat } from './desk-state.ts'
import { TransferDialog } from './transfer.tsx'

/** The actions that an agent can take on a chat, as it is in it. */
export const ChatActions = ({ desk, chat }: { desk: Desk; chat: DeskChat }) => {
  const [transfers, setTransfers] = useState(false)
  return (
    <span class="actions">
      {actionsOf(desk, chat).map(({ label, act, isPrimary }) => (
        <button
          type="button"
          key={label}
          class={isPrimary === true ? 'small primary' : 'small'}
          onClick={act}
        >
          {label}
        </button>
      ))}
      {chat.threads.at(-1)?.active === true && (
        <button type="button" class="small" onClick={() => setTransfers(true)}>
          Transfer…
        </button>
      )}
      {transfers && <TransferDialog desk={desk} chat={chat} onClose={() => setTransfers(false)} />}
    </span>
  )
}

interface Offered {
  label: string
  act: () => void
  isPrimary?: boolean
}

const actionsOf = (desk: Desk, chat: DeskChat): Offered[] => {
  const { client, me } = desk
  const agent = me?.id ?? ''
  const chat_id = chat.id
  const role = roleIn(chat, agent)
  const isActive = chat.threads.at(-1)?.active === true
  const offer = (label: string, request: () => Promise<unknown>, isPrimary = false): Offered => ({
    label,
    isPrimary,
    act: () => void desk.run(`${label}: it was refused`, request),
  })
  const join = offer('Join', () => client.request('join_chat', { chat_id, agent_ids: [agent] }), true)
  const supervise = offer('Supervise', () => client.request('supervise_chat', { chat_id }))
  const leave = offer('Leave', () => client.request('remove_from_chat', { chat_id }))
  const close = offer('Close chat', () => client.request('close_thread', { chat_id }))
  const follow = desk.followed.has(chat_id)
    ? { label: 'Unfollow', act: () => void desk.unfollow(chat_id) }
    : { label: 'Follow', act: () => void desk.follow(chat_id) }
  const customer = customerOf(chat)
  const users = customer && { users: [{ id: customer.id, type: 'customer' as const }] }
  const reopen = offer('Start again', () => client.request('start_chat', { chat: { ...users } }))
  return [
    ...(role === 'agent' ? [] : [join]),
    ...(role === undefined ? [supervise, follow] : [leave]),
    ...(isActive ? [close] : customer === undefined ? [] : [reopen]),
  ]
}
