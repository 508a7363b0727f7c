import type { DeskChat } from './desk-state.ts'
import { Time } from './texts.tsx'

/** The place of a chat that waits for an agent, since when it waits, and how long others have waited of late. */
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

const durationOf = (seconds: number): string =>
  seconds < 60 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
