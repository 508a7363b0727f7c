import { useState } from 'preact/hooks'
import { ChatActions } from './chat-actions.tsx'
import { roleIn, titleOf } from './chat-kinds.ts'
import { Composer } from './composer.tsx'
import type { Desk, DeskChat } from './desk-state.ts'
import type { History } from './history.ts'
import { paced } from './pace.ts'
import { Name } from './parts.tsx'
import { Place } from './queue.tsx'
import { newestOfOthers, useMarking } from './seen.ts'
import { ThreadView } from './thread-view.tsx'

interface PaneProps {
  desk: Desk
  showsDetails: boolean
  onDetails: () => void
}

/** The chat that is open. */
export const ChatPane = ({ desk, showsDetails, onDetails }: PaneProps) => {
  const { open } = desk
  const chat = open && desk.client.chats.get(open.chat)
  if (open === undefined || chat === undefined)
    return (
      <div class="chat nothing">
        <p class="empty">
          {open === undefined
            ? 'Open a chat to read it.'
            : 'This chat cannot be seen any more, or is still being read.'}
        </p>
        {open !== undefined && <BackButton desk={desk} />}
      </div>
    )
  return (
    <section class="chat" aria-label={`Chat with ${titleOf(chat)}`}>
      <header>
        <BackButton desk={desk} />
        <h3>
          <Name>{titleOf(chat)}</Name>
          <small>{presenceOf(chat)}</small>
          <Place chat={chat} />
        </h3>
        <ChatActions desk={desk} chat={chat} />
        <button type="button" class="small details-button" aria-pressed={showsDetails} onClick={onDetails}>
          Details
        </button>
      </header>
      {open.history.endsAt !== undefined && (
        <p class="banner">
          An earlier conversation.
          <button type="button" class="small" onClick={() => void desk.openChat(chat.id)}>
            Go to the newest
          </button>
        </p>
      )}
      <OpenThread key={chat.id} desk={desk} chat={chat} history={open.history} />
      <Writer key={`${chat.id}-writer`} desk={desk} chat={chat} />
    </section>
  )
}

const BackButton = ({ desk }: { desk: Desk }) => (
  <button type="button" class="small back" onClick={desk.closeChat}>
    Back
  </button>
)

const presenceOf = (chat: DeskChat): string => {
  const here = chat.users.filter(({ present }) => present)
  const agents = here.filter(({ type }) => type === 'agent').map(({ name }) => name)
  const supervisors = here.filter(({ type }) => type === 'supervisor').map(({ name }) => name)
  const parts = [
    agents.length > 0 ? `with ${agents.join(', ')}` : 'no agent here',
    ...(supervisors.length > 0 ? [`supervised by ${supervisors.join(', ')}`] : []),
  ]
  return `${chat.threads.at(-1)?.active === true ? '' : 'Closed, '}${parts.join(', ')}`
}

const OpenThread = ({ desk, chat, history }: { desk: Desk; chat: DeskChat; history: History }) => {
  const threads = history.threads()
  const me = desk.me?.id ?? ''
  useMarking(roleIn(chat, me) === undefined ? undefined : newestOfOthers(chat, me), (event_id) => {
    void desk.run('The chat is not marked as seen', () =>
      desk.client.request('mark_event_as_seen', { chat_id: chat.id, event_id }),
    )
  })
  return (
    <ThreadView
      threads={threads}
      users={chat.users}
      me={me}
      nameOf={(id) => desk.nameOf(id, chat.users)}
      hasOlder={history.hasOlder()}
      onOlder={() => void desk.run('Older messages cannot be read', history.older)}
      pending={desk.pending.filter((one) => one.chat === chat.id)}
      writing={desk.writing.get(chat.id)}
    />
  )
}

const typingMs = 4000

const Writer = ({ desk, chat }: { desk: Desk; chat: DeskChat }) => {
  const role = roleIn(chat, desk.me?.id)
  const [wantsNote, setWantsNote] = useState(false)
  const isNote = wantsNote || role === 'supervisor'
  const [tellTyping] = useState(() =>
    paced((is_typing: boolean) => {
      if (desk.state !== 'online') return
      void desk.run('Typing is not shown', () =>
        desk.client.request('send_typing_indicator', { chat_id: chat.id, is_typing }),
      )
    }, typingMs),
  )
  const send = (text: string): Promise<boolean> => {
    const custom_id = crypto.randomUUID()
    return desk.send({ customId: custom_id, chat: chat.id, text }, () =>
      desk.client.request('send_event', {
        chat_id: chat.id,
        event: { type: 'message', text, custom_id, recipients: isNote ? 'agents' : 'all' },
      }),
    )
  }
  return (
    <Composer
      label={isNote ? 'Note for agents' : 'Message'}
      disabled={role === undefined ? 'Join or supervise this chat to write in it' : undefined}
      onSend={send}
      onType={(text) => {
        if (role === 'agent' && !isNote) tellTyping(text !== '')
      }}
    >
      {role !== undefined && (
        <label class="check">
          <input
            type="checkbox"
            checked={isNote}
            disabled={role === 'supervisor'}
            onChange={() => setWantsNote(!wantsNote)}
          />
          Note, which only agents see
          {role === 'supervisor' && ': you supervise, and the customer does not notice'}
        </label>
      )}
    </Composer>
  )
}
