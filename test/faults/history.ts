import type { Attributes } from '../../shared/table/ops.ts'

// What a run leaves for the checker: everything that was asked and everything that came, as plain data. Times
// are `performance.now()` in ms; those in the table's items are ms since 1970.

export interface AgentRecord {
  id: string
  permission: 'owner' | 'administrator' | 'normal'
  groups: readonly number[]
  /** Its token lets it read only the chats that it is in. */
  onlyOwn?: true
}

export interface LicenseRecord {
  id: string
  /** Part of every text, name and id that this license's people make up. */
  marker: string
  agents: readonly AgentRecord[]
  /** The ids of its groups. */
  groups: readonly number[]
  /** Whether what happens in its chats goes out to the bus. */
  events: boolean
}

/** A connection as its client saw it, or all that an app asks over HTTP. */
export interface SocketRecord {
  license: string
  as: 'agent' | 'customer'
  /** There is no connection: each request has a token, and an answer of its own. */
  overHttp?: true
  /** Who logs in on it. */
  user?: string | undefined
  /** What is said in chats it wants only of those that its agent is in or follows. */
  chats?: 'my'
  /** The pushes that it wants; absent: all. */
  pushes?: readonly string[]
  /** That this was answered with success. */
  isLoggedIn?: boolean
  openedAt: number
  closedAt?: number | undefined
  /** The HTTP status that its handshake was refused with. */
  refusedWith?: number
}

export interface RequestRecord {
  /** Which of the sockets. */
  socket: number
  id: string
  action: string
  payload: any
  sentAt: number
}

export interface FrameRecord {
  socket: number
  at: number
  text: string
}

/** A state of a chat that was written, or may have been; `sentAt` to `endedAt`: when it came into force. */
export interface ChatState {
  id: string
  license_id: string
  version: number
  users: readonly { id: string; type: string; present: boolean; met?: boolean | undefined }[]
  scopes: { groups: readonly number[]; agents: readonly string[] }
  thread?: number | undefined
  active?: boolean | undefined
  /** Who follows it, each since a thread. */
  followers?: readonly { id: string; thread: number }[]
  sentAt: number
  endedAt: number
  /** The engine said that it was written. */
  certain: boolean
}

/** A customer's details as they were written, or may have been; `sentAt` to `endedAt`: when. */
export interface CustomerState {
  id: string
  license_id: string
  version: number
  name?: string | undefined
  email?: string | undefined
  properties: Readonly<Record<string, string>>
  sentAt: number
  endedAt: number
  /** The engine said that it was written. */
  certain: boolean
}

/** A client that was cut off again and again, with its store as it is once all is quiet. */
export interface FollowerRecord {
  license: string
  as: 'agent' | 'customer'
  user: string
  /** When it was opened. */
  since: number
  /** How often it was told that what it missed is not known. */
  startedOver: number
  chats: readonly KeptChat[]
}

/** What is compared of a chat in a client's store. */
export interface KeptChat {
  id: string
  users: readonly { id: string; type?: string; present: boolean }[]
  scopes?: { groups?: readonly number[]; agents?: readonly string[] } | undefined
  threads: readonly {
    id: string
    active: boolean
    /** There are events before those that are kept. */
    has_more?: boolean | undefined
    upTo: number
    tags?: readonly string[] | undefined
    events: readonly { id: string; text?: string | undefined }[]
  }[]
}

/** A push by which the system was sounded at the end: who got it, among the living sockets. */
interface ProbeRecord {
  chat: string
  event: string
  /** Sockets that were living and logged in throughout. */
  asked: readonly number[]
}

/** A time of the load. */
export interface Span {
  from: number
  to: number
}

/** A flood beside the load, and what came of it. */
export interface FloodRecord {
  name: string
  /** So often it is answered in a minute at most. */
  most: number
  /** How many minutes of the clock it touched. */
  minutes: number
  /** How often it was answered other than by a limit. */
  answered: number
  /** How often a limit refused it. */
  refused: number
}

export interface History {
  licenses: readonly LicenseRecord[]
  sockets: readonly SocketRecord[]
  requests: readonly RequestRecord[]
  frames: readonly FrameRecord[]
  /** By version within each chat. */
  chats: readonly ChatState[]
  customers: readonly CustomerState[]
  /** Calls that a Lambda made after it had answered. */
  ranOn: readonly string[]
  /** Promises of Lambdas that failed and that nobody awaited by then. */
  unheard: readonly string[]
  /** What the event bus took. */
  events: readonly { license: string; name: string; payload: any }[]
  followers: readonly FollowerRecord[]
  probes: readonly ProbeRecord[]
  /**
   * What the table held when all was quiet again, and which sockets of each user, by `<license> <user>`, then
   * lived.
   */
  quiet: { items: readonly Attributes[]; living: Readonly<Record<string, readonly number[]>>; at: number }
  /** `agent_updated` that every socket living at the end saw last, by watching socket and agent. */
  watched: readonly { socket: number; agent: string; license: string; status: string }[]
  /** The table once every socket was gone and its time had run out; `atMs` since 1970. */
  over: { items: readonly Attributes[]; atMs: number }
  /** When strangers flooded, when they did not, and what came of each flood. */
  floods: { quiet: readonly Span[]; flooded: readonly Span[]; records: readonly FloodRecord[] }
  endedAt: number
}

/** What one check found: how many things it looked at, and what was wrong. */
export interface Finding {
  check: string
  checked: number
  violations: string[]
}

export type Check = (history: History) => Finding

/**
 * A check that looks at things one by one: `say` tells of a violation, `count` that one more was looked at.
 */
export const checking =
  (
    check: string,
    look: (history: History, on: { count(): void; say(violation: string): void }) => void,
  ): Check =>
  (history) => {
    const finding: Finding = { check, checked: 0, violations: [] }
    look(history, {
      count: () => {
        finding.checked += 1
      },
      say: (violation) => finding.violations.push(violation),
    })
    return finding
  }

/** Values by what `key` says of them. */
export const grouped = <T>(values: readonly T[], key: (value: T) => string): Map<string, T[]> => {
  const groups = new Map<string, T[]>()
  for (const value of values) {
    const group = groups.get(key(value))
    if (group === undefined) groups.set(key(value), [value])
    else group.push(value)
  }
  return groups
}

export interface ReadFrame extends FrameRecord {
  frame: any
}

const read = new WeakMap<History, readonly ReadFrame[]>()

/** All frames with what they say. */
export const framesOf = (history: History): readonly ReadFrame[] => {
  const found =
    read.get(history) ?? history.frames.map((one): ReadFrame => ({ ...one, frame: JSON.parse(one.text) }))
  read.set(history, found)
  return found
}
