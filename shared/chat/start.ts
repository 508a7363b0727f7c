import { randomBytes } from 'node:crypto'
import { ProtocolError } from '../protocol/errors.ts'
import type { NewInitialEvent } from '../protocol/events.ts'
import type { Properties } from '../protocol/properties.ts'
import { agentActive } from '../table/accounts.ts'
import { type Chat, chatActive, chatListed, chatPropertiesStarted, chatStarted } from '../table/chats.ts'
import { type Entry, entryPut, type Head, headPut, newHead, nextEntries, storedEvent } from '../table/log.ts'
import type { Op, Reader, Writer } from '../table/ops.ts'
import type { Session } from '../table/sockets.ts'
import { scopeChecks } from './scopes.ts'

interface NewChat {
  events: readonly NewInitialEvent[]
  scopes: { groups?: number[] | undefined; agents?: string[] | undefined }
  properties: Properties | undefined
  threadProperties: Properties | undefined
}

interface Starting {
  me: Session
  read: Reader
  write: Writer
  nonce: string
  now(): number
  pause(tries: number): Promise<void>
}

/** Starts an agent's chat: everything of it in one transaction, which also holds that its scopes name what exists. */
export const startChat = async (
  ctx: Starting,
  { events, scopes, properties, threadProperties }: NewChat,
): Promise<{ chat: Chat; head: Head; events: Entry[] }> => {
  const { me, nonce } = ctx
  const at = ctx.now()
  const chat: Chat = {
    id: newChatId(),
    license_id: me.license_id,
    users: [{ id: me.agent_id, type: 'agent', present: true, met: true }],
    scopes: { groups: scopes.groups ?? [], agents: scopes.agents ?? [] },
    version: 1,
    thread: 1,
    active: true,
    changed_at: at,
    started_at: at,
    nonce,
  }
  const head = newHead({ n: 1, nonce, version: 1, at, userIds: [me.agent_id], properties: threadProperties })
  const stored = events.map((event) => storedEvent(event, me.agent_id, event.recipients ?? 'all'))
  const entries = nextEntries({ n: 1, m: 0, last: head }, stored, { nonce, version: 1, at })
  const checks = await scopeChecks(ctx.read, me.license_id, chat.scopes)
  // one who is suspended at this moment would be missed where active chats are left; no item may be in here twice
  const checkedAnyway = checks.length > 0 && chat.scopes.agents.includes(me.agent_id)
  const ops: Op[] = [
    ...checks,
    ...(checkedAnyway ? [] : [agentActive(me.license_id, me.agent_id)]),
    chatStarted(chat),
    headPut(chat.id, head),
    ...entries.map((entry) => entryPut(chat.id, entry)),
    chatActive(chat, at),
    chatListed(chat),
    ...(properties === undefined ? [] : [chatPropertiesStarted(chat.id, properties)]),
  ]
  for (let tries = 1; ; tries += 1) {
    const refusals = await ctx.write.transact(ops)
    if (refusals.some(({ found }) => found?.['nonce'] === nonce) || refusals.length === 0)
      return { chat, head, events: entries }
    if (refusals.some(({ index, reason }) => reason === 'condition' && index < checks.length))
      throw new ProtocolError('not_found')
    if (
      refusals.some(
        ({ index, reason }) => reason === 'condition' && index === checks.length && !checkedAnyway,
      )
    )
      throw new ProtocolError('auth')
    await ctx.pause(tries)
  }
}

/** Random, of the characters that ids of threads and events are built with. */
const newChatId = (): string =>
  BigInt(`0x${randomBytes(13).toString('hex')}`)
    .toString(36)
    .padStart(21, '0')
