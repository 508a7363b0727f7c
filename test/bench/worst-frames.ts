import type { LocalStack } from '../../infra/local/stack.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { limits } from '../../shared/protocol/limits.ts'
import type { ChatUser } from '../../shared/table/chat/chat-users.ts'
import { adjustLoad } from '../../shared/table/chat/loads.ts'
import { customerChatId } from '../../shared/table/ids.ts'
import type { StoredEvent } from '../../shared/table/chat/thread-log.ts'
import { chatOps } from '../archives/generated.ts'
import { manifestOps, putAll } from '../archives/put.ts'
import type { ThreadModel } from '../archives/naive.ts'
import { Client, type CustomerClient, type Response } from '../support/client.ts'
import { crowd } from '../support/crowd.ts'
import type { Call, EngineProxy } from '../support/engine-proxy.ts'

// The worst frame of each kind that a stranger may send, and what it costs: a customer on the most tabs, in a
// chat of the most users, with the longest events and a hundred threads of them, of which a hundred sockets
// of agents hear.

/** What a frame costs its own function, and what it leaves to workers, those of the index above all. */
export interface Cost {
  rru: number
  wru: number
  posts: number
  /** Jobs that it and the stream's workers put into the delay queue at once. */
  jobs: number
  workerRru: number
  workerWru: number
}

export interface Frame {
  /** As `customer/send_event`, with what makes it another one. */
  name: string
  /** What it may cost. */
  most: Cost
  /** Resolves to the client, and the frame that it sends. */
  ready(scene: Scene): Promise<{ by: Client | CustomerClient; text: string }>
}

/** A stack with workers whose calls bear the names of their functions, and a license on it. */
export interface Setting {
  stack: LocalStack & { proxy: EngineProxy }
  license: string
  /** At least sixty. */
  agents: readonly string[]
}

export interface Scene extends Setting {
  tab: CustomerClient
  token: string
  chat_id: string
}

const tabs = limits.customerConnections - 1
const sockets = 100
const threads = 12
const eventsEach = 9
export const groups = 30

/** A text of as many different words as there is room for. */
const wordsOf = (bytes: number, turn: number): string => {
  let text = ''
  for (let i = 0; text.length < bytes - 8; i += 1) text += `${(turn * 10_000 + i).toString(36)}x `
  return text
}
let turns = 0
/** Words that nobody has said before. */
const newWords = (bytes: number): string => wordsOf(bytes, (turns += 1))
const longText = 'x'.repeat(limits.textBytes)
/** As many properties as there is room for, each with a new value. */
const properties = (bytes: number) => {
  turns += 1
  const spaces: Record<string, Record<string, { value: number }>> = {}
  for (let i = 0, size = 2; size + 40 < bytes; i += 1) {
    const space = (spaces[`s${Math.floor(i / limits.propertyNames)}`] ??= {})
    space[`n${i}`] = { value: turns % 10 }
    size += JSON.stringify({ [`n${i}`]: { value: 1 } }).length
  }
  return spaces
}
const details = () => ({
  name: 'n'.repeat(limits.nameBytes - 4) + (turns += 1).toString().padStart(4, '0'),
  email: `${'e'.repeat(200)}@example.com`,
  properties: Object.fromEntries(
    Array.from({ length: limits.customerProperties }, (_, i) => [`p${i}`, `${'v'.repeat(60)}${turns}`]),
  ),
  monitoring: {
    page: {
      url: `https://example.com/${'u'.repeat(2000)}${turns}`,
      title: 't'.repeat(2000),
      referrer: `https://example.com/${'r'.repeat(2000)}`,
    },
    timezone: 'Europe/Warsaw',
  },
})

const allGroups = { groups: Array.from({ length: groups }, (_, i) => i + 1) }

/** The chat as it is before anything is measured: in the table, since it would take hours by its actions. */
const fillChat = async ({ stack, license, agents }: Setting, customer: string): Promise<string> => {
  const id = customerChatId(license, customer)
  const staff = agents.slice(0, limits.presentUsers - 1)
  const users: ChatUser[] = [
    { id: customer, type: 'customer', present: true, met: true },
    ...staff.map((agent): ChatUser => ({ id: agent, type: 'agent', present: true, met: true })),
  ]
  const at = Date.now() - 60_000
  const event = (): StoredEvent => ({ type: 'message', text: longText, author_id: customer })
  const all = Array.from({ length: threads }, (_, i): ThreadModel => ({
    n: i + 1,
    at: at + i,
    userIds: new Set(users.map((user) => user.id)),
    properties: {},
    events: Array.from({ length: i === threads - 1 ? 30 : eventsEach }, event),
  }))
  const chat = { id, users, scopes: { groups: [], agents: [] }, properties: {}, active: true, threads: all }
  // of the last thread nothing is indexed yet
  await putAll(stack.table, [
    ...chatOps(license, chat),
    ...manifestOps({ ...chat, threads: all.slice(0, -1) }),
  ])
  for (const agent of staff) await stack.table.write.write(adjustLoad(license, agent, 1))
  return id
}

export const openScene = async (setting: Setting): Promise<Scene> => {
  const { stack, license } = setting
  const open = () => Client.open(`${stack.customerUrl}?license_id=${license}`, { as: 'customer' })
  const tab = await open()
  const { customer_id, token } = await tab.ok('login', { customer: { name: 'Carl' } })
  for (let i = 1; i < tabs; i += 1) await (await open()).ok('login', { token })
  const chat_id = await fillChat(setting, customer_id)
  await crowd(stack, { id: license }, setting.agents[0] ?? '', sockets)
  await stack.settled()
  return { ...setting, tab, token, chat_id }
}

const asked = (action: string, payload: object) => JSON.stringify({ request_id: 'worst', action, payload })
/** In the order of `Cost`. */
type Bound = readonly [number, number, number, number, number, number]
const mostOf = ([rru, wru, posts, jobs, workerRru, workerWru]: Bound): Cost => ({
  ...{ rru, wru, posts, jobs, workerRru, workerWru },
})

const byCustomer = (
  action: string,
  most: Bound,
  payloadOf: (scene: Scene) => object,
  { as, prepare }: { as?: string; prepare?: (scene: Scene) => Promise<unknown> } = {},
): Frame => ({
  name: `customer/${action}${as === undefined ? '' : `, ${as}`}`,
  most: mostOf(most),
  ready: async (scene) => {
    await prepare?.(scene)
    return { by: scene.tab, text: asked(action, payloadOf(scene)) }
  },
})
const closed = { prepare: ({ tab, chat_id }: Scene) => tab.call('close_thread', { chat_id }) }
const started = {
  prepare: ({ tab, chat_id }: Scene) =>
    tab.ok('send_event', { chat_id, event: { type: 'message', text: 'hello' } }),
}

const ofCustomers: readonly Frame[] = [
  {
    name: 'customer/login',
    most: mostOf([180, 40, 111, 1, 2, 2]),
    ready: async ({ stack, license, token }) => {
      const by = await Client.open(`${stack.customerUrl}?license_id=${license}`, { as: 'customer' })
      return {
        by,
        text: asked('login', { token, customer: details(), last_threads_limit: limits.lastThreadsMax }),
      }
    },
  },
  byCustomer('ping', [2, 2, 0, 0, 0, 0], () => ({ x: 'x'.repeat(31 * 1024) })),
  byCustomer('send_event', [75, 30, 111, 0, 20, 220], ({ chat_id }) => ({
    chat_id,
    event: {
      type: 'message',
      text: newWords(limits.textBytes),
      properties: properties(limits.propertiesBytes),
    },
  })),
  byCustomer(
    'send_event',
    [75, 24, 111, 0, 0, 0],
    ({ chat_id }) => ({
      chat_id,
      event: { type: 'custom', content: { x: '\\'.repeat(limits.contentBytes / 2 - 8) } },
    }),
    { as: 'custom' },
  ),
  byCustomer('send_sneak_peek', [12, 3, 111, 1, 0, 0], ({ chat_id }) => ({
    chat_id,
    sneak_peek_text: longText,
  })),
  byCustomer('send_typing_indicator', [12, 3, 111, 1, 0, 0], ({ chat_id }) => ({ chat_id, is_typing: true })),
  byCustomer('mark_event_as_seen', [18, 4, 111, 1, 0, 0], ({ chat_id }) => ({
    chat_id,
    event_id: `${chat_id}_${threads}_2`,
  })),
  byCustomer('update_last_seen_timestamp', [12, 4, 111, 0, 0, 0], () => ({})),
  byCustomer('update_customer', [24, 24, 111, 1, 0, 0], () => ({ customer: details() })),
  byCustomer('update_chat_properties', [14, 40, 111, 1, 10, 1400], ({ chat_id }) => ({
    chat_id,
    properties: properties(limits.propertiesBytes),
  })),
  byCustomer('update_chat_thread_properties', [14, 40, 111, 1, 20, 1400], ({ chat_id }) => ({
    chat_id,
    thread_id: `${chat_id}_${threads}`,
    properties: properties(limits.propertiesBytes),
  })),
  byCustomer('update_chat_scopes', [115, 120, 111, 3, 60, 2000], ({ chat_id }) => ({
    chat_id,
    add_scopes: allGroups,
  })),
  byCustomer('list_group_statuses', [8, 3, 0, 0, 0, 0], () => ({})),
  byCustomer('get_chats_summary', [180, 3, 0, 0, 0, 0], () => ({
    pagination: { limit: limits.customerChatsMax },
  })),
  byCustomer('get_chat_threads', [750, 3, 0, 0, 0, 0], ({ chat_id }) => ({
    chat_id,
    thread_ids: Array.from({ length: threads }, (_, i) => `${chat_id}_${threads - i}`),
  })),
  byCustomer('get_chat_threads_summary', [4, 3, 0, 0, 0, 0], ({ chat_id }) => ({
    chat_id,
    pagination: { limit: limits.threadsSummary },
  })),
  byCustomer('close_thread', [75, 140, 222, 2, 30, 20], ({ chat_id }) => ({ chat_id })),
  byCustomer(
    'send_event',
    [115, 210, 222, 2, 40, 3500],
    ({ chat_id }) => ({
      chat_id,
      event: { type: 'message', text: newWords(limits.textBytes) },
    }),
    { ...closed, as: 'a thread begins' },
  ),
  byCustomer(
    'start_chat',
    [210, 260, 333, 2, 60, 6000],
    () => ({
      chat: {
        scopes: allGroups,
        properties: properties(4096),
        thread: {
          properties: properties(4096),
          events: Array.from({ length: limits.initialEvents }, () => ({
            type: 'message',
            text: newWords(900),
          })),
        },
      },
    }),
    closed,
  ),
  byCustomer(
    'start_chat',
    [140, 120, 2331, 2, 40, 3500],
    () => ({
      chat: {
        properties: properties(4096),
        thread: {
          events: Array.from({ length: limits.initialEvents }, () => ({
            type: 'message',
            text: newWords(1000),
          })),
        },
      },
    }),
    { ...started, as: 'a thread is active' },
  ),
]

const broken: Readonly<Record<string, string>> = {
  'no JSON': '['.repeat(32 * 1024 - 1),
  'an unknown action': JSON.stringify({ action: 'x'.repeat(31 * 1024) }),
  'a thousand faults': JSON.stringify({ action: 'login', payload: { token: 1, x: Array(8000).fill(1) } }),
}
const arrive = ({ stack }: Scene) => Client.open(stack.agentUrl)

export const worstFrames: readonly Frame[] = [
  ...ofCustomers,
  ...Object.entries(broken).flatMap(([name, text]): Frame[] => [
    {
      name: `customer: ${name}`,
      most: mostOf([2, 2, 0, 0, 0, 0]),
      ready: async ({ tab }) => ({ by: tab, text }),
    },
    {
      name: `agent, not logged in: ${name}`,
      most: mostOf([2, 2, 0, 0, 0, 0]),
      ready: async (scene) => ({ by: await arrive(scene), text }),
    },
  ]),
  ...agentActions.map(({ name }): Frame => ({
    name: `agent/${name}, not logged in`,
    most: mostOf([2, 2, 0, 0, 0, 0]),
    ready: async (scene) => ({
      by: await arrive(scene),
      text: asked(name, { token: 'x'.repeat(30 * 1024), filters: { query: 'x '.repeat(500) } }),
    }),
  })),
]

const total = (calls: readonly Call[], unit: 'rru' | 'wru') =>
  calls.reduce((sum, call) => sum + call[unit], 0)

/** What one frame costs, with all that it leaves to workers. */
export const measure = async (
  scene: Scene,
  { ready }: Frame,
): Promise<Cost & { answer: Response; cpuMs: number }> => {
  const { stack } = scene
  await stack.settled()
  await stack.queue.flush()
  const { by, text } = await ready(scene)
  await stack.settled()
  let posts = 0
  const post = () => void (posts += 1)
  stack.gateway.setFaults({ post })
  stack.customers.setFaults({ post })
  const release = stack.queue.hold()
  const pending = stack.queue.pending()
  const cpu = process.cpuUsage()
  const recorded = await stack.proxy
    .record(async () => {
      by.send(text)
      const answer = await by.response()
      await stack.stream.settled()
      return answer
    })
    .catch((error: unknown) => {
      release()
      throw error
    })
  const jobs = stack.queue.pending() - pending
  const later = await stack.proxy.record(async () => {
    release()
    await stack.settled()
  })
  const { user, system } = process.cpuUsage(cpu)
  stack.gateway.setFaults({})
  stack.customers.setFaults({})
  const isWorker = ({ lambda = '' }: Call) => lambda.startsWith('worker/')
  const left = [...recorded.calls.filter(isWorker), ...later.calls]
  const own = recorded.calls.filter((call) => !isWorker(call))
  return {
    answer: recorded.result,
    cpuMs: (user + system) / 1000,
    rru: total(own, 'rru'),
    wru: total(own, 'wru'),
    posts,
    jobs,
    workerRru: total(left, 'rru'),
    workerWru: total(left, 'wru'),
  }
}

const columns = ['RRU', 'WRU', 'posts', 'jobs', "workers' RRU", "workers' WRU"]
const cellsOf = ({ rru, wru, posts, jobs, workerRru, workerWru }: Cost, limit: Cost): string[] => [
  ...[`${rru} / ${limit.rru}`, `${wru} / ${limit.wru}`, `${posts} / ${limit.posts}`],
  ...[`${jobs} / ${limit.jobs}`, `${workerRru} / ${limit.workerRru}`, `${workerWru} / ${limit.workerWru}`],
]

/** The page of what was measured, beside what may be. */
export const pageOf = (measured: readonly (Cost & { name: string; cpuMs: number })[]): string => {
  const ordinary = measured.find(({ name }) => name === 'customer/ping')?.cpuMs ?? 1
  const rows = worstFrames.map(({ name, most }) => {
    const cost = measured.find((one) => one.name === name)
    if (cost === undefined) throw new Error(`${name} was not measured`)
    return `| ${[name, ...cellsOf(cost, most), (cost.cpuMs / ordinary).toFixed(1)].join(' | ')} |`
  })
  return `# The worst frame

\`npm run worst-frames\` wrote this page. It sends the worst frame of each kind that a stranger may send: on the customers' endpoint
any, on the agents' endpoint any before a login. The customer has ${tabs + 1} tabs and a chat of ${limits.presentUsers} present users with ${threads}
threads of events of 16 KiB; ${sockets} sockets of agents hear of it, and ${groups} groups are in its scopes from \`update_chat_scopes\` on. Texts
are words that nobody has said before, properties are as many as there is room for, and limits are on, though not reached.

Each cell says what was measured and, behind the stroke, the bound that \`test/budgets/worst-frames.full.test.ts\` holds. Workers are all
that runs behind the answer, the index above all. CPU is that of the whole process, gateway, functions and clients together, by
that of a ping of 31 KiB; no test holds it.

| frame | ${columns.join(' | ')} | CPU |
| --- | ${columns.map(() => '--:').join(' | ')} | --: |
${rows.join('\n')}

What grows further with a chat: reads of \`get_chat_threads\`, with up to a hundred threads that it names; and the workers' writes where
access changes, which come in runs of at most 25 threads and about 1,000 postings. Limits (docs/floods.md) say how often a frame may
be sent.
`
}
