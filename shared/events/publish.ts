import pLimit from 'p-limit'
import { runWork, type WorkCtx } from '../delivery/worker-context.ts'
import { log } from '../platform/log.ts'
import { count } from '../platform/metrics.ts'
import { LicenseItem } from '../table/accounts.ts'
import { type Chat, ChatItem } from '../table/chat/chats.ts'
import { keys } from '../table/keys.ts'
import { isTransient } from '../table/transient-errors.ts'
import { type Author, authorOf, readBots } from './author.ts'
import { type BusEntry, entryOf } from './bus-entry.ts'
import { type BusPush, openBusOutbox } from './bus-outbox.ts'
import { putEvents } from './put-events.ts'
import { type Concern, concernOf, type StreamChange } from './stream-change.ts'
import { tellChat, tellPart, tellSeen, type Telling } from './tell-chat.ts'
import { tellCustomer, tellQueueChange } from './tell-license.ts'

// Requests tell of what they have written, and may die before they have. The bus is told by the table's
// stream instead: of each record what the pushes say of that change.

/**
 * A change by its place among the records; the license that it is of, and its chat where that stands apart.
 */
interface Found {
  index: number
  change: StreamChange
  concern: Concern
  license: string
  chat: Chat | undefined
}

/** The first record whose events are not on the bus, for a reason of the moment. */
export interface Unpublished {
  index: number
  error: unknown
}

const changesAtOnce = 8
/** Accounts and presence wait for the events of the records before them. */
const mostMs = 10_000
/** No call of the bus begins after so long: there is time left to say which records it has. */
const puttingMs = 6000

/**
 * Puts the events of changes on the bus, at least once. Resolves to the first change whose events are not on
 * it: from there on they must come again.
 */
export const publishEvents = async (changes: readonly StreamChange[]): Promise<Unpublished | undefined> => {
  const first = changes.findIndex((change) => concernOf(change) !== undefined)
  if (first === -1) return undefined
  let left: Unpublished | undefined
  try {
    await runWork(
      async (ctx) => {
        left = await publishAll(ctx, changes)
      },
      { deadlineMs: mostMs },
    )
  } catch (error) {
    return { index: first, error }
  }
  return left
}

const publishAll = async (
  ctx: WorkCtx,
  changes: readonly StreamChange[],
): Promise<Unpublished | undefined> => {
  const inTime = AbortSignal.any([ctx.signal, AbortSignal.timeout(puttingMs)])
  const found = await wantedOf(ctx, changes)
  const inTurn = pLimit(changesAtOnce)
  const told = await Promise.allSettled(found.map((one) => inTurn(() => tell(ctx, one))))
  const failed = told.findIndex((one) => one.status === 'rejected' && isTransient(one.reason))
  const whole = failed === -1 ? told : told.slice(0, failed)
  const entries = await entriesOf(ctx, whole.flatMap(toldBy))
  const left = await putEvents(entries, { signal: inTime, pause: ctx.pause })
  const [refused] = left.toSorted((a, b) => a.of.index - b.of.index)
  if (refused !== undefined) return { index: refused.of.index, error: new Error(refused.why) }
  const reason = told[failed]
  return reason?.status === 'rejected'
    ? { index: found[failed]?.index ?? 0, error: reason.reason }
    : undefined
}

/** What was told; a change of which nothing can be told would hold up all others, and is left out. */
const toldBy = (one: PromiseSettledResult<Told[]>): Told[] => {
  if (one.status === 'fulfilled') return one.value
  count('records_failed')
  log.error('The events of a record were left out', { cause: one.reason })
  return []
}

/** The changes of licenses that want events: each license and each chat is read once. */
const wantedOf = async (
  { read }: Pick<WorkCtx, 'read'>,
  changes: readonly StreamChange[],
): Promise<Found[]> => {
  const concerns = changes.flatMap((change, index) => {
    const concern = concernOf(change)
    return concern === undefined ? [] : [{ index, change, concern }]
  })
  const beside = concerns.flatMap(({ concern }) =>
    'chat' in concern && concern.item !== 'chat' ? [concern.chat] : [],
  )
  const chatItems = await read.batchGet([...new Set(beside)].map(keys.chat), { strong: true })
  const chats = new Map(
    chatItems.flatMap((item) => ChatItem.safeParse(item).data ?? []).map((chat) => [chat.id, chat]),
  )
  const all = concerns.flatMap((one): Found[] => {
    const { concern, change } = one
    if ('license' in concern) return [{ ...one, license: concern.license, chat: undefined }]
    const chat = concern.item === 'chat' ? ChatItem.safeParse(change.after).data : chats.get(concern.chat)
    // one that is gone is told of by its customer's end; what does not read as a chat holds up no other
    return chat === undefined ? [] : [{ ...one, license: chat.license_id, chat }]
  })
  const licenses = [...new Set(all.map(({ license }) => license))]
  const items = await read.batchGet(licenses.map(keys.license), { strong: true })
  const wanting = new Set(
    items
      .flatMap((item) => LicenseItem.safeParse(item).data ?? [])
      .flatMap(({ id, events }) => (events === true ? [id] : [])),
  )
  return all.filter(({ license }) => wanting.has(license))
}

interface Told {
  index: number
  push: BusPush
  license: string
  author: Author | undefined
  atS: number
}

/** What a change is told by, as pushes to an agent with all rights. */
const tell = async ({ read }: Pick<WorkCtx, 'read'>, one: Found): Promise<Told[]> => {
  const { index, change, concern, license, chat } = one
  const outbox = openBusOutbox(license)
  await tellConcern({ ...outbox, read }, concern, chat, change)
  return outbox.pushed.map((push) => ({
    index,
    push,
    license,
    author: authorOf(push, chat?.users ?? []),
    atS: change.atS,
  }))
}

const tellConcern = async (
  ctx: Telling,
  concern: Concern,
  chat: Chat | undefined,
  change: StreamChange,
): Promise<void> => {
  switch (concern.item) {
    case 'chat':
      return tellChat(ctx, change)
    case 'properties':
    case 'log':
      return chat && tellPart(ctx, chat, concern, change)
    case 'seen':
      return chat && tellSeen(ctx, chat, change)
    case 'customer':
      return tellCustomer(ctx, change)
    case 'queue':
      return tellQueueChange(ctx, concern.license, change)
  }
}

const entriesOf = async (
  { read }: Pick<WorkCtx, 'read'>,
  told: readonly Told[],
): Promise<{ index: number; entry: BusEntry }[]> => {
  const agents = told.flatMap(({ license, author }) =>
    typeof author === 'object' ? [{ license, agent: author.agent }] : [],
  )
  const isBot = await readBots(read, agents)
  return told.flatMap(({ index, push, license, author, atS }) => {
    const named = typeof author === 'object' ? (isBot(license, author.agent) ? 'bot' : 'agent') : author
    const entry = entryOf(push, { license, author: named, atS })
    if (entry !== undefined) return [{ index, entry }]
    count('records_failed')
    log.error('An event was left out that is too large for the bus', { event: push.name, license })
    return []
  })
}
