import type { Family } from '../protocol/action.ts'
import type { Clock, Reads, Writes } from '../table/capabilities.ts'
import type { ChatSnapshot, LogUpdate, RequestSnapshot } from '../table/optimistic-write.ts'

export type ThreadWrites<F extends Family, V extends ChatSnapshot = RequestSnapshot> = LogUpdate<V> &
  Reads &
  Writes<F> &
  Clock

/** Starting threads: `admitThread` counts one for its user, and throws `too_many_requests`. */
export interface ThreadStarting {
  admitThread: () => Promise<void>
}

/** What any change of an active thread writes. */
export type ThreadFamily = 'chat' | 'activeChats' | 'loads'

/** What any change of a chat's users writes: it may have no active thread. */
export type UsersFamily = ThreadFamily | 'changedChats'
