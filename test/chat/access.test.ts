import { describe, expect, test } from 'vitest'
import {
  authorize,
  grantsOf,
  hasAccess,
  isAdministrator,
  mayRead,
  roleOf,
  type VisibleChat,
  type Viewer,
} from '../../shared/access/permissions.ts'
import type { ActionSpec, TokenScope } from '../../shared/protocol/action.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import type { Session } from '../../shared/table/sockets.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import type { ChatUser } from '../../shared/table/chat/chat-users.ts'

const viewer = (draft: Partial<Viewer> = {}): Viewer => ({
  agent_id: 'ann',
  permission: 'normal',
  groups: [],
  token_scopes: undefined,
  ...draft,
})
const user = (id: string, type: ChatUser['type'] = 'agent', present = true): ChatUser => ({
  id,
  type,
  present,
})
const chat = (draft: { users?: ChatUser[]; groups?: number[]; agents?: string[] } = {}): VisibleChat => ({
  users: draft.users ?? [user('ben')],
  scopes: { groups: draft.groups ?? [], agents: draft.agents ?? [] },
})
const closed = (users?: ChatUser[]) => chat({ groups: [9], ...(users === undefined ? {} : { users }) })

describe('access to a chat', () => {
  test.each<[string, Viewer, VisibleChat, boolean]>([
    ['an owner has', viewer({ permission: 'owner' }), closed(), true],
    ['an administrator has', viewer({ permission: 'administrator' }), closed(), true],
    ['a normal agent beside its scopes has none', viewer({ groups: [1] }), closed(), false],
    ['an agent in it has', viewer(), closed([user('ann')]), true],
    ['a supervisor in it has', viewer(), closed([user('ann', 'supervisor')]), true],
    ['an agent that left it has none', viewer(), closed([user('ann', 'agent', false)]), false],
    ['a customer of the same id gives none', viewer(), closed([user('ann', 'customer')]), false],
    ['everyone has where its scopes are empty', viewer(), chat(), true],
    ['an agent named by its scopes has', viewer(), chat({ agents: ['cleo', 'ann'] }), true],
    ['another agent named gives none', viewer(), chat({ agents: ['cleo'] }), false],
    ['one of its groups has', viewer({ groups: [1, 9] }), chat({ groups: [9, 10] }), true],
    [
      'group or agent is enough, group',
      viewer({ groups: [9] }),
      chat({ groups: [9], agents: ['cleo'] }),
      true,
    ],
    ['group or agent is enough, agent', viewer(), chat({ groups: [9], agents: ['ann'] }), true],
    ['group 0 is a group', viewer({ groups: [1] }), chat({ groups: [0] }), false],
  ])('%s', (_what, who, what, expected) => {
    expect(hasAccess(who, what)).toBe(expected)
    expect(mayRead(who, what)).toBe(expected)
  })

  test('owners are administrators, normal agents are not', () => {
    expect(isAdministrator({ permission: 'owner' })).toBe(true)
    expect(isAdministrator({ permission: 'administrator' })).toBe(true)
    expect(isAdministrator({ permission: 'normal' })).toBe(false)
  })

  test('a place in a chat is that of an agent or supervisor who is present', () => {
    expect(roleOf('ann', closed([user('ann')]))).toBe('agent')
    expect(roleOf('ann', closed([user('ann', 'supervisor')]))).toBe('supervisor')
    expect(roleOf('ann', closed([user('ann', 'agent', false)]))).toBeUndefined()
    expect(roleOf('ann', closed([user('ann', 'customer')]))).toBeUndefined()
    expect(roleOf('ann', closed())).toBeUndefined()
  })
})

describe("a token's scopes", () => {
  test('restrict nothing where none contains a colon', () => {
    expect(grantsOf([])).toBeUndefined()
    expect(grantsOf(['openid', 'email', 'aws.cognito.signin.user.admin'])).toBeUndefined()
  })

  test('grant the known names only where one contains a colon', () => {
    expect(grantsOf(['openid', 'chats--my:read'])).toEqual(['chats--my:read'])
    expect(grantsOf(['some:thing'])).toEqual([])
    expect(grantsOf(['https://issuer.test/read'])).toEqual([])
    expect(grantsOf(['chats--my:write', 'chats:read', 'CHATS--MY:READ', ':'])).toEqual([])
  })

  test('may carry the prefix of a resource server', () => {
    expect(grantsOf(['chat/chats--all:read', 'https://api.test/customers.ban:write'])).toEqual([
      'chats--all:read',
      'customers.ban:write',
    ])
    expect(grantsOf(['chats--all:read/', '/'])).toEqual([])
  })

  test('grant nothing without the prefix of the one resource server that counts, where one is named', () => {
    const scopes = ['https://chat.test/api/chats--my:read', 'other/broadcast:write', 'chats--all:read']
    expect(grantsOf(scopes, 'https://chat.test/api')).toEqual(['chats--my:read'])
    for (const server of ['api', 'https://chat.test', 'test/api', 'third'])
      expect(grantsOf(scopes, server), server).toEqual([])
    expect(grantsOf(['openid'], 'https://chat.test/api')).toBeUndefined()
  })

  test.each<TokenScope>([
    'chats--all:read',
    'chats--chat_scopes:read',
    'chats--my:read',
    'chats.conversation--chat_scopes:write',
    'chats.conversation--my:write',
    'chats.meta--chat_scopes:write',
    'chats.meta--my:write',
    'customers.ban:write',
    'broadcast:write',
    'agents--my:write',
    'agents--all:write',
  ])('know %s', (scope) => {
    expect(grantsOf([scope])).toEqual([scope])
  })
})

describe('reading a chat with a restricted token', () => {
  const admin = viewer({ permission: 'administrator' })
  const inIt = closed([user('ann')])
  const open = chat()
  test.each<[TokenScope, Viewer, VisibleChat, boolean]>([
    ['chats--all:read', admin, closed(), true],
    ['chats--all:read', viewer(), open, false],
    ['chats--all:read', viewer(), inIt, false],
    ['chats--chat_scopes:read', viewer(), open, true],
    ['chats--chat_scopes:read', viewer(), closed(), false],
    ['chats--chat_scopes:read', viewer(), inIt, true],
    ['chats--chat_scopes:read', admin, closed(), true],
    ['chats--my:read', viewer(), inIt, true],
    ['chats--my:read', viewer(), closed([user('ann', 'supervisor')]), true],
    ['chats--my:read', viewer(), open, false],
    ['chats--my:read', admin, open, false],
    ['chats.conversation--chat_scopes:write', admin, inIt, false],
    ['chats.meta--chat_scopes:write', viewer(), inIt, false],
  ])('%s', (scope, who, what, expected) => {
    expect(mayRead({ ...who, token_scopes: [scope] }, what)).toBe(expected)
  })

  test('without any grant shows nothing, even to an owner', () => {
    expect(mayRead(viewer({ permission: 'owner', token_scopes: [] }), open)).toBe(false)
  })

  test('one scope that reaches is enough', () => {
    const token_scopes: TokenScope[] = ['chats--all:read', 'chats--my:read']
    expect(mayRead(viewer({ token_scopes }), inIt)).toBe(true)
    expect(mayRead(viewer({ token_scopes }), open)).toBe(false)
  })
})

const named = (name: string): ActionSpec => {
  const spec = agentActions.find((one) => one.name === name)
  if (spec === undefined) throw new Error(`There is no ${name}`)
  return spec
}
const sentences: Record<string, string> = {
  start_chat: 'You do not have permission to perform this action.',
  send_event: 'You cannot send event in this chat.',
  join_chat: 'You do not have permission to perform this action.',
  remove_from_chat: 'You do not have permission to perform this action.',
  close_thread: 'You are not allowed to close this chat.',
  get_chat_threads: 'Authorization error',
}
const sessionOf = (me: Viewer): Session => ({
  ...me,
  ...{
    license_id: 'l',
    name: me.agent_id,
    token_expires_at: 2_000_000_000,
    license_expires_at: 2_000_000_000,
  },
})
const judged = (name: string, me: Viewer, seen: VisibleChat | undefined, payload: object = {}) => {
  try {
    authorize(named(name), sessionOf(me), name === 'start_chat' ? undefined : seen, payload)
    return true
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError)
    expect(error).toMatchObject({ type: 'authorization', message: sentences[name] })
    return false
  }
}

describe('what an action asks for', () => {
  const inIt = closed([user('ann')])
  const onChats = ['send_event', 'join_chat', 'remove_from_chat', 'close_thread', 'get_chat_threads']

  test.each(onChats)('%s is refused with its own sentence without access', (name) => {
    expect(judged(name, viewer(), closed())).toBe(false)
    expect(judged(name, viewer(), inIt)).toBe(true)
  })

  test('send_event asks for being in the chat, as agent or supervisor, of an owner too', () => {
    expect(judged('send_event', viewer({ permission: 'owner' }), chat())).toBe(false)
    expect(judged('send_event', viewer(), closed([user('ann', 'supervisor')]))).toBe(true)
    expect(judged('send_event', viewer(), closed([user('ann', 'agent', false)]))).toBe(false)
  })

  test.each(onChats.filter((name) => name !== 'send_event'))('for %s access is enough', (name) => {
    expect(judged(name, viewer(), chat())).toBe(true)
    expect(judged(name, viewer({ permission: 'administrator' }), closed())).toBe(true)
  })

  test('a scope of a token opens no chat that its agent has no access to', () => {
    const token_scopes = [
      'chats--chat_scopes:read',
      'chats.conversation--chat_scopes:write',
      'chats.meta--chat_scopes:write',
    ]
    for (const name of onChats) expect(judged(name, viewer({ token_scopes }), closed())).toBe(false)
  })

  // rows: the token's one scope; what it may do in a chat that it is in / that it can only see
  const others = { agent_ids: ['ben'] }
  const self = { agent_ids: ['ann'] }
  const calls: [string, object][] = [
    ['start_chat', {}],
    ['send_event', {}],
    ['join_chat', self],
    ['join_chat', others],
    ['remove_from_chat', {}],
    ['remove_from_chat', self],
    ['remove_from_chat', others],
    ['remove_from_chat', { customer_ids: ['cus'] }],
    ['close_thread', {}],
    ['get_chat_threads', {}],
  ]
  const may = (me: Viewer, seen: VisibleChat) =>
    calls.map(([name, payload]) => (judged(name, me, seen, payload) ? 'x' : '.')).join('')

  test.each<[TokenScope, string, string, string]>([
    // start send join-self join-others leave leave-self remove-others remove-customer close get
    ['chats--all:read', '..........', '..........', '.........x'],
    ['chats--chat_scopes:read', '.........x', '.........x', '.........x'],
    ['chats--my:read', '.........x', '..........', '..........'],
    ['chats.conversation--chat_scopes:write', '.xx.xx....', '..x.xx....', '..x.xx....'],
    ['chats.conversation--my:write', '.x..xx....', '..........', '..........'],
    ['chats.meta--chat_scopes:write', 'x.xxxxxxx.', 'x.xxxxxxx.', 'x.xxxxxxx.'],
    ['chats.meta--my:write', '..xxxxxxx.', '..........', '..........'],
    ['customers.ban:write', '..........', '..........', '..........'],
    ['broadcast:write', '..........', '..........', '..........'],
    ['agents--my:write', '..........', '..........', '..........'],
    ['agents--all:write', '..........', '..........', '..........'],
  ])('%s lets its own actions through and no others', (scope, member, visible, administrator) => {
    const me = viewer({ token_scopes: [scope] })
    expect(may(me, inIt)).toBe(member)
    expect(may(me, chat())).toBe(visible)
    expect(may({ ...me, permission: 'administrator' }, closed())).toBe(administrator)
  })

  test('an unrestricted token does all that access allows', () => {
    expect(may(viewer(), inIt)).toBe('xxxxxxxxxx')
    expect(may(viewer(), chat())).toBe('x.xxxxxxxx')
    expect(may(viewer(), closed())).toBe('x.........')
  })

  test('oneself is meant only where nobody else is named', () => {
    const me = viewer({ token_scopes: ['chats.conversation--chat_scopes:write'] })
    expect(judged('join_chat', me, inIt, { agent_ids: ['ann', 'ben'] })).toBe(false)
    expect(judged('remove_from_chat', me, inIt, { agent_ids: ['ann'], customer_ids: ['cus'] })).toBe(false)
    expect(judged('remove_from_chat', me, inIt, { agent_ids: [], customer_ids: [] })).toBe(true)
  })
})
