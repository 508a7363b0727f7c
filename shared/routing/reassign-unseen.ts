import pLimit from 'p-limit'
import { handOver } from '../chat/choose-agent.ts'
import { readRoutingState, type RoutingState } from '../chat/routing-state.ts'
import { runPart, type WorkCtx } from '../delivery/worker-context.ts'
import { AgentItem, type LicenseItem } from '../table/accounts.ts'
import { type ChatUser, customerOf, presentAgents } from '../table/chat/chat-users.ts'

import { readMarks } from '../table/chat/read-chats.ts'
import { seenEvent, type SeenItem } from '../table/chat/seen-marks.ts'
import { authorsOf, type Entry, isSaid, lastSaidInPublic, readEntry } from '../table/chat/thread-log.ts'
import { keys } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'
import type { ChatSnapshot } from '../table/optimistic-write.ts'
import { reassignChat, type RoutingFamily } from './route-chats.ts'

// A chat whose agents do not look at what its customer says is handed on (protocol §7).

/**
 * What the agents of a chat have left unseen: the order of the oldest such thing, and since when (ms) they
 * have.
 */
export interface Unseen {
  order: number
  since: number
}

const isAgentIn = ({ type, present }: ChatUser): boolean => type === 'agent' && present

/** The order of the oldest thing that the customer said and nobody has answered; 0: there is none. */
const oldestUnanswered = ({ tail }: ChatSnapshot, customer: string, agents: readonly string[]): number => {
  if (tail.last.asked !== undefined) return tail.last.asked
  // the thread goes on from an earlier release: by what its end shows
  const said = tail.entries.filter(({ event }) => isSaid(event) && event.recipients !== 'agents')
  const answer = said.findIndex(({ event }) => agents.includes(event.author_id ?? ''))
  const since = answer === -1 ? said : said.slice(0, answer)
  return since.findLast(({ event }) => event.author_id === customer)?.m ?? 0
}

/** Up to when (Unix seconds) somebody has seen a chat, and up to which event. */
type Mark = Pick<SeenItem, 'timestamp' | 'event'>

/**
 * Whether who has seen the chat so far has seen an entry: the mark of an event says nothing of a later one of
 * its second.
 */
const hasSeen = ({ timestamp, event }: Mark, chat: string, entry: Entry): boolean => {
  const second = Math.floor(entry.at / 1000)
  return (
    timestamp > second || (timestamp === second && (event === undefined || event >= seenEvent(chat, entry)))
  )
}

/**
 * The least number of `from` to `to` of which something holds that then holds of all greater ones; undefined:
 * of none.
 */
const leastOf = async (
  from: number,
  to: number,
  holds: (number: number) => Promise<boolean>,
): Promise<number | undefined> => {
  let [low, high] = [from, to + 1]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (await holds(middle)) high = middle
    else low = middle + 1
  }
  return low > to ? undefined : low
}

/**
 * Who sends an event has seen the chat up to it. Of one further back than the tail only the second is known.
 */
const markBySending = ({ chat, tail }: ChatSnapshot, agent: string): Mark[] => {
  const last = tail.entries.find(({ event }) => event.author_id === agent)
  if (last !== undefined) return [{ timestamp: Math.floor(last.at / 1000), event: seenEvent(chat.id, last) }]
  const timestamp = authorsOf(tail.last).get(agent)
  return timestamp === undefined ? [] : [{ timestamp, event: '' }]
}

/**
 * What the agents of a chat who are logged in have seen: that of one who is gone does not help the customer.
 */
const readLivingMarks = async (read: Reader, view: ChatSnapshot): Promise<Mark[]> => {
  const { chat } = view
  const agents = chat.users.filter(isAgentIn)
  const [marks, items] = await Promise.all([
    readMarks(read, chat.id, agents),
    read.batchGet(
      agents.map(({ id }) => keys.agent(chat.license_id, id)),
      { strong: true },
    ),
  ])
  const online = items.map((item) => AgentItem.parse(item)).filter((agent) => agent.online)
  return online.flatMap(({ id }) => [...marks.filter(({ user }) => user === id), ...markBySending(view, id)])
}

/**
 * What the agents of an active chat leave unseen; undefined: nothing, or it waits for an agent. Whoever came
 * to have the chat after it was said has had no longer than that. Reads entries of the log one by one, twice
 * as many at most as its length has binary digits, and none where its end says it all.
 */
export const findUnseen = async (read: Reader, view: ChatSnapshot): Promise<Unseen | undefined> => {
  const { chat, tail } = view
  const [customer, agents] = [customerOf(chat)?.id, presentAgents(chat)]
  if (customer === undefined || agents.length === 0 || chat.waiting_since !== undefined) return undefined
  const oldest = oldestUnanswered(view, customer, agents)
  if (oldest === 0) return undefined
  const entryAt = async (m: number): Promise<Entry | undefined> =>
    tail.entries.find((one) => one.m === m) ?? (await readEntry(read, chat.id, { n: tail.n, m }))

  const marks = await readLivingMarks(read, view)
  const newest = lastSaidInPublic(tail.last)
  const unseen = await leastOf(oldest, newest, async (m) => {
    const entry = await entryAt(m)
    return entry !== undefined && !marks.some((mark) => hasSeen(mark, chat.id, entry))
  })
  if (unseen === undefined) return undefined
  // the first of these that is said: nobody but the customer has said anything in public since the oldest
  const order = await leastOf(unseen, newest, async (m) => {
    const entry = await entryAt(m)
    return entry !== undefined && lastSaidInPublic(entry) >= unseen
  })
  const entry = order === undefined ? undefined : await entryAt(order)
  if (entry === undefined) return undefined
  const since = chat.users.filter(isAgentIn).map((user) => user.since ?? chat.changed_at)
  return { order: entry.m, since: Math.max(entry.at, Math.min(...since)) }
}

/**
 * Hands on chats of a license, one after the other, each by what the last has made of the agents' loads.
 * Resolves to whether it did.
 */
export const reassignUnseen = (
  ctx: WorkCtx<RoutingFamily>,
  { id, unseen_minutes }: Pick<LicenseItem, 'id' | 'unseen_minutes'>,
): ((view: ChatSnapshot, unseen: Unseen) => Promise<boolean>) => {
  const oneByOne = pLimit(1)
  let known: RoutingState | undefined
  const handOn = async (view: ChatSnapshot, { order, since }: Unseen): Promise<boolean> => {
    const first = (known ??= await readRoutingState(ctx.read, id, { strong: true }))
    if (first === undefined) return false
    known = undefined
    const had = presentAgents(view.chat).join()
    return runPart(ctx, (own) =>
      reassignChat(own, view.chat.id, first, ({ chat, tail }, desk) => {
        const { asked = order } = tail.last
        const isStill = chat.active && chat.waiting_since === undefined && tail.n === view.tail.n
        // answered since, or others have it by now
        if (!isStill || asked === 0 || asked > order || presentAgents(chat).join() !== had) return undefined
        if (customerOf(chat) === undefined) return undefined
        return handOver(chat, desk, own.now(), { sinceMs: since, minutes: unseen_minutes })
      }),
    )
  }
  return (view, unseen) => oneByOne(() => handOn(view, unseen))
}
