import { useEffect, useState } from 'preact/hooks'
import { Archive } from './archive.tsx'
import { useChanges } from './changes.ts'
import { chatsByTab, type Tab } from './chat-kinds.ts'
import { ChatList } from './chat-list.tsx'
import { ChatPane } from './chat-pane.tsx'
import { type Desk, openDesk } from './desk-state.ts'
import { Details } from './details.tsx'
import { FramesPanel } from './frames-panel.tsx'
import { Avatar, CutButton, Light, Name, Notices } from './parts.tsx'
import { Team } from './team.tsx'

/** An agent's desk: chats on the left, the open one beside them, what is known of it on the right. */
export const DeskPanel = ({ url, token, onLeave }: { url: string; token: string; onLeave: () => void }) => {
  const [desk] = useState(() => openDesk(url, token))
  useEffect(() => () => desk.client.close(), [desk])
  useChanges(desk.changes)
  const [tab, setTab] = useState<Tab | 'archive'>('mine')
  const [showsFrames, setShowsFrames] = useState(false)
  const [showsDetails, setShowsDetails] = useState(false)
  const label = desk.me?.name ?? 'this desk'
  const open = (chat: string, thread?: string): void => {
    setShowsDetails(false)
    void desk.openChat(chat, thread)
  }
  const pane = desk.open === undefined ? 'list' : showsDetails ? 'details' : 'chat'
  return (
    <>
      <DeskHeader
        desk={desk}
        onLeave={onLeave}
        showsFrames={showsFrames}
        onFrames={() => setShowsFrames(!showsFrames)}
      />
      <Notices session={desk} />
      <div class={`desk shows-${pane}`}>
        <nav class="chats" aria-label={`Chats of ${label}`}>
          <Tabs desk={desk} tab={tab} onTab={setTab} />
          {tab === 'archive' ? (
            <Archive desk={desk} onOpen={open} />
          ) : (
            <ChatList desk={desk} tab={tab} onOpen={open} />
          )}
        </nav>
        <ChatPane desk={desk} showsDetails={showsDetails} onDetails={() => setShowsDetails(!showsDetails)} />
        <Details desk={desk} onClose={() => setShowsDetails(false)} />
      </div>
      {showsFrames && <FramesPanel wire={desk.wire} label={label} />}
    </>
  )
}

const Tabs = ({
  desk,
  tab,
  onTab,
}: {
  desk: Desk
  tab: Tab | 'archive'
  onTab: (tab: Tab | 'archive') => void
}) => {
  const counts = chatsByTab(desk)
  const tabs = [
    ['mine', 'Mine', counts.mine.length],
    ['others', 'Others', counts.others.length],
    ['waiting', 'Waiting', counts.waiting.length],
    ['archive', 'Archive', undefined],
  ] as const
  return (
    <div class="tabs">
      {tabs.map(([name, label, count]) => (
        <button type="button" key={name} aria-pressed={tab === name} onClick={() => onTab(name)}>
          {label}
          {count !== undefined && count > 0 && <b class={name}>{count}</b>}
        </button>
      ))}
    </div>
  )
}

interface HeaderProps {
  desk: Desk
  onLeave: () => void
  showsFrames: boolean
  onFrames: () => void
}

const DeskHeader = ({ desk, onLeave, showsFrames, onFrames }: HeaderProps) => {
  const [showsTeam, setShowsTeam] = useState(false)
  const { me } = desk
  return (
    <header class="panel-head">
      <Avatar name={me?.name ?? '?'} kind="agent" />
      <h2>
        <Name isBot={me?.is_bot}>{me?.name ?? 'Logging in…'}</Name>
        <small>{me?.permission}</small>
      </h2>
      <Light session={desk} />
      {me !== undefined && <Status desk={desk} />}
      <span class="actions">
        <button type="button" class="small" onClick={() => setShowsTeam(true)}>
          Team
        </button>
        <button type="button" class="small" aria-pressed={showsFrames} onClick={onFrames}>
          Frames
        </button>
        <CutButton session={desk} />
        <button type="button" class="small" onClick={() => void logOut(desk, onLeave)}>
          Log out
        </button>
      </span>
      {showsTeam && <Team desk={desk} onClose={() => setShowsTeam(false)} />}
    </header>
  )
}

/** The button that ends the session, where the line is there to end it by. */
const logOut = async (desk: Desk, onLeave: () => void): Promise<void> => {
  if (desk.state === 'online')
    await desk.run('The session was not ended', () => desk.client.request('logout', {}))
  onLeave()
}

const Status = ({ desk }: { desk: Desk }) => (
  <select
    aria-label="Status"
    value={desk.me?.routing_status}
    onChange={({ currentTarget: { value } }) =>
      void desk.run('The status was not changed', () =>
        desk.client.request('update_agent', {
          routing_status: value === 'accepting_chats' ? 'accepting_chats' : 'not_accepting_chats',
        }),
      )
    }
  >
    <option value="accepting_chats">Accepting chats</option>
    <option value="not_accepting_chats">Not accepting</option>
  </select>
)
