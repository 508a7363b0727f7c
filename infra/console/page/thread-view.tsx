import { useLayoutEffect, useRef } from 'preact/hooks'
import { EventView, type Person } from './event-view.tsx'
import type { ShownThread } from './history.ts'
import { Name } from './parts.tsx'
import { dayAndTime } from './texts.tsx'

export interface ThreadProps {
  threads: readonly ShownThread[]
  users: readonly Person[]
  me: string
  nameOf: (id: string | undefined) => string
  hasOlder: boolean
  onOlder: () => void
  /** Messages on their way. */
  pending: readonly { customId: string; text: string }[]
  writing: { author: string; text: string } | undefined
}

const isBot = (users: readonly Person[], author: string | undefined): boolean =>
  users.some(({ id, is_bot }) => id === author && is_bot === true)

/** The events of a chat, the newest at the bottom; scrolled to its top it reads what was before. */
export const ThreadView = (props: ThreadProps) => {
  const { threads, hasOlder, onOlder, pending } = props
  const list = useRef<HTMLDivElement>(null)
  useStayingInPlace(list, threads)
  const known = new Set(threads.flatMap(({ events }) => events.map(({ custom_id }) => custom_id)))
  const onItsWay = pending.filter(({ customId }) => !known.has(customId))
  return (
    <div
      class="thread"
      ref={list}
      tabIndex={0}
      role="log"
      aria-label="Messages"
      onScroll={({ currentTarget }) => currentTarget.scrollTop < 80 && hasOlder && onOlder()}
    >
      {hasOlder && (
        <button type="button" class="small older" onClick={onOlder}>
          Show older messages
        </button>
      )}
      {threads.map((thread) => (
        <OneThread key={thread.id} thread={thread} {...props} />
      ))}
      {onItsWay.length > 0 && (
        <ol>
          {onItsWay.map(({ customId, text }) => (
            <li key={customId} class="said own pending">
              <span class="by">Sending…</span>
              <p class="bubble" dir="auto">
                {text}
              </p>
            </li>
          ))}
        </ol>
      )}
      <Writing {...props} />
    </div>
  )
}

const OneThread = ({ thread, users, me, nameOf }: ThreadProps & { thread: ShownThread }) => (
  <section aria-label={`Conversation of ${dayAndTime(thread.timestamp)}`}>
    <h3 class="divider">
      <span>{dayAndTime(thread.timestamp)}</span>
    </h3>
    <ol>
      {thread.events.map((event) => (
        <EventView
          key={event.id}
          event={event}
          me={me}
          author={nameOf(event.author_id)}
          isBot={isBot(users, event.author_id)}
        />
      ))}
    </ol>
    <SeenBy thread={thread} users={users} me={me} />
    {!thread.active && <p class="closed">This conversation is closed</p>}
  </section>
)

/** The users who have seen the reader's last message, until one of them answers. */
const SeenBy = ({ thread, users, me }: { thread: ShownThread; users: readonly Person[]; me: string }) => {
  const last = thread.events.findLast(({ author_id }) => author_id !== undefined)
  if (last?.author_id !== me || !thread.active) return null
  const seen = users.filter(({ id, last_seen_timestamp: at = 0 }) => id !== me && at >= last.timestamp)
  if (seen.length === 0) return null
  return (
    <p class="seen">
      Seen by{' '}
      {seen.map(({ id, name, is_bot }, index) => (
        <span key={id}>
          {index > 0 && ', '}
          <Name isBot={is_bot}>{name}</Name>
        </span>
      ))}
    </p>
  )
}

const Writing = ({ writing, nameOf, users }: ThreadProps) => (
  <div class="writing" aria-live="off">
    {writing !== undefined && (
      <>
        <span class="dots">
          <Name isBot={isBot(users, writing.author)}>{nameOf(writing.author)}</Name> is writing…
        </span>
        {writing.text !== '' && (
          <p class="bubble peek" dir="auto">
            {writing.text}
          </p>
        )}
      </>
    )}
  </div>
)

/** A log stays at its bottom where it was there, and where it was when older messages come above. */
const useStayingInPlace = (
  list: { current: HTMLDivElement | null },
  threads: readonly ShownThread[],
): void => {
  const before = useRef({ first: '', height: 0, isAtBottom: true })
  const first = threads[0]?.events[0]?.id ?? ''
  useLayoutEffect(() => {
    const element = list.current
    if (element === null) return
    const { first: was, height, isAtBottom } = before.current
    if (isAtBottom) element.scrollTop = element.scrollHeight
    else if (was !== first) element.scrollTop += element.scrollHeight - height
    before.current = { ...before.current, first, height: element.scrollHeight }
  })
  useLayoutEffect(() => {
    const element = list.current
    if (element === null) return
    const note = () => {
      const isAtBottom = element.scrollHeight - element.scrollTop - element.clientHeight < 60
      before.current = { ...before.current, isAtBottom }
    }
    element.addEventListener('scroll', note, { passive: true })
    return () => element.removeEventListener('scroll', note)
  }, [])
}
