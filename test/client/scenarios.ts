import {
  type AgentClient,
  type AgentOptions,
  type ChatError,
  createAgentClient,
} from '../../shared/client/client.ts'
import { clientOf, type Network, openNetwork } from './environment.ts'

// What clients go through, in Node.js and in a browser alike: each scenario resolves to what became of it, as
// JSON.

/** The server, as a scenario has it wherever it runs. */
export interface Stage {
  agentUrl: string
  /** An access token of this agent; `expiresInS`: that ends so soon. */
  token: (agent: string, expiresInS?: number) => Promise<string>
  /** Resolves once the server has nothing under way. */
  settled: () => Promise<void>
  /** Tells the test that the scenario has come so far, and resolves once the test has done its part. */
  reach: (point: string) => Promise<void>
}

export const message = (text: string) => ({ type: 'message' as const, text })
export const texts = (events: readonly any[]): string[] =>
  events.flatMap(({ text, type }) => (type === 'message' ? [text] : []))

export const until = async (isReady: () => unknown): Promise<void> => {
  for (const late = Date.now() + 20_000; !isReady();) {
    if (Date.now() > late) throw new Error(`Waited in vain until ${String(isReady)}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

export const next = <T>(client: Pick<AgentClient, 'on'>, name: string): Promise<T> =>
  new Promise((resolve) => {
    const stop = client.on(name as 'recovered', (payload) => {
      stop()
      resolve(payload as T)
    })
  })

/** All events of a chat, as they are stored. */
export const stored = async (client: AgentClient, chat_id: string) => {
  const { chat } = await client.request('get_chat_threads', { chat_id })
  const events = []
  for (const { thread_id } of chat.threads_summary)
    for (let after_order = 0, more = true; more;) {
      const page = await client.request('get_chat_threads', {
        chat_id,
        thread_ids: [thread_id],
        after_order,
        limit: 100,
      })
      events.push(...page.chat.threads[0]!.events)
      after_order = events.at(-1)?.order ?? 0
      more = page.chat.threads[0]!.has_more === true
    }
  return events
}

/** The messages of a chat's last thread, as a client holds them. */
const heldTexts = ({ chats }: AgentClient, chat_id: string) =>
  texts(chats.get(chat_id)?.threads.at(-1)?.events ?? [])

interface App {
  client: AgentClient
  network: Network
}

const openApp = async (
  { agentUrl: url, token }: Stage,
  agent: string,
  options: Partial<AgentOptions> = {},
): Promise<App> => {
  const network = openNetwork()
  const client = createAgentClient({ url, token: () => token(agent), environment: network, ...options })
  await until(() => client.state === 'online')
  return { client, network }
}

/** The apps of ann and ben, who are in a chat. */
const openBoth = async (stage: Stage, options: Partial<AgentOptions> = {}) => {
  const [ann, ben] = [await openApp(stage, 'ann', options), await openApp(stage, 'ben')]
  const { chat } = await ann.client.request('start_chat', { initial_events: [message('hello')] })
  await ben.client.request('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
  const close = () => {
    for (const { client } of [ann, ben]) client.close()
  }
  return { ann, ben, chat_id: chat.id, close }
}

const swallowFrames = async (stage: Stage) => {
  const { ann, ben, chat_id, close } = await openBoth(stage)
  const { client, network } = ann
  const heard: string[] = []
  ben.client.on('incoming_event', ({ event }) => heard.push(...texts([event])))
  const sends = () => network.sent.filter(({ action }) => action === 'send_event').length
  const passAndComeBack = () => {
    network.setSilent(false)
    network.pass(33_000)
    network.comeBack()
  }
  network.setSilent(true)
  const unheard = client.request('send_event', { chat_id, event: message('unheard') })
  await until(() => sends() === 1)
  await ben.client.request('send_event', { chat_id, event: message('missed') })
  const recovered = next(client, 'recovered')
  passAndComeBack()
  const told = await recovered
  const first = await unheard
  // the answer alone is swallowed: the event is found, and not sent again
  const before = sends()
  network.setSilent('in')
  const twice = client.request('send_event', { chat_id, event: message('stored') })
  await until(() => sends() > before)
  await stage.settled()
  passAndComeBack()
  const second = await twice
  await until(() => heard.length === 3 && heldTexts(client, chat_id).length === 4)
  const facts = {
    recovered: told,
    answers: texts([first.event, second.event]),
    secondSends: sends() - before,
    stored: texts(await stored(client, chat_id)),
    held: heldTexts(client, chat_id),
    heard,
  }
  close()
  return facts
}

const outliveToken = async (stage: Stage) => {
  const asked: string[] = []
  const token = async () => {
    asked.push(await stage.token('ann', 600))
    return asked.at(-1)!
  }
  const { ann, ben, chat_id, close } = await openBoth(stage, { token })
  const { client, network } = ann
  let recoveries = 0
  client.on('recovered', () => (recoveries += 1))
  const profiles: string[] = []
  client.on('logged_in', ({ my_profile }) => profiles.push(my_profile.id))
  const heard: string[] = []
  client.on('incoming_event', ({ event }) => heard.push(...texts([event])))
  const logins = () => network.sent.filter(({ action }) => action === 'login').length
  network.pass(541_000)
  const sent = ['one', 'two', 'three'].map((text) =>
    ben.client.request('send_event', { chat_id, event: message(text) }),
  )
  await until(() => asked.length === 2 && logins() === 2 && profiles.length > 0)
  await Promise.all(sent)
  await client.request('send_event', { chat_id, event: message('four') })
  await until(() => heard.length === 4)
  const facts = { asked: asked.length, profiles, state: client.state, recoveries, heard }
  close()

  const bad = createAgentClient({ url: stage.agentUrl, token: 'x', environment: openNetwork() })
  const { error } = await next<{ error: ChatError }>(bad, 'ended')
  const refusal = await bad.request('get_filtered_chats', {}).catch((reason: unknown) => reason)
  return { ...facts, ended: [error.type, error.code], isRefusedAlike: refusal === error }
}

const outliveOutage = async (stage: Stage) => {
  const { ann, ben, chat_id, close } = await openBoth(stage)
  const { client, network } = ann
  const states: string[] = []
  client.on('state', (state) => states.push(state))
  network.cut(true)
  await until(() => network.connections > 2)
  const sent = client.request('send_event', { chat_id, event: message('later') })
  network.cut(false)
  await until(() => client.state !== 'connecting')
  network.comeBack()
  await sent
  await until(() => heldTexts(ben.client, chat_id).length === 2)
  const facts = { state: states.at(-1), held: heldTexts(ben.client, chat_id) }
  close()
  return facts
}

/**
 * Nina's app says something while the server is away, over a network and in a time that no test has in hand.
 */
const outliveRestart = async (stage: Stage, chat_id: string, own: string, all: string[]) => {
  const client = createAgentClient({ url: stage.agentUrl, token: () => stage.token('nina') })
  await until(() => client.state === 'online')
  await client.request('get_chat_threads', { chat_id })
  const recovered = next(client, 'recovered')
  await stage.reach('online')
  const sent = client.request('send_event', { chat_id, event: message(own) })
  await stage.reach('sent')
  const [{ event }, told] = await Promise.all([sent, recovered])
  await until(() => all.every((text) => heldTexts(client, chat_id).includes(text)))
  const facts = {
    answer: texts([event]),
    recovered: told,
    held: heldTexts(client, chat_id).toSorted(),
    orders: client.chats
      .get(chat_id)
      ?.threads.at(-1)
      ?.events.map(({ order }) => order),
  }
  client.close()
  return facts
}

/** What a test weighs. */
const kept: unknown[] = []

/** A hundred thousand events of 1 KB are pushed to a client, in a hundred chats of three threads each. */
const takeFlood = async () => {
  const keeps = { chats: 50, threadsPerChat: 2, eventsPerThread: 100 }
  const { client, push } = clientOf(() => undefined, { chats_summary: [] }, { keeps })
  kept.push(client)
  await until(() => client.state === 'online')
  let heard = 0
  client.on('incoming_event', () => (heard += 1))
  client.chats.subscribe('c0', () => {})
  const eventOf = (thread: string, order: number) => {
    const id = `${thread}_${order}`
    return { id, order, ...message(id.padEnd(1000, 'x')) }
  }
  for (let n = 0; n < 100; n += 1) {
    const chat_id = `c${n}`
    for (let t = 1; t <= 3; t += 1) {
      const id = `${chat_id}_${t}`
      const thread = { id, active: t === 3, timestamp: t, user_ids: [], events: [eventOf(id, 1)] }
      push('incoming_chat_thread', { chat: { id: chat_id, users: [], thread } })
    }
    const thread_id = `${chat_id}_3`
    for (let order = 2; order <= 1000; order += 1)
      push('incoming_event', { chat_id, thread_id, event: eventOf(thread_id, order) })
  }
  const all = client.chats
    .all()
    .map(({ threads }) => threads.map(({ events, upTo }) => [events.length, upTo]))
  const isShown = client.chats.get('c0') !== undefined
  return { heard, chats: all.length, threads: [...new Set(all.map((one) => JSON.stringify(one)))], isShown }
}

export const scenarios = {
  swallowFrames,
  outliveToken,
  outliveOutage,
  outliveRestart,
  takeFlood,
}
export type Scenarios = typeof scenarios
