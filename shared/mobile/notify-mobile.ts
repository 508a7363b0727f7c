import { unmarshall } from '@aws-sdk/util-dynamodb'
import pLimit from 'p-limit'
import { mayRead } from '../access/permissions.ts'
import { type Profiles, readProfiles } from '../chat/view/profiles.ts'
import { unnamed } from '../chat/view/wire-objects.ts'
import { runWork, type WorkCtx } from '../delivery/worker-context.ts'
import { log } from '../platform/log.ts'
import { type Chat, readChat } from '../table/chat/chats.ts'
import { type Entry, parseEntry } from '../table/chat/thread-log.ts'
import {
  type DeviceFamily,
  type DeviceItem,
  mayNotify,
  readAgentDevices,
  removeDevice,
} from '../table/devices.ts'
import { eventId } from '../table/ids.ts'
import { readAgentSockets } from '../table/socket-lists.ts'
import { isLive } from '../table/sockets.ts'
import { type MobileMessage, send, type Sending } from './fcm.ts'
import { bodyOf, notificationFor } from './notification.ts'

/** An item that has come into a chat's log, as the stream shows it. */
export interface Appended {
  chat: string
  image: Parameters<typeof unmarshall>[0]
}

/** An entry never changes, so what the stream shows is what it is; undefined of a thread's own item. */
const entryIn = (image: Appended['image']): Entry | undefined => {
  const item = unmarshall(image)
  return item['event'] === undefined ? undefined : parseEntry(item)
}

// what would come so late says nothing new: records can wait for an hour
const freshMs = 10 * 60_000

// the stream brings changes of accounts too, and they wait for the notifications of the records before them
const normalBudget = { ms: 8000, tries: 4 }
/** After FCM has failed, until it works again, but no longer than `impatientMs`. */
const degradedBudget = { ms: 2000, tries: 1 }
const impatientMs = 60_000
let impatientUntil = 0

const eventsAtOnce = 8
const sendsAtOnce = 32

/**
 * Notifies the mobile devices of those in the chats of these events. An event and a device meet once at the
 * most, also where this runs twice. Never throws, and takes 8 s at the most, 2 s while FCM does not work.
 */
export const notifyMobile = async (appended: readonly Appended[]): Promise<void> => {
  if (appended.length === 0) return
  const { ms, tries } = Date.now() < impatientUntil ? degradedBudget : normalBudget
  const untilMs = performance.now() + ms
  const [inTurn, sending] = [pLimit(eventsAtOnce), pLimit(sendsAtOnce)]
  const notifyAll = async (ctx: WorkCtx<DeviceFamily>): Promise<void> => {
    const limits = { signal: ctx.signal, untilMs, tries }
    const one = async (event: Appended): Promise<void> => {
      const messages = await messagesFor(ctx, event)
      await each(ctx, messages, (message) => sending(() => sendOnce(ctx, message, limits)))
    }
    await each(ctx, appended, (event) => inTurn(() => one(event)))
  }
  try {
    await runWork<'notify'>(notifyAll, { deadlineMs: ms })
  } catch (error) {
    impatientUntil = Date.now() + impatientMs
    log.warn('The time for mobile notifications ran out', { cause: error })
  }
}

/** Does something with each, side by side; one that fails keeps no other from it. */
const each = async <T>(
  { signal }: WorkCtx,
  things: readonly T[],
  act: (thing: T) => Promise<void>,
): Promise<void> => {
  for (const result of await Promise.allSettled(things.map(act)))
    if (result.status === 'rejected' && !signal.aborted)
      log.error('A mobile notification failed', { cause: result.reason })
}

interface Addressed {
  device: DeviceItem
  event: string
  message: MobileMessage
}

/**
 * An event's messages: to the enabled devices of those in the chat now, but the author, that no live socket
 * speaks for.
 */
const messagesFor = async (ctx: WorkCtx, { chat: id, image }: Appended): Promise<Addressed[]> => {
  const entry = entryIn(image)
  const body = entry && bodyOf(entry.event)
  if (entry === undefined || body === undefined || ctx.now() - entry.at > freshMs) return []
  const chat = await readChat(ctx.read, id)
  if (chat === undefined) return []
  const author = entry.event.author_id
  const others = chat.users.filter((user) => user.present && user.type !== 'customer' && user.id !== author)
  if (others.length === 0) return []

  const ids = others.map((user) => user.id)
  const named = chat.users.filter((user) => ids.includes(user.id) || user.id === author)
  const [profiles, ...devices] = await Promise.all([
    readProfiles(ctx.read, chat.license_id, named, { strong: true }),
    ...ids.map((agent) => readAgentDevices(ctx.read, chat.license_id, agent)),
  ])
  const wanted = devices.flat().filter((device) => device.enabled && mayHear(device, profiles, chat))
  if (wanted.length === 0) return []

  const sockets = await readAgentSockets(ctx.read, chat.license_id)
  const live = new Set(sockets.filter((row) => isLive(row, ctx.now())).map(({ device }) => device))
  const title = author === undefined ? undefined : titleOf(author, chat, profiles)
  const about = { chat: id, entry, title, body, nowMs: ctx.now() }
  return wanted
    .filter(({ hash }) => !live.has(hash))
    .map((device) => ({
      device,
      event: eventId(id, entry.n, entry.m),
      message: notificationFor(device, about),
    }))
}

const titleOf = (author: string, { users }: Chat, { agents, customers }: Profiles): string | undefined =>
  users.some(({ id, type }) => id === author && type === 'customer')
    ? (customers.get(author)?.name ?? unnamed)
    : agents.get(author)?.name

/** Whether the account is in force, and the token that spoke for the device may read the chat. */
const mayHear = ({ agent_id, token_scopes }: DeviceItem, profiles: Profiles, chat: Chat): boolean => {
  const agent = profiles.agents.get(agent_id)
  if (agent === undefined || agent.suspended || agent.deleted) return false
  return mayRead({ agent_id, permission: agent.permission, groups: agent.groups, token_scopes }, chat)
}

const sendOnce = async (
  ctx: WorkCtx<DeviceFamily>,
  { device, event, message }: Addressed,
  limits: Sending,
): Promise<void> => {
  // marked before it is sent: one that dies in between sends nothing, and nobody after it does
  if (!(await mayNotify(ctx, device.hash, event))) return
  const outcome = await send(message, limits)
  if (outcome === 'dead_token') await removeDevice(ctx, device)
  else if (outcome === 'sent') impatientUntil = 0
  else if (outcome === 'failed') impatientUntil = Date.now() + impatientMs
}
