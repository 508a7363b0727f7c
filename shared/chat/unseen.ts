import pLimit from 'p-limit'
import { part, type WorkCtx } from '../runtime/work.ts'
import type { LicenseItem } from '../table/accounts.ts'
import { readMarks, seenEvent, type SeenItem } from '../table/chats.ts'
import { type Entry, isSaid } from '../table/log.ts'
import type { Reader } from '../table/ops.ts'
import type { ChatView } from './place.ts'
import { changeBy, restaff, type RoutingFamily } from './route.ts'
import { assignedTo, customerOf, type Desk, nextAgent, presentAgents, readDesk } from './routing.ts'

// A chat whose agents do not look at what its customer says goes to another agent.

/** The newest thing its customer said, where none of the agents has said anything since. Of a chat that waits none. */
const unanswered = ({ chat, tail }: ChatView): Entry | undefined => {
  const [customer, agents] = [customerOf(chat)?.id, presentAgents(chat)]
  if (customer === undefined || agents.length === 0 || chat.waiting_since !== undefined) return undefined
  const newestFirst = tail.entries
  const index = newestFirst.findIndex(({ event }) => event.author_id === customer && isSaid(event))
  const answered = newestFirst
    .slice(0, Math.max(index, 0))
    .some(({ event }) => event.author_id !== undefined && agents.includes(event.author_id))
  return answered ? undefined : newestFirst[index]
}

/** Whoever came to be the chat's agents after it was said has had no longer than that. */
const waitsSince = ({ chat }: ChatView, entry: Entry): number => Math.max(entry.at, chat.changed_at)

/**
 * Whether who has seen the chat so far has seen an entry: the mark of an event says nothing of a later one of
 * its second.
 */
const hasSeen = ({ timestamp, event }: SeenItem, chat: string, entry: Entry): boolean => {
  const second = Math.floor(entry.at / 1000)
  return (
    timestamp > second || (timestamp === second && (event === undefined || event >= seenEvent(chat, entry)))
  )
}

/** Since when (ms) the agents of a chat have left unseen what its customer said last; undefined: they have not. */
export const unseenSince = async (read: Reader, view: ChatView): Promise<number | undefined> => {
  const entry = unanswered(view)
  if (entry === undefined) return undefined
  const { id, users } = view.chat
  const agents = users.filter(({ type, present }) => type === 'agent' && present)
  const marks = await readMarks(read, id, agents)
  return marks.some((mark) => hasSeen(mark, id, entry)) ? undefined : waitsSince(view, entry)
}

/**
 * Gives unseen chats of a licence to other agents, one after the other, each by what the last has made of the agents' loads.
 * Resolves to whether it did: where nobody is free, a chat stays with the agents it has.
 */
export const handingOn = (
  ctx: WorkCtx<RoutingFamily>,
  { id, unseen_minutes }: Pick<LicenseItem, 'id' | 'unseen_minutes'>,
): ((view: ChatView) => Promise<boolean>) => {
  const oneByOne = pLimit(1)
  let known: Desk | undefined
  const handOn = async (view: ChatView): Promise<boolean> => {
    const first = (known ??= await readDesk(ctx.read, id, { strong: true }))
    if (first === undefined || nextAgent(view.chat, first) === undefined) return false
    known = undefined
    return part(ctx, (own) =>
      restaff(own, view.chat.id, first, (now, desk) => {
        const entry = now.chat.active ? unanswered(now) : undefined
        if (entry === undefined || own.now() < waitsSince(now, entry) + unseen_minutes * 60_000)
          return undefined
        const agent = nextAgent(now.chat, desk)
        return agent && changeBy(assignedTo(agent, now.chat, desk, own.now()))
      }),
    )
  }
  return (view) => oneByOne(() => handOn(view))
}
