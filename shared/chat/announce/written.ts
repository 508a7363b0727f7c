import { followersOf } from '../../access/audience-lists.ts'
import { agentsConnections, everyAgent, gaining, watching } from '../../access/audience.ts'
import type { WorkCtx } from '../../delivery/worker-context.ts'
import { mapIsolated } from '../../platform/for-each.ts'
import { InternalError } from '../../protocol/errors.ts'
import { enqueueLogout } from '../../jobs/enqueue-logout.ts'
import type { ChatWithThread } from '../../protocol/objects.ts'
import { AgentItem } from '../../table/accounts.ts'
import type { Chat } from '../../table/chat/chats.ts'
import { readMarks } from '../../table/chat/read-chats.ts'
import { readProperties } from '../../table/chat/stored-properties.ts'
import { readEntriesFrom } from '../../table/chat/thread-log.ts'
import { isBanned, isErased, readCustomer } from '../../table/customers.ts'
import { threadId } from '../../table/ids.ts'
import { changedOf, chatPartOf, seenPartOf } from '../../table/key-parts.ts'
import { keys, type RawKey } from '../../table/keys.ts'
import type { ChatSnapshot } from '../../table/optimistic-write.ts'
import { enqueueRoutingBy } from '../enqueue-routing.ts'
import { readView, showChat } from '../view/chat-view.ts'
import { pushChatChange } from './chat-changed.ts'
import { announceCustomerUpdated } from './customer-updated.ts'
import { pushEntries } from './entries.ts'
import { announceSeen } from './seen.ts'
import { announceStatus } from './status.ts'
import { announceTag } from './tags.ts'

// A request that ran out of time, or failed behind its write, cannot tell of what it has written. Its keys
// say what it has written, or may have, and what stands there by now is told. Receivers may hear of it twice:
// they know repeats by ids, orders and versions.

/** What of one chat may have been written. */
interface Written {
  chat: boolean
  properties: boolean
  /** Per thread whether its item may have been, and the first of its entries that may. */
  threads: Map<number, { head: boolean; from: number | undefined }>
  /** Whose marks may have moved. */
  seen: Set<string>
  /** Where a tag of these threads was to be changed, and nothing else: which. */
  tag: string | undefined
}

// a request adds no more; who missed more of others' sees a gap in the orders
const mostEntries = 100
const chatsAtOnce = 4

/** A request's writes: their keys, what it was, the chat as it had read it, the tag that it named. */
interface WrittenBy {
  keys: readonly RawKey[]
  action: string
  before?: Chat | undefined
  tag?: string | undefined
}

/** Tells of what stands at the keys that a request has written. */
export const announceWritten = async (
  ctx: WorkCtx,
  { keys: written, action, before, tag }: WrittenBy,
): Promise<void> => {
  const byChat = groupByChat(written, tag)
  await mapIsolated(
    [...byChat].map(([id, of]) => ({ id, of })),
    ({ id, of }) => tellChat(ctx, id, of, before?.id === id ? before : undefined),
    chatsAtOnce,
  )
  for (const key of written) await tellAccount(ctx, key, action)
  // the job comes again
  if (!(await ctx.flush())) throw new InternalError('Those who are to be told could not be read')
}

const groupByChat = (written: readonly RawKey[], tag: string | undefined): Map<string, Written> => {
  const byChat = new Map<string, Written>()
  const of = (chat: string): Written => {
    const known = byChat.get(chat)
    if (known !== undefined) return known
    const made: Written = { chat: false, properties: false, threads: new Map(), seen: new Set(), tag }
    byChat.set(chat, made)
    return made
  }
  for (const key of written) {
    const seen = seenPartOf(key)
    const part = chatPartOf(key)
    if (seen !== undefined) of(seen.chat).seen.add(seen.user)
    if (part?.item === 'chat') of(part.chat).chat = true
    if (part?.item === 'properties') of(part.chat).properties = true
    if (part?.item !== 'log') continue
    const { threads } = of(part.chat)
    const { head, from } = threads.get(part.n) ?? { head: false, from: undefined }
    const first = part.m === 0 ? from : Math.min(part.m, from ?? part.m)
    threads.set(part.n, { head: head || part.m === 0, from: first })
  }
  return byChat
}

const tellChat = async (
  ctx: WorkCtx,
  id: string,
  written: Written,
  before: Chat | undefined,
): Promise<void> => {
  const view = await readView(ctx.read, id)
  if (view === undefined) return
  const { chat, tail } = view
  const entries = (
    await Promise.all(
      [...written.threads].map(async ([n, { from }]) =>
        from === undefined ? [] : readEntriesFrom(ctx.read, id, { n, m: from }, mostEntries),
      ),
    )
  ).flat()
  // its item is written anew, too, where its properties change: of a chat that was not read before, it is
  // shown once more
  const isStarted = written.threads.get(chat.thread)?.head === true && chat.thread !== before?.thread
  const isChanged = written.chat && before !== undefined && before.version !== chat.version
  if (isStarted || isChanged) {
    const { shown, profiles, seen } = await showChat(ctx.read, { chat, events: tail.entries.toReversed() })
    const newcomers = isStarted || before === undefined ? watching(chat) : gaining(before, chat)
    ctx.push(newcomers, 'incoming_chat_thread', { chat: shown })
    if (before !== undefined) {
      pushChatChange(ctx, { before, chat, profiles, seen })
      tellFollowers(ctx, before, { chat, shown })
    }
  }
  pushEntries(ctx, chat, entries)
  const closing = entries.find(({ closed }) => closed === true)
  if (closing !== undefined)
    ctx.push(watching(chat), 'thread_closed', {
      chat_id: id,
      thread_id: threadId(id, closing.n),
      user_id: closing.closed_by,
    })
  if (written.tag === undefined) await tellProperties(ctx, chat, written)
  else await announceTag(ctx, chat, written.tag, [...written.threads.keys()])
  await tellSeen(ctx, view, [...written.seen])
}

/** Who has begun to follow the chat is shown it, who follows it no more is told so. */
const tellFollowers = (
  ctx: WorkCtx,
  before: Chat,
  { chat, shown }: { chat: Chat; shown: ChatWithThread },
): void => {
  // with each other thread those go whose time is over
  if (before.thread !== chat.thread) return
  const idsOf = (one: Chat) => followersOf(one).map(({ id }) => id)
  const [were, are] = [idsOf(before), idsOf(chat)]
  for (const id of are.filter((one) => !were.includes(one)))
    ctx.push(agentsConnections(chat.license_id, id), 'incoming_chat_thread', { chat: shown })
  for (const id of were.filter((one) => !are.includes(one)))
    ctx.push(agentsConnections(chat.license_id, id), 'chat_unfollowed', { chat_id: chat.id })
}

/** Tells all properties as they are: which of them changed, nobody knows any more. */
const tellProperties = async (ctx: WorkCtx, chat: Chat, written: Written): Promise<void> => {
  const { id } = chat
  if (written.properties) {
    const held = await readProperties(ctx.read, { chat: id })
    if (held !== undefined && held.version > 0)
      ctx.push(watching(chat), 'chat_properties_updated', {
        chat_id: id,
        properties: held.properties,
        version: held.version,
      })
  }
  for (const [n, { head }] of written.threads) {
    const held = head ? await readProperties(ctx.read, { chat: id, n }) : undefined
    if (held !== undefined && held.version > 0)
      ctx.push(watching(chat), 'chat_thread_properties_updated', {
        chat_id: id,
        thread_id: threadId(id, n),
        properties: held.properties,
        version: held.version,
      })
  }
}

const tellSeen = async (
  ctx: WorkCtx,
  { chat, tail }: ChatSnapshot,
  users: readonly string[],
): Promise<void> => {
  if (users.length === 0) return
  const marks = await readMarks(
    ctx.read,
    chat.id,
    users.map((id) => ({ id })),
  )
  for (const mark of marks) await announceSeen(ctx, chat, { mark, last: tail.last })
}

const tellAccount = async (ctx: WorkCtx, key: RawKey, action: string): Promise<void> => {
  const changed = changedOf(key)
  if (changed?.item === 'agentSocket' && action === 'logout') {
    const agent = await ctx.read.get(keys.agent(changed.license, changed.agent), { strong: true })
    if (agent !== undefined) await enqueueLogout(ctx, AgentItem.parse(agent), changed.connection)
  }
  if (changed?.item === 'agent') {
    const { license, agent: id } = changed
    const status = await announceStatus(ctx, license, id)
    if (status !== undefined) await enqueueRoutingBy(ctx, license, id, status)
  }
  if (changed?.item === 'customer') {
    const { license, customer: id } = changed
    const customer = await readCustomer(ctx.read, license, id)
    if (customer === undefined || isErased(customer)) return
    const { ban } = customer
    const isInForce = ban !== undefined && isBanned(customer, ctx.now())
    if (isInForce && action === 'ban_customer')
      ctx.push(everyAgent(license), 'customer_banned', { customer_id: id, ban: { days: ban.days } })
    if (!isInForce && action === 'unban_customer')
      ctx.push(everyAgent(license), 'customer_unbanned', { customer_id: id })
    await announceCustomerUpdated(ctx, customer, { tabs: {} })
  }
}
