import { chatsByTab, isUnread, lastAt, type Tab, titleOf } from './chat-kinds.ts'
import type { Desk, DeskChat } from './desk-state.ts'
import { Avatar, Name } from './parts.tsx'
import { Place } from './queue.tsx'
import { Time } from './texts.tsx'

const empty: Record<Tab, string> = {
  mine: 'No chats. A customer who writes comes to an agent who accepts chats; others are under Waiting.',
  others: 'No other agent has a chat that you may see.',
  waiting: 'Nobody waits.',
}

/** The active chats of one tab. */
export const ChatList = ({ desk, tab, onOpen }: { desk: Desk; tab: Tab; onOpen: (chat: string) => void }) => {
  const chats = chatsByTab(desk)[tab]
  const start = async (): Promise<void> => {
    const started = await desk.run('The chat was not started', () => desk.client.request('start_chat', {}))
    if (started !== undefined) onOpen(started.answer.chat.id)
  }
  return (
    <>
      {chats.length === 0 && <p class="empty">{empty[tab]}</p>}
      <ul class="list">
        {chats.map((chat) => (
          <li key={chat.id}>
            <ChatButton desk={desk} chat={chat} onOpen={onOpen} />
          </li>
        ))}
      </ul>
      {tab === 'mine' && (
        <button type="button" class="small start" onClick={() => void start()}>
          Start a chat among agents
        </button>
      )}
    </>
  )
}

const ChatButton = ({
  desk,
  chat,
  onOpen,
}: {
  desk: Desk
  chat: DeskChat
  onOpen: (chat: string) => void
}) => {
  const title = titleOf(chat)
  const writing = desk.writing.get(chat.id)
  const customer = chat.users.some(({ type }) => type === 'customer')
  const said = writing === undefined ? desk.previews.get(chat.id)?.text : 'is writing…'
  return (
    <button
      type="button"
      aria-current={desk.open?.chat === chat.id ? 'true' : undefined}
      onClick={() => onOpen(chat.id)}
    >
      <Avatar name={title} kind={customer ? 'customer' : 'agent'} />
      <span class="summary">
        <Name>{title}</Name>
        <Time at={lastAt(desk, chat)} />
        <span class="preview" dir="auto">
          {said ?? ''}
        </span>
        {isUnread(desk, chat) && <b class="new">New</b>}
        <Place chat={chat} />
      </span>
    </button>
  )
}
