import { describe, expect, test } from 'vitest'
import { assignAgent, handOver, nextAgent, reassign, assignAtStart } from '../../shared/chat/choose-agent.ts'
import { type RoutingState, onlineAgents } from '../../shared/chat/routing-state.ts'
import { AgentItem, requireAgentReady, LicenseItem } from '../../shared/table/accounts.ts'
import type { ChatScopes } from '../../shared/table/chat/chats.ts'
import { type ChatUser, customerOf, lacksAgent } from '../../shared/table/chat/chat-users.ts'
import { setAssignedChat } from '../../shared/table/chat/loads.ts'

const agent = (id: string, draft: Partial<AgentItem> = {}): AgentItem =>
  AgentItem.parse({
    ...{ id, license_id: 'l', name: `Name of ${id}`, permission: 'normal', groups: [], version: 3 },
    ...{ online: true, routing_status: 'accepting_chats', ...draft },
  })
/** `loads`: active chats, and when one was last assigned. */
const desk = (
  agents: AgentItem[],
  loads: Record<string, [active: number, assigned_at: number]> = {},
  routing: LicenseItem['routing'] = 'automatic',
): RoutingState => ({
  license: LicenseItem.parse({ id: 'l', plan: 'test', expires_at: 9e9, version: 1, routing }),
  agents: agents.filter(({ deleted }) => !deleted),
  deleted: agents.filter(({ deleted }) => deleted),
  loads: new Map(
    Object.entries(loads).map(([id, [active, assigned_at]]) => [id, { agent: id, active, assigned_at }]),
  ),
})
const user = (id: string, type: ChatUser['type'] = 'agent', present = true): ChatUser => ({
  id,
  type,
  present,
})
const carl = user('carl', 'customer')
const chat = (users: ChatUser[] = [], scopes: Partial<ChatScopes> = {}, waiting_since?: number) => ({
  license_id: 'l',
  users: [carl, ...users],
  scopes: { groups: [], agents: [], ...scopes },
  thread: 3,
  active: true,
  ...(waiting_since === undefined ? {} : { waiting_since }),
})
const next = (at: RoutingState, of = chat()) => nextAgent(of, at)?.id

describe('the agent who gets a chat', () => {
  const [ann, ben, cyd] = [agent('ann'), agent('ben'), agent('cyd')]

  test('has the fewest active chats', () => {
    expect(next(desk([ann, ben, cyd], { ann: [2, 1], ben: [1, 3], cyd: [3, 0] }))).toBe('ben')
  })

  test('counts as having none where nothing is known of its load', () => {
    expect(next(desk([ann, ben], { ann: [1, 1] }))).toBe('ben')
  })

  test('is, of those with as many, the one who was given one longest ago', () => {
    expect(next(desk([ann, ben, cyd], { ann: [1, 30], ben: [1, 10], cyd: [1, 20] }))).toBe('ben')
    expect(next(desk([ann, ben, cyd], { ann: [0, 30], ben: [0, 10] }))).toBe('cyd')
  })

  test('is below its limit, of 6 unless it has one of its own', () => {
    expect(next(desk([ann], { ann: [5, 0] }))).toBe('ann')
    expect(next(desk([ann], { ann: [6, 0] }))).toBeUndefined()
    const few = agent('few', { max_chats: 1 })
    expect(next(desk([few]))).toBe('few')
    expect(next(desk([few, ann], { few: [1, 0], ann: [5, 0] }))).toBe('ann')
    expect(next(desk([agent('none', { max_chats: 0 })]))).toBeUndefined()
  })

  test.each<[string, Partial<AgentItem>]>([
    ['is logged in', { online: false }],
    ['is connected', { away: true }],
    ['accepts chats', { routing_status: 'not_accepting_chats' }],
    [
      'accepts chats by default where it has said nothing',
      {
        routing_status: undefined,
        default_status: 'not_accepting_chats',
      },
    ],
    ['is not suspended', { suspended: true }],
  ])('%s', (_, draft) => {
    expect(next(desk([agent('ann', draft), ben], { ben: [5, 9] }))).toBe('ben')
    expect(next(desk([agent('ann', draft)]))).toBeUndefined()
  })

  test('can see the chat', () => {
    const [inOne, owner] = [agent('one', { groups: [1] }), agent('own', { permission: 'owner' })]
    expect(next(desk([ann, inOne]), chat([], { groups: [1] }))).toBe('one')
    expect(next(desk([inOne]), chat([], { groups: [2] }))).toBeUndefined()
    expect(next(desk([inOne, ann]), chat([], { agents: ['ann'] }))).toBe('ann')
    expect(next(desk([inOne, owner]), chat([], { groups: [2] }))).toBe('own')
    expect(next(desk([inOne, ann], { one: [1, 1] }), chat([user('one', 'supervisor')]))).toBe('ann')
    expect(next(desk([ann]), chat([user('ann', 'supervisor')], { groups: [2] }))).toBe('ann')
  })

  test('is not an agent of the chat already', () => {
    expect(next(desk([ann, ben], { ben: [5, 9] }), chat([user('ann')]))).toBe('ben')
    expect(next(desk([ann]), chat([user('ann', 'agent', false)]))).toBe('ann')
  })

  test('has not left this thread by itself', () => {
    const whoLeft = (left: number) => chat([{ ...user('ann', 'agent', false), left }])
    expect(next(desk([ann, ben], { ben: [5, 9] }), whoLeft(3))).toBe('ben')
    expect(next(desk([ann]), whoLeft(3))).toBeUndefined()
    expect(next(desk([ann]), whoLeft(2))).toBe('ann')
    expect(next(desk([ann]), chat([{ ...user('ann', 'supervisor'), left: 3 }]))).toBeUndefined()
  })
})

describe('a bot’s turn', () => {
  const ann = agent('ann')
  const bot = (priority?: AgentItem['priority'], draft: Partial<AgentItem> = {}) =>
    agent('bot', { bot: true, priority, ...draft })
  const full = { ann: [6, 1] } as const

  test('comes by priority, before load decides', () => {
    const loads = { ann: [5, 9], bot: [0, 0] } as Record<string, [number, number]>
    const busy = { ann: [0, 0], bot: [5, 9] } as Record<string, [number, number]>
    expect([next(desk([ann, bot('first')], loads)), next(desk([ann, bot('first')], busy))]).toEqual([
      'bot',
      'bot',
    ])
    for (const one of [bot('normal'), bot()])
      expect([next(desk([ann, one], loads)), next(desk([ann, one], busy))]).toEqual(['bot', 'ann'])
    expect([next(desk([ann, bot('last')], loads)), next(desk([ann, bot('last')], busy))]).toEqual([
      'ann',
      'ann',
    ])
    expect(next(desk([ann, bot('last')], { ann: [6, 1] }))).toBe('bot')
  })

  test('never comes while it is full, gone, takes none, or cannot see the chat', () => {
    for (const [draft, scopes] of [
      [{ max_chats: 0 }, {}],
      [{ online: false }, {}],
      [{ routing_status: 'not_accepting_chats' }, {}],
      [{ suspended: true }, {}],
      [{}, { groups: [1] }],
    ] as [Partial<AgentItem>, Partial<ChatScopes>][])
      expect(next(desk([bot('first', draft)]), chat([], scopes))).toBeUndefined()
  })

  test('is not that of a person, who has no priority', () => {
    expect(next(desk([agent('ann', { priority: 'last' }), bot('last')], { ann: [5, 1] }))).toBe('ann')
  })

  test.each([
    ['a new thread', (users: ChatUser[], at: RoutingState) => assignAtStart(chat(users), at, 77)],
    ['a chat that waits', (users: ChatUser[], at: RoutingState) => reassign(chat(users, {}, 5), at, 77)],
  ])('for %s of its own does not come while it is last and a person is free', (_, decide) => {
    const has = [user('bot')]
    expect(decide(has, desk([ann, bot('last')]))?.assigned).toBe('ann')
    for (const [one, loads] of [
      [bot('last'), full],
      [bot('normal'), {}],
    ] as const) {
      const kept = decide(has, desk([ann, one], { ...loads } as Record<string, [number, number]>))
      expect(kept?.users.filter(({ type, present }) => type === 'agent' && present)).toEqual(has)
    }
  })

  test('does not end by a person who comes to be free: a chat that it has does not wait', () => {
    expect(reassign(chat([user('bot')]), desk([ann, bot('last')]), 77)).toBeUndefined()
    expect(lacksAgent(chat([user('bot')]))).toBe(false)
  })
})

describe('a chat that is given to an agent', () => {
  const at = desk([agent('ann'), agent('ben'), agent('cyd')])
  const ben = agent('ben')

  test('has it in place of those who were its agents; supervisors and customers stay', () => {
    const before = chat(
      [user('ann'), user('cyd'), user('sue', 'supervisor'), user('old', 'agent', false)],
      {},
      5,
    )
    const { users, messages, routing, waitingSince, assigned } = assignAgent(ben, before, at, 77)
    expect(users).toEqual([
      carl,
      user('ann', 'agent', false),
      user('cyd', 'agent', false),
      user('sue', 'supervisor'),
      user('old', 'agent', false),
      { id: 'ben', type: 'agent', present: true, met: true },
    ])
    expect(
      messages.map(({ system_message_type, text, recipients }) => [system_message_type, text, recipients]),
    ).toEqual([
      ['routing.assigned', 'Chat assigned to Name of ben', undefined],
      ['agent_left', 'Name of ann left the chat', undefined],
      ['agent_left', 'Name of cyd left the chat', undefined],
    ])
    expect([routing, waitingSince, assigned]).toEqual([{ unassigned: false }, undefined, 'ben'])
  })

  test('is left by a deleted agent under its name', () => {
    const { messages } = assignAgent(
      ben,
      chat([user('dan')]),
      desk([ben, agent('dan', { deleted: true })]),
      77,
    )
    expect(messages.map(({ text }) => text)).toContain('Name of dan left the chat')
  })

  test('has it as agent once, where it supervised or was here before', () => {
    for (const was of [user('ben', 'supervisor'), user('ben', 'agent', false)])
      expect(assignAgent(ben, chat([was]), at, 77).users).toEqual([
        carl,
        { id: 'ben', type: 'agent', present: true, met: true },
      ])
  })

  test('is so only while the agent is as it was read, and below its limit', () => {
    expect(assignAgent(ben, chat(), at, 77).guards).toEqual([
      { op: requireAgentReady(ben) },
      { op: setAssignedChat('l', 'ben', 6, 77) },
    ])
  })
})

describe('how a thread is staffed where it starts', () => {
  const [ann, ben] = [agent('ann'), agent('ben')]
  const away = agent('ann', { online: false })
  const outcome = (of: ReturnType<typeof chat>, at: RoutingState) => {
    const { messages, routing, waitingSince, assigned } = assignAtStart(of, at, 77)
    const types = messages.map(({ system_message_type }) => system_message_type)
    return { types, routing, waitingSince, assigned }
  }
  const nothing = { types: [], routing: {}, waitingSince: undefined, assigned: undefined }
  const unassigned = {
    types: ['routing.unassigned'],
    routing: { unassigned: true },
    waitingSince: 77,
    assigned: undefined,
  }

  test('by its own agent who accepts chats, whatever its load', () => {
    for (const draft of [{}, { max_chats: 0 }]) {
      const own = chat([user('ann')])
      expect(outcome(own, desk([agent('ann', draft), ben], { ann: [9, 9] }))).toEqual(nothing)
      expect(assignAtStart(own, desk([agent('ann', draft)]), 77).users).toEqual(own.users)
    }
  })

  test('by another where its own is away, accepts none, is suspended, gone, or only supervises', () => {
    const assigned = { routing: { unassigned: false }, waitingSince: undefined, assigned: 'ben' }
    const types = ['routing.assigned', 'agent_left']
    expect(outcome(chat([user('ann')]), desk([away, ben]))).toEqual({ ...assigned, types })
    const others: Partial<AgentItem>[] = [
      { suspended: true },
      { away: true },
      { routing_status: 'not_accepting_chats' },
    ]
    for (const draft of others)
      expect(outcome(chat([user('ann')]), desk([agent('ann', draft), ben]))).toEqual({ ...assigned, types })
    expect(outcome(chat([user('ann')]), desk([ben]))).toEqual({ ...assigned, types })
    for (const other of [user('ann', 'agent', false), user('ann', 'supervisor')])
      expect(outcome(chat([other]), desk([ann, ben], { ann: [1, 0] }))).toEqual({
        ...assigned,
        types: ['routing.assigned'],
      })
  })

  test('by nobody where nobody is free: who is away stays in the chat', () => {
    const own = chat([user('ann')])
    expect(outcome(own, desk([away]))).toEqual(unassigned)
    expect(assignAtStart(own, desk([away]), 77).users).toEqual(own.users)
  })

  test('by its own agent who is back, where it has waited', () => {
    expect(outcome(chat([user('ann')], {}, 5), desk([ann, ben]))).toEqual({
      types: ['routing.assigned'],
      routing: { unassigned: false },
      waitingSince: undefined,
      assigned: undefined,
    })
  })

  test('by nobody in manual mode, but its own agent who is logged in', () => {
    expect(outcome(chat(), desk([ann, ben], {}, 'manual'))).toEqual(unassigned)
    expect(outcome(chat([user('ann')]), desk([ann, ben], {}, 'manual'))).toEqual(nothing)
  })
})

describe('how an active thread is staffed again', () => {
  const [ann, ben] = [agent('ann'), agent('ben')]
  const busy = agent('ann', { routing_status: 'not_accepting_chats' })
  const asking = { last: { newest: { message: 3 }, asked: 3 }, entries: [{ m: 3, at: 5 }] }
  const answered = { last: { newest: { message: 4 }, asked: 0 }, entries: [] }
  const askedAgain = { last: { newest: { message: 5 }, asked: 5 }, entries: [{ m: 5, at: 6 }] }
  const overdue = { ...user('ann'), overdue: true as const }
  /** Who has it then; 'waits', 'as before'. */
  const outcome = (of: ReturnType<typeof chat>, at: RoutingState, last = asking): string => {
    const staffing = reassign(of, at, 77, last)
    if (staffing === undefined) return 'as before'
    return staffing.waitingSince === undefined
      ? onlineAgents(staffing, at)
          .map(({ id }) => id)
          .join()
      : 'waits'
  }

  test('by its own agent who is logged in, accepting chats or not', () => {
    expect(outcome(chat([user('ann')]), desk([busy, ben]))).toBe('as before')
  })

  test('by another where its own have gone offline, only while its customer waits for an answer', () => {
    const at = desk([agent('ann', { online: false }), ben])
    expect(outcome(chat([user('ann')]), at)).toBe('ben')
    expect(outcome(chat([user('ann')]), at, answered)).toBe('as before')
    expect(outcome(chat([user('ann')]), desk([agent('ann', { online: false })]))).toBe('waits')
    expect(reassign({ ...chat([user('ann')]), active: false }, at, 77, asking)).toBeUndefined()
  })

  test('where it waits, by one of its own who is back and accepts chats, or has answered', () => {
    expect(outcome(chat([user('ann')], {}, 5), desk([ann, ben]))).toBe('ann')
    expect(outcome(chat([user('ann')], {}, 5), desk([busy, ben]))).toBe('ben')
    expect(outcome(chat([user('ann')], {}, 5), desk([busy]))).toBe('as before')
    expect(outcome(chat([user('ann')], {}, 5), desk([busy, ben]), answered)).toBe('ann')
  })

  test('where it waits since its agent has not replied, by another, or by that agent once it answers', () => {
    expect(outcome(chat([overdue], {}, 5), desk([ann]))).toBe('as before')
    expect(outcome(chat([overdue], {}, 5), desk([ann, ben]))).toBe('ben')
    expect(outcome(chat([overdue], {}, 5), desk([ann, ben]), answered)).toBe('ann')
    expect(outcome(chat([overdue], {}, 5), desk([ann, ben]), askedAgain)).toBe('ann')
    expect(outcome(chat([user('ann')], {}, 5), desk([busy, ben]), askedAgain)).toBe('ben')
    const { users } = reassign(chat([overdue], {}, 5), desk([ann]), 77, answered) ?? {}
    expect(users).toEqual([carl, user('ann')])
  })

  test('in manual mode, by nobody but who has answered', () => {
    expect(outcome(chat([user('ann')], {}, 5), desk([ann, ben], {}, 'manual'))).toBe('as before')
    expect(outcome(chat([user('ann')], {}, 5), desk([ann, ben], {}, 'manual'), answered)).toBe('ann')
  })
})

describe('a chat whose agents do not reply', () => {
  const [ann, ben] = [agent('ann'), agent('ben')]
  const had = chat([
    { ...user('cyd'), since: 20 },
    { ...user('ann'), since: 10 },
  ])
  const because = "because Name of ann hasn't replied in 5 minutes"
  const textsOf = (at: RoutingState) => {
    const staffing = handOver(had, at, 77, { sinceMs: 30, minutes: 5 })
    return { ...staffing, texts: staffing.messages.map(({ text }) => text) }
  }

  test('goes to whoever is free, and says who had it longest', () => {
    const { texts, assigned, waitingSince } = textsOf(desk([ann, ben, agent('cyd')]))
    expect([assigned, waitingSince]).toEqual(['ben', undefined])
    expect(texts).toEqual([
      `Chat assigned to Name of ben ${because}`,
      'Name of cyd left the chat',
      'Name of ann left the chat',
    ])
  })

  test('waits where nobody else is free, since its customer does', () => {
    const { texts, users, routing, waitingSince } = textsOf(desk([ann, agent('cyd')]))
    expect(texts).toEqual([`Chat is unassigned ${because}`])
    expect([routing, waitingSince]).toEqual([{ unassigned: true }, 30])
    expect(users.filter(({ overdue }) => overdue).map(({ id }) => id)).toEqual(['cyd', 'ann'])
  })
})

describe('who is there for a chat', () => {
  test('its customer, unless it was removed', () => {
    expect(customerOf(chat())).toEqual(carl)
    expect(customerOf({ users: [{ ...carl, present: false }] })).toBeUndefined()
    expect(customerOf({ users: [user('ann')] })).toBeUndefined()
  })

  test('its agents who are logged in, not its supervisors', () => {
    const users = [user('ann'), user('ben'), user('cyd', 'supervisor'), user('dan', 'agent', false)]
    const at = desk([agent('ann'), agent('ben', { online: false }), agent('cyd'), agent('dan')])
    expect(onlineAgents({ users }, at).map(({ id }) => id)).toEqual(['ann'])
  })

  test('nobody, of a customer’s chat that waits or that its last agent has left', () => {
    expect(lacksAgent(chat())).toBe(true)
    expect(lacksAgent(chat([user('sue', 'supervisor'), user('ann', 'agent', false)]))).toBe(true)
    expect(lacksAgent(chat([user('ann')], {}, 5))).toBe(true)
    expect(lacksAgent(chat([user('ann')]))).toBe(false)
    expect(lacksAgent({ users: [user('ann', 'agent', false)] })).toBe(false)
    expect(lacksAgent({ users: [{ ...carl, present: false }], waiting_since: 5 })).toBe(false)
  })
})
