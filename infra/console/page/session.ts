import { ChatError, type State } from '../../../shared/client/client.ts'
import { type Changes, openChanges } from './changes.ts'
import { openWire, type Wire } from './wire.ts'

/** A notice is shown until it is taken away: mostly it says that something failed, and why. */
interface Notice {
  id: number
  isError: boolean
  title: string
  details: readonly string[]
}

/** A writer in a chat: shown until its time is over, or its message is there. */
interface Writing {
  author: string
  text: string
  forget: ReturnType<typeof setTimeout>
}

/** A message on its way. */
interface Pending {
  customId: string
  chat: string
  text: string
}

/** A session is the part that desks and widgets have in common: a line, its light, notices, who writes. */
export interface Session {
  changes: Changes
  wire: Wire
  state: State
  /** The finding of the last reconnect; shown for a while. */
  recovered: 'all' | 'anew' | undefined
  ended: string | undefined
  notices: readonly Notice[]
  writing: ReadonlyMap<string, Writing>
  pending: readonly Pending[]
  tell: (notice: Omit<Notice, 'id'>) => void
  dismiss: (id: number) => void
  /** Makes a request and resolves to its answer; undefined where it failed, of which a notice tells. */
  run: <T>(what: string, request: () => Promise<T>) => Promise<{ answer: T } | undefined>
  /** The same for a message, shown as on its way until it is answered. */
  send: (pending: Pending, request: () => Promise<unknown>) => Promise<boolean>
}

const mostNotices = 4
// protocol §6
const writingMs = 10_000
const recoveredMs = 6000

/** The listeners of a session, by the names of `client.on`. */
interface Hears {
  state: (state: State) => void
  recovered: (told: { recovered: boolean }) => void
  ended: (told: { error: ChatError }) => void
  incoming_typing_indicator: (told: {
    chat_id: string
    typing_indicator: { author_id: string; is_typing: boolean }
  }) => void
  incoming_sneak_peek: (told: { chat_id: string; sneak_peek: { author_id: string; text: string } }) => void
  incoming_event: (told: { chat_id: string; event: { author_id?: string | undefined } }) => void
}

export interface OpenSession extends Session {
  hears: Hears
}

export const openSession = (): OpenSession => {
  const changes = openChanges()
  const writing = new Map<string, Writing>()
  let count = 0
  const forget = (chat: string, author: string): void => {
    const held = writing.get(chat)
    if (held?.author !== author) return
    clearTimeout(held.forget)
    writing.delete(chat)
    changes.changed()
  }
  const note = (chat: string, author: string, text: string): void => {
    clearTimeout(writing.get(chat)?.forget)
    writing.set(chat, { author, text, forget: setTimeout(() => forget(chat, author), writingMs) })
    changes.changed()
  }
  const session: OpenSession = {
    changes,
    wire: openWire(),
    state: 'connecting',
    recovered: undefined,
    ended: undefined,
    notices: [],
    writing,
    pending: [],
    tell: (notice) => {
      session.notices = [...session.notices, { ...notice, id: (count += 1) }].slice(-mostNotices)
      changes.changed()
    },
    dismiss: (id) => {
      session.notices = session.notices.filter((notice) => notice.id !== id)
      changes.changed()
    },
    run: async (what, request) => {
      try {
        return { answer: await request() }
      } catch (error) {
        session.tell(noticeOf(what, error))
        return undefined
      } finally {
        changes.changed()
      }
    },
    send: async (pending, request) => {
      session.pending = [...session.pending, pending]
      changes.changed()
      const sent = await session.run('The message was not sent', request)
      session.pending = session.pending.filter((one) => one !== pending)
      changes.changed()
      return sent !== undefined
    },
    hears: hearsOf(() => session, { note, forget }),
  }
  return session
}

interface Writers {
  note: (chat: string, author: string, text: string) => void
  forget: (chat: string, author: string) => void
}

const hearsOf = (own: () => OpenSession, { note, forget }: Writers): Hears => ({
  state: (state) => {
    own().state = state
    own().changes.changed()
  },
  recovered: ({ recovered }) => {
    own().recovered = recovered ? 'all' : 'anew'
    own().changes.changed()
    setTimeout(() => {
      own().recovered = undefined
      own().changes.changed()
    }, recoveredMs)
  },
  ended: ({ error }) => {
    own().ended = `${error.type}: ${error.message}`
    own().tell(noticeOf('The connection ended', error))
  },
  incoming_typing_indicator: ({ chat_id, typing_indicator: { author_id, is_typing } }) => {
    if (is_typing) note(chat_id, author_id, own().writing.get(chat_id)?.text ?? '')
    else forget(chat_id, author_id)
  },
  incoming_sneak_peek: ({ chat_id, sneak_peek: { author_id, text } }) => {
    if (text === '') forget(chat_id, author_id)
    else note(chat_id, author_id, text)
  },
  incoming_event: ({ chat_id, event: { author_id } }) => {
    if (author_id !== undefined) forget(chat_id, author_id)
    own().changes.changed()
  },
})

/** An error with all that the server said of it. */
const noticeOf = (what: string, error: unknown): Omit<Notice, 'id'> => {
  if (!(error instanceof ChatError)) return { isError: true, title: what, details: [String(error)] }
  const { type, code, message, details } = error
  const named = details.map((detail) => Object.values(detail).map(String).join(': '))
  return {
    isError: true,
    title: what,
    details: [`${type}${code === 0 ? '' : ` (${code})`}: ${message}`, ...named],
  }
}
