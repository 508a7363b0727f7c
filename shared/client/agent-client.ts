import type { Event } from '../protocol/events.ts'
import type { User } from '../protocol/objects.ts'
import { ChatError } from './chat-error.ts'
import type { Chats } from './chats.ts'
import type { AgentEndpoint } from './contracts.ts'
import { type Behaviour, type Client, type CommonOptions, createClient } from './facade.ts'
import type { ChatReader } from './chat-reader.ts'

export interface AgentOptions extends CommonOptions {
  /** The agents' endpoint, such as `wss://<api>.execute-api.<region>.amazonaws.com/v1`. */
  url: string
  /** An access token, or what gets one: asked again for each login, and before the last one ends. */
  token: string | (() => string | Promise<string>)
  application?: { name: string; version?: string }
}

export type AgentClient = Client<AgentEndpoint, User, Event>

type LoginAnswer = AgentEndpoint['actions']['login']['answer']
type Sync = AgentEndpoint['actions']['sync']['answer']

/** Connects an agent's app: it logs in, stays alive, comes back, and knows what it missed. */
export const createAgentClient = ({ url, token, application, ...options }: AgentOptions): AgentClient =>
  createClient<AgentEndpoint, User, Event>('agent', url, options, ({ core, chats, reader, ...parts }) => {
    let current = ''
    let cursor: string | undefined
    /** The last login before which something was missed that has not been found out yet. */
    let missedBefore: LoginAnswer | undefined
    let recovering: Promise<void> | undefined
    const recoverNow = async (login: LoginAnswer): Promise<void> => {
      if (cursor === undefined) return
      const synced = await syncFrom(cursor, { ask: core.ask, chats, reader })
      if (synced === undefined) {
        const ids = chats.all().map(({ id }) => id)
        showSummaries(chats, login)
        await Promise.all(ids.map((id) => reader.readHeld(id)))
      }
      cursor = synced ?? login.cursor
      if (missedBefore === login) missedBefore = undefined
      parts.recovered(synced !== undefined)
    }
    const recover = (login: LoginAnswer): void => {
      const before = recovering
      const own = (async () => {
        await before
        await recoverNow(login)
      })()
      // what failed is tried again with the next ping
      const ended = own.catch(() => {})
      recovering = ended
      void ended.then(() => {
        if (recovering === ended) recovering = undefined
      })
    }
    const behaviour: Behaviour = {
      credentials: async (isReconnect) => {
        current = typeof token === 'function' ? await token() : token
        return { token: current, reconnect: isReconnect, ...(application && { application }) }
      },
      loggedIn: (answer, kind) => {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
        const login = answer as LoginAnswer
        if (kind === 'first') {
          ;({ cursor } = login)
          showSummaries(chats, login)
        } else if (kind === 'again') {
          missedBefore = login
          showQueues(chats, login)
          recover(login)
        }
        return typeof token === 'function' ? renewalOf(current, parts.environment.now()) : undefined
      },
      ping: async () => {
        reader.retry()
        if (missedBefore !== undefined && recovering === undefined) recover(missedBefore)
        const isKnown = () => missedBefore === undefined && reader.isComplete
        const wasKnown = isKnown()
        const answer = await core.ping({ cursor: true })
        // a cursor says that everything until then is here
        if (wasKnown && isKnown() && hasCursor(answer)) ({ cursor } = answer)
      },
    }
    return behaviour
  })

interface Syncing {
  ask: (action: string, payload: object) => Promise<unknown>
  chats: Chats<User, Event>
  reader: ChatReader<User, Event>
}

/** Reads what changed since a cursor; the next cursor, or undefined where the app is to start over. */
const syncFrom = async (from: string, { ask, chats, reader }: Syncing): Promise<string | undefined> => {
  for (let cursor = from; ;) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
    const page = (await ask('sync', { cursor })) as Sync
    if (!page.recovered) return undefined
    for (const chat of page.chats) if ('lost' in chat) chats.remove(chat.id)
    const changed = page.chats.filter((chat) => !('lost' in chat) && (chat.active || chats.get(chat.id)))
    const bans = new Set(page.banned_customers?.map(({ customer_id }) => customer_id))
    const banned = chats.all().filter(({ users }) => users.some(({ id }) => bans.has(id)))
    const ids = new Set([...changed, ...banned].map(({ id }) => id))
    const read = await Promise.all([...ids].map((id) => reader.readHeld(id)))
    if (read.includes(false))
      throw new ChatError({ type: 'internal', message: 'A chat that changed could not be read' })
    ;({ cursor } = page)
    if (!page.has_more) return cursor
  }
}

/** Chats of a login, without their events: these are read once an app asks for them. */
const showSummaries = (chats: Chats<User, Event>, { chats_summary }: LoginAnswer): void => {
  for (const summary of chats_summary.toReversed())
    if ('users' in summary && chats.get(summary.id) === undefined) {
      const { last_thread_summary: last, id, users, properties, scopes } = summary
      const { last_event_per_type: newest, order: _, events_count: __, ...thread } = last
      const last_order = Math.max(0, ...newest.map((event) => event.order))
      chats.show({
        id,
        users,
        properties,
        scopes,
        threads: [{ ...thread, events: [], last_order, has_more: true }],
      })
    }
}

/**
 * The places of waiting chats that are held: what moved them is no change of a chat, and no sync names it.
 */
const showQueues = (chats: Chats<User, Event>, { chats_summary }: LoginAnswer): void => {
  for (const { id, last_thread_summary: last } of chats_summary)
    if ('user_ids' in last)
      chats.update(id, ({ threads }) => ({
        threads: threads.map((one) => (one.id === last.id ? { ...one, queue: last.queue } : one)),
      }))
}

// before it ends: a login takes its time, and a clock may be wrong
const renewBeforeMs = 60_000

/** When a token is to be replaced (ms): a JWT says when it ends. */
const renewalOf = (token: string, nowMs: number): number | undefined => {
  try {
    const [, claims = ''] = token.split('.')
    const parsed: unknown = JSON.parse(atob(claims.replaceAll('-', '+').replaceAll('_', '/')))
    if (typeof parsed !== 'object' || parsed === null || !('exp' in parsed)) return undefined
    const endsAt = Number(parsed.exp) * 1000
    return Math.max(endsAt - renewBeforeMs, nowMs + (endsAt - nowMs) / 2)
  } catch {
    return undefined
  }
}

const hasCursor = (answer: unknown): answer is { cursor: string } =>
  typeof answer === 'object' && answer !== null && 'cursor' in answer && typeof answer.cursor === 'string'
