import type { Attributes } from '../../shared/table/ops.ts'
import type { ChatState, CustomerState, FloodRecord, FrameRecord, History, RequestRecord } from './history.ts'

// A short history in which nothing is wrong, written down by hand: two licenses, each with a chat. In the
// first, ann (an agent of it) and carl, its customer, talk; sue supervises and is hidden from carl; pat has
// no access; fay follows.

const chat = 'c1'
const other = 'c2'

const user = (id: string, type: string, present = true, met = type !== 'supervisor') => ({
  ...{ id, type, present },
  ...(met ? { met: true as const } : {}),
})

const states: ChatState[] = [
  {
    ...{ id: chat, license_id: 'l1', version: 1, certain: true, sentAt: 10, endedAt: 12 },
    users: [user('carl', 'customer'), user('ann@1', 'agent')],
    ...{ scopes: { groups: [1], agents: [] }, active: true },
  },
  {
    ...{ id: chat, license_id: 'l1', version: 2, certain: true, sentAt: 30, endedAt: 32 },
    users: [user('carl', 'customer'), user('ann@1', 'agent'), user('sue@1', 'supervisor')],
    ...{ scopes: { groups: [1], agents: [] }, active: true },
  },
  {
    ...{ id: other, license_id: 'l2', version: 1, certain: true, sentAt: 10, endedAt: 12 },
    users: [user('bob@2', 'agent')],
    scopes: { groups: [], agents: [] },
  },
]

const message = (author_id: string, custom_id: string, more: object = {}) => ({
  ...{ type: 'message', text: custom_id, custom_id, author_id },
  ...more,
})

const entry = (m: number, version: number, event: object): Attributes => ({
  ...{ pk: `CHAT#${chat}`, sk: `LOG#00000001#${String(m).padStart(8, '0')}`, at: 1000 + m, version, event },
})

const socketRow = (license_id: string, who: object, name: string): Attributes => ({
  pk: 'customer_id' in who ? `CUSTOMER#${license_id}#carl#SOCKETS` : `LICENSE#${license_id}#SOCKETS`,
  ...{ sk: name, license_id, connection: name, ...who },
})

const agent = (license: string, id: string, online: boolean): Attributes => ({
  ...{ pk: `LICENSE#${license}`, sk: `AGENT#${id}`, id, online, routing_status: 'accepting_chats' },
})

const users = states[1]?.users ?? []
const chats: Attributes[] = [
  {
    ...{
      pk: `CHAT#${chat}`,
      sk: 'CHAT',
      id: chat,
      license_id: 'l1',
      users,
      version: 2,
      thread: 1,
      active: true,
    },
    scopes: { groups: [1], agents: [] },
  },
  { pk: `CHAT#${chat}`, sk: 'LOG#00000001#00000000', at: 1000, version: 1, tags: ['hid-t1@1'] },
  entry(1, 1, message('carl', 'e1@1')),
  entry(2, 2, { type: 'system_message', text: 'Sue supervises', recipients: 'agents' }),
  entry(3, 2, message('ann@1', 'hid-e2@1', { recipients: 'agents' })),
  entry(4, 2, message('ann@1', 'e3@1')),
  { pk: 'LICENSE#l1#ACTIVE', sk: chat, id: chat, users, scopes: { groups: [1], agents: [] }, thread: 1 },
  { pk: 'LICENSE#l1#CHATS', sk: chat },
  { pk: 'LICENSE#l1#LOAD', sk: 'ann@1', active: 1 },
]
const people = (online: boolean): Attributes[] => [
  ...['ann@1', 'sue@1', 'pat@1', 'fay@1'].map((id) => agent('l1', id, online)),
  agent('l2', 'bob@2', online),
  { pk: 'CUSTOMER#l1#carl', sk: 'CUSTOMER', id: 'carl', online },
]

/** Sockets: 0 ann, 1 carl, 2 sue, 3 pat, 4 fay, 5 bob. */
const sockets: History['sockets'] = [
  ...(['ann@1', 'carl', 'sue@1', 'pat@1', 'fay@1'] as const).map((name) => ({
    ...{ license: 'l1', user: name, isLoggedIn: true, openedAt: 0 },
    as: name === 'carl' ? ('customer' as const) : ('agent' as const),
  })),
  { license: 'l2', as: 'agent', user: 'bob@2', isLoggedIn: true, openedAt: 0 },
]

const event = (
  m: number,
  of: { author_id?: string; custom_id?: string; text: string; recipients?: string },
) => ({
  ...{ id: `${chat}_1_${m}`, order: m, type: 'message', recipients: 'all', timestamp: 1, ...of },
})
const said = {
  first: event(1, { author_id: 'carl', custom_id: 'e1@1', text: 'e1@1' }),
  hidden: event(3, { author_id: 'ann@1', custom_id: 'hid-e2@1', text: 'hid-e2@1', recipients: 'agents' }),
  last: event(4, { author_id: 'ann@1', custom_id: 'e3@1', text: 'e3@1' }),
}

export const frame = (socket: number, at: number, of: object): FrameRecord => ({
  ...{ socket, at, text: JSON.stringify(of) },
})
const answer = (socket: number, at: number, request_id: string, action: string, payload: object) =>
  frame(socket, at, { request_id, action, type: 'response', success: true, payload })
export const refusal = (socket: number, at: number, request_id: string, action: string, type: string) =>
  frame(socket, at, { request_id, action, type: 'response', success: false, payload: { error: { type } } })
export const incoming = (socket: number, at: number, pushed: object) =>
  frame(socket, at, {
    ...{ action: 'incoming_event', type: 'push' },
    payload: { chat_id: chat, thread_id: `${chat}_1`, event: pushed },
  })
const send = (socket: number, id: string, sentAt: number, asked: object) => ({
  ...{ socket, id, action: 'send_event', sentAt, payload: { chat_id: chat, event: asked } },
})

/** Carl as agents are shown him by then. */
const carl = { id: 'carl', type: 'customer', name: 'Carl', properties: { plan: 'p1@1' } }

const tagged = (tag: string) => ({ chat_id: chat, thread_id: `${chat}_1`, tag })
/** Ann gives a tag, or takes one. */
const tagging = (id: string, sentAt: number, action: string, tag: string) => ({
  ...{ socket: 0, id, action, sentAt, payload: tagged(tag) },
})
const done = (socket: number, at: number, request_id: string, action: string) =>
  frame(socket, at, { request_id, action, type: 'response', success: true })

/** The chat as a client's store keeps it. */
const kept = (
  shown: ChatState['users'],
  events: { id: string; text: string }[],
  tags?: readonly string[],
) => ({
  ...{ id: chat, users: [...shown], scopes: { groups: [1], agents: [] as string[] } },
  threads: [{ id: `${chat}_1`, active: true, has_more: false, upTo: 4, tags, events }],
})

/** A copy of its own for whoever spoils it. */
export const sample = () =>
  structuredClone({
    licenses: [
      {
        ...{ id: 'l1', marker: '@1', groups: [1, 2], events: true },
        agents: [
          { id: 'ann@1', permission: 'normal', groups: [] },
          { id: 'sue@1', permission: 'normal', groups: [] },
          { id: 'pat@1', permission: 'normal', groups: [2] },
          { id: 'fay@1', permission: 'administrator', groups: [] },
        ],
      },
      {
        ...{ id: 'l2', marker: '@2', groups: [], events: false },
        agents: [{ id: 'bob@2', permission: 'owner', groups: [] }],
      },
    ] as History['licenses'],
    sockets: sockets.map((socket) => ({ ...socket })),
    requests: [
      send(1, 'r1', 20, message('carl', 'e1@1')),
      send(0, 'r2', 40, message('ann@1', 'hid-e2@1', { recipients: 'agents' })),
      send(0, 'r3', 60, message('ann@1', 'e3@1')),
      tagging('r6', 26, 'tag_thread', 'hid-t1@1'),
      tagging('r7', 26, 'tag_thread', 'hid-t2@1'),
      tagging('r8', 28, 'untag_thread', 'hid-t2@1'),
      // pat has no access, and bob asks for what is not his
      send(3, 'r4', 70, message('pat@1', 'e4@1')),
      send(5, 'r5', 70, message('bob@2', 'e5@2')),
    ] as RequestRecord[],
    frames: [
      answer(1, 25, 'r1', 'send_event', { thread_id: `${chat}_1`, event: said.first }),
      ...[0, 1, 4].map((socket) => incoming(socket, 24, said.first)),
      answer(0, 45, 'r2', 'send_event', { thread_id: `${chat}_1`, event: said.hidden }),
      ...[0, 2, 4].map((socket) => incoming(socket, 44, said.hidden)),
      answer(0, 65, 'r3', 'send_event', { thread_id: `${chat}_1`, event: said.last }),
      ...[0, 1, 2, 4].map((socket) => incoming(socket, 64, said.last)),
      done(0, 27, 'r6', 'tag_thread'),
      ...[0, 4].map((socket) =>
        frame(socket, 27, { action: 'thread_tagged', type: 'push', payload: tagged('hid-t1@1') }),
      ),
      done(0, 27, 'r7', 'tag_thread'),
      done(0, 29, 'r8', 'untag_thread'),
      frame(4, 29, { action: 'thread_untagged', type: 'push', payload: tagged('hid-t2@1') }),
      frame(5, 15, {
        action: 'thread_closed',
        type: 'push',
        payload: { chat_id: other, thread_id: `${other}_1` },
      }),
      refusal(3, 75, 'r4', 'send_event', 'authorization'),
      refusal(5, 75, 'r5', 'send_event', 'not_found'),
    ],
    chats: states,
    customers: [
      { version: 1, name: 'Carl', properties: {}, sentAt: 5, endedAt: 6 },
      { version: 2, name: 'Carl', properties: { plan: 'p1@1' }, sentAt: 50, endedAt: 52 },
    ].map((one) => ({ ...one, id: 'carl', license_id: 'l1', certain: true })) as CustomerState[],
    ranOn: [] as string[],
    unheard: [] as string[],
    events: [
      ...[said.first, said.hidden, said.last].map((event) => ({
        name: 'incoming_event',
        payload: { event },
      })),
      { name: 'thread_tagged', payload: tagged('hid-t1@1') },
      { name: 'thread_tagged', payload: tagged('hid-t2@1') },
      { name: 'thread_untagged', payload: tagged('hid-t2@1') },
      { name: 'customer_updated', payload: { chat_id: chat, customer: carl } },
    ].map((one) => ({ license: 'l1', ...one })) as History['events'],
    followers: [
      {
        ...{ license: 'l1', as: 'agent' as const, user: 'fay@1', since: 0, startedOver: 0 },
        chats: [
          kept(
            users,
            [
              { id: `${chat}_1_1`, text: 'e1@1' },
              { id: `${chat}_1_2`, text: 'Sue supervises' },
              { id: `${chat}_1_3`, text: 'hid-e2@1' },
              { id: `${chat}_1_4`, text: 'e3@1' },
            ],
            ['hid-t1@1'],
          ),
        ],
      },
      {
        ...{ license: 'l1', as: 'customer' as const, user: 'carl', since: 0, startedOver: 0 },
        chats: [
          kept(users.slice(0, 2), [
            { id: `${chat}_1_1`, text: 'e1@1' },
            { id: `${chat}_1_4`, text: 'e3@1' },
          ]),
        ],
      },
    ],
    probes: [{ chat, event: `${chat}_1_4`, asked: [0, 1, 2, 3, 4, 5] }],
    quiet: {
      items: [
        ...chats,
        ...people(true),
        ...['ann@1', 'sue@1', 'pat@1', 'fay@1'].map((agent_id) => socketRow('l1', { agent_id }, agent_id)),
        socketRow('l1', { customer_id: 'carl' }, 'carl'),
        socketRow('l2', { agent_id: 'bob@2' }, 'bob@2'),
      ],
      living: {
        'l1 ann@1': [0],
        'l1 carl': [1],
        'l1 sue@1': [2],
        'l1 pat@1': [3],
        'l1 fay@1': [4],
        'l2 bob@2': [5],
      } as Record<string, number[]>,
      at: 100,
    },
    watched: [{ socket: 0, agent: 'fay@1', license: 'l1', status: 'accepting_chats' }],
    over: { items: [...chats, ...people(false)], atMs: 2000 },
    floods: {
      quiet: [{ from: 0, to: 100 }],
      flooded: [{ from: 100, to: 200 }],
      records: [{ name: 'pings', most: 40, minutes: 2, answered: 80, refused: 20 }] as FloodRecord[],
    },
    endedAt: 100_000,
  })
export type Sample = ReturnType<typeof sample>

/** An item of the quiet table, by the end of its key. */
export const itemOf = ({ quiet }: Sample, pk: string, sk: string): Attributes => {
  const item = quiet.items.find((one) => one['pk'] === pk && one['sk'] === sk)
  if (item === undefined) throw new Error(`There is no ${pk} ${sk}`)
  return item
}
export const entryItem = (of: Sample, m: number): Attributes =>
  itemOf(of, `CHAT#${chat}`, `LOG#00000001#${String(m).padStart(8, '0')}`)
export { chat, said, states }
