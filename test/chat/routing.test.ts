import { describe, expect, test } from 'vitest'
import {
  assignedTo,
  attendants,
  customerOf,
  type Desk,
  lacksAgent,
  nextAgent,
  staffed,
} from '../../shared/chat/routing.ts'
import { AgentItem, agentReady, LicenseItem } from '../../shared/table/accounts.ts'
import type { ChatScopes, ChatUser } from '../../shared/table/chats.ts'
import { chatAssigned } from '../../shared/table/loads.ts'

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
): Desk => ({
  license: LicenseItem.parse({ id: 'l', plan: 'test', expires_at: 9e9, version: 1, routing }),
  agents,
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
  ...(waiting_since === undefined ? {} : { waiting_since }),
})
const next = (at: Desk, of = chat()) => nextAgent(of, at)?.id

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
    const { users, messages, routing, waitingSince, assigned } = assignedTo(ben, before, at, 77)
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

  test('has it as agent once, where it supervised or was here before', () => {
    for (const was of [user('ben', 'supervisor'), user('ben', 'agent', false)])
      expect(assignedTo(ben, chat([was]), at, 77).users).toEqual([
        carl,
        { id: 'ben', type: 'agent', present: true, met: true },
      ])
  })

  test('is so only while the agent is as it was read, and below its limit', () => {
    expect(assignedTo(ben, chat(), at, 77).guards).toEqual([
      { op: agentReady(ben) },
      { op: chatAssigned('l', 'ben', 6, 77) },
    ])
  })
})

describe('how a thread is staffed', () => {
  const [ann, ben] = [agent('ann'), agent('ben')]
  const away = agent('ann', { online: false })
  const outcome = (of: ReturnType<typeof chat>, at: Desk) => {
    const { messages, routing, waitingSince, assigned } = staffed(of, at, 77)
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

  test('by its own agent who is logged in, whatever its status and its load', () => {
    for (const draft of [{}, { routing_status: 'not_accepting_chats' as const }, { max_chats: 0 }]) {
      const own = chat([user('ann')])
      expect(outcome(own, desk([agent('ann', draft), ben], { ann: [9, 9] }))).toEqual(nothing)
      expect(staffed(own, desk([agent('ann', draft)]), 77).users).toEqual(own.users)
    }
  })

  test('by another where its own is away, suspended, gone, or only supervises', () => {
    const assigned = { routing: { unassigned: false }, waitingSince: undefined, assigned: 'ben' }
    const types = ['routing.assigned', 'agent_left']
    expect(outcome(chat([user('ann')]), desk([away, ben]))).toEqual({ ...assigned, types })
    const suspended = agent('ann', { suspended: true })
    expect(outcome(chat([user('ann')]), desk([suspended, ben]))).toEqual({ ...assigned, types })
    expect(outcome(chat([user('ann')]), desk([ben]))).toEqual({ ...assigned, types })
    const others = [user('ann', 'agent', false), user('ann', 'supervisor')]
    for (const other of others)
      expect(outcome(chat([other]), desk([ann, ben], { ann: [1, 0] }))).toEqual({
        ...assigned,
        types: ['routing.assigned'],
      })
  })

  test('by nobody where nobody is free: who is away stays in the chat', () => {
    const own = chat([user('ann')])
    expect(outcome(own, desk([away]))).toEqual(unassigned)
    expect(staffed(own, desk([away]), 77).users).toEqual(own.users)
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

describe('who is there for a chat', () => {
  test('its customer, unless it was removed', () => {
    expect(customerOf(chat())).toEqual(carl)
    expect(customerOf({ users: [{ ...carl, present: false }] })).toBeUndefined()
    expect(customerOf({ users: [user('ann')] })).toBeUndefined()
  })

  test('its agents who are logged in, not its supervisors', () => {
    const users = [user('ann'), user('ben'), user('cyd', 'supervisor'), user('dan', 'agent', false)]
    const at = desk([agent('ann'), agent('ben', { online: false }), agent('cyd'), agent('dan')])
    expect(attendants({ users }, at).map(({ id }) => id)).toEqual(['ann'])
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
