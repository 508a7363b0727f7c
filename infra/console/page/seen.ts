import { useEffect } from 'preact/hooks'
import type { Event } from '../../../shared/protocol/events.ts'

interface Shown {
  threads: readonly { events: readonly Event[] }[]
}

/** The newest of what others have said in a chat; undefined where one has answered. */
export const newestOfOthers = ({ threads }: Shown, me: string): string | undefined => {
  const newest = threads.at(-1)?.events.findLast(({ author_id }) => author_id !== undefined)
  return newest?.author_id === me ? undefined : newest?.id
}

/** Marks an event as seen once somebody looks at the page. */
export const useMarking = (event: string | undefined, mark: (event: string) => void): void => {
  useEffect(() => {
    if (event === undefined) return
    const look = (): void => {
      if (document.visibilityState !== 'visible') return
      document.removeEventListener('visibilitychange', look)
      mark(event)
    }
    document.addEventListener('visibilitychange', look)
    look()
    return () => document.removeEventListener('visibilitychange', look)
  }, [event])
}
