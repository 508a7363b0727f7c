import type { DeskChat } from './desk-state.ts'
import { Time } from './texts.tsx'

type Queue = NonNullable<DeskChat['threads'][number]['queue']>

/**
 * The place of a chat that waits for an agent, since when it waits, and how long others have waited of late.
 */
export const Place = ({ chat }: { chat: DeskChat }) => {
  const queue = chat.threads.at(-1)?.queue
  if (queue === undefined) return null
  const { position, queued_at, wait_time } = queue
  return (
    <span class="place">
      Position {position}, since <Time at={queued_at} />
      {wait_time !== undefined && `, others waited ${durationOf(wait_time)}`}
    </span>
  )
}

/** The place of a customer's own chat, as its widget says it. */
export const OwnPlace = ({ queue: { position, wait_time } }: { queue: Queue }) => (
  <p class="place">
    You are number {position} in line
    {wait_time !== undefined && `, others waited ${durationOf(wait_time)}`}
  </p>
)

const durationOf = (seconds: number): string =>
  seconds < 60 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
