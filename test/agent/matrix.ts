import type { RoutingStatus } from '../../shared/protocol/objects.ts'
import type { PushName } from '../../shared/protocol/pushes.ts'
import { denied } from '../support/wire-errors.ts'

// Protocol §4 (who may do what, and token scopes) and §6 (who gets which push), and the source's sentences:
// written out here as data, not taken from the contracts that they judge. `scene.ts` puts these people and
// chats on the wire.

/**
 * Agents of one license, each with what sets it apart: its permission, the chat's scopes, its place in the
 * chat.
 */
export const people = [
  'owner',
  'administrator',
  // by the chat's scopes: `{groups: [1], agents: ['named']}`
  'named',
  'grouped',
  // in the chat, as agent and as supervisor; the scopes name neither
  'member',
  'supervisor',
  // in no chat; in another group
  'outsider',
  // was in the chat, and left
  'former',
] as const
export type Person = (typeof people)[number]

/** `hidden`: its scopes leave out `outsider` and `former`. `open`: it has none. */
export type Kind = 'hidden' | 'open'
type Who = Readonly<Record<Kind, readonly Person[]>>

const insiders = ['member', 'supervisor'] as const
const withAccess = ['owner', 'administrator', 'named', 'grouped', ...insiders] as const

const same = (who: readonly Person[]): Who => ({ hidden: who, open: who })
const access: Who = { hidden: withAccess, open: people }
const membership = same(insiders)
const administration = same(['owner', 'administrator'])
const anyone = same(people)
const nobody = same([])

/** Whom a token scope helps, by its name: those who are this in the chat, or in the license. */
export const reaches = { access, membership, administration, anyone }

/** Every "You ..." sentence of the source, by the action that it stands under. */
export const sentences: Readonly<Record<string, string>> = {
  supervise_chat: 'You do not have permission to add a supervisor to this chat.',
  start_chat: 'You do not have permission to perform this action.',
  join_chat: 'You do not have permission to perform this action.',
  remove_from_chat: 'You do not have permission to perform this action.',
  send_event: 'You cannot send event in this chat.',
  mark_event_as_seen: 'You cannot mark this message as seen.',
  send_typing_indicator: 'You cannot send the typing indicator in this chat.',
  ban_customer: 'You are not allowed to ban this customer.',
  unban_customer: 'You are not allowed to unban this customer.',
  close_thread: 'You are not allowed to close this chat.',
  // the source's slip, kept (protocol §2)
  update_chat_scopes: 'You are not allowed to close this chat.',
  update_agent: 'You are not allowed to change routing status for this agent.',
  change_push_notifications: 'You are not allowed to change push notifications settings for this agent.',
  update_chat_properties: 'You are not allowed to set chat properties.',
  update_chat_thread_properties: 'You are not allowed to set chat thread properties.',
  // beyond the source
  transfer_chat: 'You cannot transfer this chat.',
  get_customer: 'You are not allowed to see this customer.',
  update_customer: 'You are not allowed to update this customer.',
  tag_thread: 'You are not allowed to tag this thread.',
  untag_thread: 'You are not allowed to untag this thread.',
  follow_chat: 'You cannot follow this chat.',
  unfollow_chat: 'You cannot unfollow this chat.',
}

/** A colleague of each, whom nobody else here adds or takes away. */
export const guestOf = (person: string) => `guest-of-${person}`

/** The error of an action that is not for the requester. */
export const deniedFor = (action: string) => denied(sentences[action])

/** What a request can name, as it is for one who asks. */
export interface Place {
  chat_id: string
  thread_id: string
  /** The first event of the last thread. */
  event_id: string
  me: string
  /** The customer of the chat. */
  visitor: string
  /** A colleague whom nobody else here adds or takes away. */
  guest: string
  /** A customer whom nobody else here bans; the other is banned. */
  customer: string
  bannedCustomer: string
  /** The status that one has not. */
  otherStatus: { me: RoutingStatus; host: RoutingStatus }
}

export interface Row {
  /** The action, and where it has several rows, what of it. */
  name: string
  action: string
  on: 'chat' | 'license'
  may: Who
  payload(place: Place): object
  /** What `host`, the agent who started the chat, is pushed where it is done, by the chat's state. */
  effects: { active: readonly PushName[]; closed?: readonly PushName[] | 'chat_inactive' }
  /** Those for whom it is so already: it changes nothing then, and pushes nothing. */
  unchanged?: readonly Person[]
  /** Whether it is stored. */
  writes: boolean
  /**
   * What an owner of another license is answered; `own`: it names nothing, and works on that license alone.
   */
  stranger: 'not_found' | 'denied' | 'own'
  /** The guests are in the chat beforehand. */
  guestsIn?: true
  /** What becomes of the same request by another, who may do it too; without it, it is done again. */
  again?: 'nothing' | 'chat_inactive'
}

type RowDraft = Omit<Row, 'name' | 'action' | 'on' | 'writes' | 'stranger'> & Partial<Row>

const row = (name: string, on: Row['on'], draft: RowDraft): Row => ({
  name,
  action: name.split(' ')[0] ?? name,
  on,
  writes: true,
  stranger: on === 'chat' ? 'not_found' : 'own',
  ...draft,
})
const always = (...pushes: PushName[]) => ({ active: pushes, closed: pushes })
const content = { any: 'thing' }
export const deviceOf = (of: string) => ({ firebase_token: `device-of-${of}`, platform: 'ios' })

const membershipPushes = {
  active: ['incoming_event', 'chat_users_updated'],
  closed: ['chat_users_updated'],
} satisfies Row['effects']

/** Actions that answer before login too. */
export const beforeLogin = ['login', 'ping']

/** Any agent may, with any token; who does is none of these people any more. */
export const endingSession = ['logout']

/** Every other action. Leaving comes last: it may take one's access. */
export const rows: readonly Row[] = [
  row('start_chat', 'license', {
    may: anyone,
    payload: () => ({ chat: { scopes: { agents: ['host'] } } }),
    effects: always('incoming_chat_thread'),
    stranger: 'not_found',
  }),
  row('get_filtered_chats', 'license', {
    may: anyone,
    payload: () => ({}),
    effects: always(),
    writes: false,
    again: 'nothing',
  }),
  row('get_archives', 'license', {
    may: anyone,
    payload: () => ({ filters: { query: 'hello' } }),
    effects: always(),
    writes: false,
    again: 'nothing',
  }),
  row('sync', 'license', {
    may: anyone,
    payload: () => ({ cursor: '' }),
    effects: always(),
    writes: false,
    again: 'nothing',
  }),
  row('list_group_statuses', 'license', {
    may: anyone,
    payload: () => ({ group_ids: [1] }),
    effects: always(),
    writes: false,
    again: 'nothing',
  }),
  row('send_broadcast', 'license', {
    may: anyone,
    payload: () => ({ content }),
    effects: always('incoming_broadcast'),
    writes: false,
  }),
  row('send_broadcast to some', 'license', {
    may: anyone,
    payload: () => ({ content, scopes: { agents: ['host'] } }),
    effects: always('incoming_broadcast'),
    writes: false,
    stranger: 'not_found',
  }),
  row('ban_customer', 'license', {
    may: anyone,
    payload: ({ customer }) => ({ customer_id: customer, ban: { days: 3 } }),
    effects: always('customer_banned'),
    stranger: 'not_found',
  }),
  row('unban_customer', 'license', {
    may: anyone,
    payload: ({ bannedCustomer }) => ({ customer_id: bannedCustomer }),
    effects: always('customer_unbanned'),
    stranger: 'not_found',
    again: 'nothing',
  }),
  row('update_agent of oneself', 'license', {
    may: anyone,
    payload: ({ otherStatus }) => ({ routing_status: otherStatus.me }),
    effects: always('agent_updated'),
    again: 'nothing',
  }),
  row('update_agent of another', 'license', {
    may: administration,
    payload: ({ otherStatus }) => ({ agent_id: 'host', routing_status: otherStatus.host }),
    effects: always('agent_updated'),
    stranger: 'not_found',
    again: 'nothing',
  }),
  row("change_push_notifications of one's own device", 'license', {
    may: anyone,
    payload: ({ me }) => ({ ...deviceOf(me), enabled: true }),
    effects: always(),
  }),
  row("change_push_notifications of another's device", 'license', {
    may: nobody,
    payload: () => ({ ...deviceOf('host'), enabled: false }),
    effects: always(),
    stranger: 'denied',
  }),

  row('get_chat_threads', 'chat', {
    may: access,
    payload: ({ chat_id }) => ({ chat_id }),
    effects: always(),
    writes: false,
    again: 'nothing',
  }),
  row('transfer_chat', 'chat', {
    may: access,
    // to those who have it
    payload: ({ chat_id }) => ({
      chat_id,
      target: { type: 'agent', ids: ['host', ...people, ...people.map(guestOf)] },
      ignore_requester_presence: true,
    }),
    effects: { active: [], closed: 'chat_inactive' },
    writes: false,
    again: 'nothing',
  }),
  row('list_agents_for_transfer', 'chat', {
    may: access,
    payload: ({ chat_id }) => ({ chat_id }),
    effects: always(),
    writes: false,
    again: 'nothing',
  }),
  row('follow_chat', 'chat', {
    may: access,
    payload: ({ chat_id }) => ({ chat_id }),
    effects: always(),
  }),
  row('unfollow_chat', 'chat', {
    may: access,
    payload: ({ chat_id }) => ({ chat_id }),
    effects: always(),
    // nobody follows these chats
    writes: false,
    again: 'nothing',
  }),
  row('send_event', 'chat', {
    may: membership,
    payload: ({ chat_id, me }) => ({ chat_id, event: { type: 'message', text: `${me} speaks` } }),
    effects: { active: ['incoming_event'], closed: ['incoming_chat_thread'] },
  }),
  row('send_event to all', 'chat', {
    // a supervisor's events go to agents only
    may: same(['member']),
    payload: ({ chat_id, me }) => ({
      chat_id,
      event: { type: 'message', text: `${me} speaks`, recipients: 'all' },
    }),
    effects: { active: ['incoming_event'], closed: ['incoming_chat_thread'] },
  }),
  row('mark_event_as_seen', 'chat', {
    may: membership,
    payload: ({ chat_id, event_id }) => ({ chat_id, event_id }),
    effects: always('event_marked_as_seen', 'last_seen_timestamp_updated'),
  }),
  row('update_last_seen_timestamp', 'chat', {
    may: membership,
    payload: ({ chat_id }) => ({ chat_id }),
    effects: always('last_seen_timestamp_updated'),
  }),
  row('send_typing_indicator', 'chat', {
    may: membership,
    payload: ({ chat_id }) => ({ chat_id, is_typing: true }),
    effects: always('incoming_typing_indicator'),
    writes: false,
  }),
  row('update_chat_properties', 'chat', {
    may: access,
    payload: ({ chat_id, me }) => ({ chat_id, properties: { [me]: { was: 'here' } } }),
    effects: always('chat_properties_updated'),
    again: 'nothing',
  }),
  row('update_chat_thread_properties', 'chat', {
    may: access,
    payload: ({ chat_id, thread_id, me }) => ({ chat_id, thread_id, properties: { [me]: { was: 'here' } } }),
    effects: always('chat_thread_properties_updated'),
    again: 'nothing',
  }),
  row('tag_thread', 'chat', {
    may: access,
    payload: ({ chat_id, thread_id, me }) => ({ chat_id, thread_id, tag: `of ${me}` }),
    effects: always('thread_tagged'),
    again: 'nothing',
  }),
  row('untag_thread', 'chat', {
    may: access,
    payload: ({ chat_id, thread_id, me }) => ({ chat_id, thread_id, tag: `for ${me}` }),
    effects: always('thread_untagged'),
    again: 'nothing',
  }),
  row('get_customer', 'chat', {
    may: access,
    payload: ({ visitor }) => ({ customer_id: visitor }),
    effects: always(),
    writes: false,
    again: 'nothing',
  }),
  row('update_customer', 'chat', {
    may: access,
    payload: ({ visitor, me }) => ({ customer_id: visitor, customer: { name: `Met ${me}` } }),
    // who is told goes by who sees the active thread
    effects: { active: ['customer_updated'], closed: [] },
    again: 'nothing',
  }),
  row('update_chat_scopes', 'chat', {
    may: access,
    payload: ({ chat_id, guest }) => ({ chat_id, add_scopes: { agents: [guest] } }),
    effects: always('chat_scopes_updated'),
    again: 'nothing',
  }),
  row('supervise_chat of another', 'chat', {
    may: access,
    payload: ({ chat_id, guest }) => ({ chat_id, agent_ids: [guest] }),
    effects: membershipPushes,
    again: 'nothing',
  }),
  row('supervise_chat of oneself', 'chat', {
    may: access,
    payload: ({ chat_id }) => ({ chat_id }),
    effects: membershipPushes,
    unchanged: insiders,
  }),
  row('join_chat of another', 'chat', {
    may: access,
    payload: ({ chat_id, guest }) => ({ chat_id, agent_ids: [guest] }),
    effects: membershipPushes,
    again: 'nothing',
  }),
  row('join_chat of oneself', 'chat', {
    may: access,
    payload: ({ chat_id, me }) => ({ chat_id, agent_ids: [me] }),
    effects: membershipPushes,
    unchanged: ['member'],
  }),
  row('remove_from_chat of another', 'chat', {
    may: access,
    payload: ({ chat_id, guest }) => ({ chat_id, agent_ids: [guest] }),
    effects: membershipPushes,
    guestsIn: true,
    again: 'nothing',
  }),
  row('close_thread', 'chat', {
    may: access,
    payload: ({ chat_id }) => ({ chat_id }),
    effects: { active: ['incoming_event', 'thread_closed'], closed: 'chat_inactive' },
    again: 'chat_inactive',
  }),
  row('remove_from_chat of oneself', 'chat', {
    may: access,
    payload: ({ chat_id }) => ({ chat_id }),
    effects: membershipPushes,
    unchanged: people.filter((person) => !insiders.some((one) => one === person)),
  }),
]

// ---- token scopes

const reading = [
  'get_archives',
  'get_filtered_chats',
  'sync',
  'get_chat_threads',
  'mark_event_as_seen',
  'update_last_seen_timestamp',
  'follow_chat',
  'unfollow_chat',
  'list_agents_for_transfer',
] as const
const conversing = [
  'send_event',
  'send_event to all',
  'send_typing_indicator',
  'update_chat_properties',
  'update_chat_thread_properties',
  'remove_from_chat of oneself',
] as const
const managing = [
  'join_chat of another',
  'join_chat of oneself',
  'remove_from_chat of another',
  'remove_from_chat of oneself',
  'supervise_chat of another',
  'supervise_chat of oneself',
  'close_thread',
  'transfer_chat',
  'update_chat_scopes',
  'tag_thread',
  'untag_thread',
] as const
const banning = ['ban_customer', 'unban_customer'] as const
const broadcasting = ['send_broadcast', 'send_broadcast to some'] as const

export interface TokenScopeRow {
  scope: string
  reach: keyof typeof reaches
  /** Names of rows. */
  grants: readonly string[]
  /** Whether the pushes about chats come through. */
  pushes?: true
}

export const tokenScopes: readonly TokenScopeRow[] = [
  { scope: 'chats--all:read', reach: 'administration', grants: reading, pushes: true },
  { scope: 'chats--chat_scopes:read', reach: 'access', grants: reading, pushes: true },
  { scope: 'chats--my:read', reach: 'membership', grants: reading, pushes: true },
  {
    scope: 'chats.conversation--chat_scopes:write',
    reach: 'access',
    grants: [...conversing, 'join_chat of oneself'],
  },
  { scope: 'chats.conversation--my:write', reach: 'membership', grants: conversing },
  { scope: 'chats.meta--chat_scopes:write', reach: 'access', grants: [...managing, 'start_chat'] },
  { scope: 'chats.meta--my:write', reach: 'membership', grants: managing },
  { scope: 'customers:read', reach: 'access', grants: ['get_customer'] },
  { scope: 'customers:write', reach: 'access', grants: ['update_customer'] },
  { scope: 'customers.ban:write', reach: 'anyone', grants: banning },
  { scope: 'broadcast:write', reach: 'anyone', grants: broadcasting },
  { scope: 'agents--my:write', reach: 'anyone', grants: ['update_agent of oneself'] },
  {
    scope: 'agents--all:write',
    reach: 'administration',
    grants: ['update_agent of oneself', 'update_agent of another'],
  },
]

/**
 * Rows that no token scope narrows: one's own device is as much one's own with any token, and who is there is
 * told every visitor.
 */
export const unscoped: readonly string[] = [
  "change_push_notifications of one's own device",
  'list_group_statuses',
]

/**
 * By whom the reach of a scope is told: by permission, in the chat, by the chat's scopes, and without access.
 */
export const holders = ['administrator', 'member', 'named', 'outsider'] as const
export type Holder = (typeof holders)[number]

/** In whose hands a scope helps most: all but those for administrators do where one is in the chat. */
export const strongest = (scope: string): Holder => (scope.includes('--all:') ? 'administrator' : 'member')

/**
 * Whether this one may do it, in a chat with scopes, by what it is itself; and then whether the scope helps
 * it.
 */
export const helps = (one: TokenScopeRow, row: Row, holder: Person): boolean => {
  if (!row.may.hidden.includes(holder)) return false
  if (unscoped.includes(row.name)) return true
  if (!one.grants.includes(row.name)) return false
  // `--chat_scopes` and `--my` are about a chat; what names none is narrowed by administration alone
  const isNarrowed = row.on === 'chat' || one.reach === 'administration'
  return !isNarrowed || reaches[one.reach].hidden.includes(holder)
}

/** Token scopes that grant writing in chats, and none of those to read them. */
export const tokenOnlyFor = {
  writing: 'chats.conversation--chat_scopes:write chats.meta--chat_scopes:write broadcast:write',
}

// ---- pushes

/** Who may be told: `blind` is a connection of the owner's whose token lacks the scopes to read chats. */
export type Receiver = Person | 'host' | 'blind'

const agents: readonly Receiver[] = ['host', ...withAccess]
const everyone: readonly Receiver[] = ['host', ...people, 'blind']
const without = (all: readonly Receiver[], ...left: Receiver[]) => all.filter((one) => !left.includes(one))

interface Told {
  push: PushName
  to: readonly Receiver[]
  /** What its payload has at least. */
  payload(place: Place): object
}

export interface Cause {
  name: string
  by: Person | 'host'
  action: string
  payload(place: Place): object
  /** In a hidden chat, whose thread is closed here. */
  closed?: true
  /** In the chat of `customer`, with the same people in it and the same scopes. */
  customers?: true
  /** In this order, to whoever gets several. */
  told: readonly Told[]
  /** Whom `host`'s next message reaches, where this changes that. */
  thereafter?: readonly Receiver[]
}

const chatOf = ({ chat_id }: Place) => ({ chat: { id: chat_id } })
const inChat = (fields: object) => (place: Place) => ({ chat_id: place.chat_id, ...fields })
const inThread = (fields: object) => (place: Place) => ({
  chat_id: place.chat_id,
  thread_id: place.thread_id,
  ...fields,
})
const said = (text: string, recipients = 'all') => inThread({ event: { type: 'message', text, recipients } })
const message = (text: string) => inChat({ event: { type: 'message', text } })
const system = (system_message_type: string, recipients = 'all') =>
  inThread({ event: { type: 'system_message', system_message_type, recipients } })
const unchanged = { added: [], removed_ids: [] }
const agentsUpdated = (change: object) =>
  inChat({ updated_users: { customers: unchanged, agents: change, supervisors: unchanged } })
const supervisorsUpdated = (change: object) =>
  inChat({ updated_users: { customers: unchanged, agents: unchanged, supervisors: change } })
const typing = (author_id: string, recipients: string) =>
  inChat({ typing_indicator: { author_id, recipients, is_typing: true } })

export const causes: readonly Cause[] = [
  {
    name: 'start_chat',
    by: 'host',
    action: 'start_chat',
    payload: () => ({ chat: { scopes: { groups: [1], agents: ['named'] } } }),
    told: [
      {
        push: 'incoming_chat_thread',
        to: ['host', 'owner', 'administrator', 'named', 'grouped'],
        payload: () => ({ chat: { scopes: { groups: [1], agents: ['named'] } } }),
      },
    ],
  },
  {
    name: 'send_event, where no thread is active',
    by: 'member',
    action: 'send_event',
    closed: true,
    payload: message('again'),
    told: [{ push: 'incoming_chat_thread', to: agents, payload: chatOf }],
  },
  {
    name: 'send_event',
    by: 'host',
    action: 'send_event',
    payload: message('hi'),
    told: [{ push: 'incoming_event', to: agents, payload: said('hi') }],
  },
  {
    name: "send_event, a supervisor's",
    by: 'supervisor',
    action: 'send_event',
    payload: message('psst'),
    told: [{ push: 'incoming_event', to: agents, payload: said('psst', 'agents') }],
  },
  {
    name: 'join_chat of one without access',
    by: 'host',
    action: 'join_chat',
    payload: inChat({ agent_ids: ['outsider'] }),
    told: [
      { push: 'incoming_chat_thread', to: ['outsider'], payload: chatOf },
      { push: 'incoming_event', to: [...agents, 'outsider'], payload: system('agent_joined') },
      {
        push: 'chat_users_updated',
        to: [...agents, 'outsider'],
        payload: agentsUpdated({ added: [{ id: 'outsider', type: 'agent' }], removed_ids: [] }),
      },
    ],
    thereafter: [...agents, 'outsider'],
  },
  {
    name: 'join_chat, where no thread is active',
    by: 'member',
    action: 'join_chat',
    closed: true,
    payload: inChat({ agent_ids: ['former'] }),
    told: [
      { push: 'incoming_chat_thread', to: ['former'], payload: chatOf },
      {
        push: 'chat_users_updated',
        to: [...agents, 'former'],
        payload: agentsUpdated({ added: [{ id: 'former', type: 'agent' }], removed_ids: [] }),
      },
    ],
  },
  {
    name: "join_chat, a supervisor's",
    by: 'supervisor',
    action: 'join_chat',
    payload: inChat({ agent_ids: ['supervisor'] }),
    told: [
      { push: 'incoming_event', to: agents, payload: system('agent_joined') },
      {
        push: 'chat_users_updated',
        to: agents,
        payload: inChat({
          updated_users: {
            customers: unchanged,
            agents: { added: [{ id: 'supervisor', type: 'agent' }], removed_ids: [] },
            supervisors: { added: [], removed_ids: ['supervisor'] },
          },
        }),
      },
    ],
  },
  {
    name: 'follow_chat',
    by: 'grouped',
    action: 'follow_chat',
    payload: inChat({}),
    told: [{ push: 'incoming_chat_thread', to: ['grouped'], payload: chatOf }],
  },
  {
    name: 'supervise_chat',
    by: 'owner',
    action: 'supervise_chat',
    payload: inChat({ agent_ids: ['outsider'] }),
    told: [
      { push: 'incoming_chat_thread', to: ['outsider'], payload: chatOf },
      { push: 'incoming_event', to: [...agents, 'outsider'], payload: system('agent_joined', 'agents') },
      {
        push: 'chat_users_updated',
        to: [...agents, 'outsider'],
        payload: supervisorsUpdated({ added: [{ id: 'outsider', type: 'supervisor' }], removed_ids: [] }),
      },
    ],
    thereafter: [...agents, 'outsider'],
  },
  {
    name: 'remove_from_chat',
    by: 'named',
    action: 'remove_from_chat',
    payload: inChat({ agent_ids: ['member'] }),
    told: [
      { push: 'incoming_event', to: without(agents, 'member'), payload: system('agent_left') },
      {
        push: 'chat_users_updated',
        to: agents,
        payload: agentsUpdated({ added: [], removed_ids: ['member'] }),
      },
    ],
    thereafter: without(agents, 'member'),
  },
  {
    name: 'remove_from_chat of a supervisor',
    by: 'supervisor',
    action: 'remove_from_chat',
    payload: inChat({}),
    told: [
      { push: 'incoming_event', to: without(agents, 'supervisor'), payload: system('agent_left', 'agents') },
      {
        push: 'chat_users_updated',
        to: agents,
        payload: supervisorsUpdated({ added: [], removed_ids: ['supervisor'] }),
      },
    ],
    thereafter: without(agents, 'supervisor'),
  },
  {
    name: 'transfer_chat',
    by: 'member',
    action: 'transfer_chat',
    payload: inChat({ target: { type: 'agent', ids: ['host'] } }),
    told: [
      { push: 'incoming_event', to: without(agents, 'member'), payload: system('transferred') },
      {
        push: 'chat_users_updated',
        to: agents,
        payload: agentsUpdated({ added: [], removed_ids: ['member'] }),
      },
      {
        push: 'chat_transferred',
        to: agents,
        payload: inThread({
          requester_id: 'member',
          reason: 'manual',
          transferred_to: { agent_ids: ['host'], group_ids: [] },
        }),
      },
    ],
    thereafter: without(agents, 'member'),
  },
  {
    name: 'close_thread',
    by: 'member',
    action: 'close_thread',
    payload: inChat({}),
    told: [
      { push: 'incoming_event', to: agents, payload: system('manual_archived') },
      { push: 'thread_closed', to: agents, payload: inThread({ user_id: 'member' }) },
    ],
  },
  {
    name: 'mark_event_as_seen',
    by: 'supervisor',
    action: 'mark_event_as_seen',
    payload: ({ chat_id, event_id }) => ({ chat_id, event_id }),
    told: [
      {
        push: 'event_marked_as_seen',
        to: agents,
        payload: ({ chat_id, event_id }) => ({ chat_id, event_id, user_id: 'supervisor' }),
      },
      { push: 'last_seen_timestamp_updated', to: agents, payload: inChat({ user_id: 'supervisor' }) },
    ],
  },
  {
    name: 'update_last_seen_timestamp',
    by: 'member',
    action: 'update_last_seen_timestamp',
    payload: inChat({ timestamp: 1_473_433_500 }),
    told: [
      {
        push: 'last_seen_timestamp_updated',
        to: agents,
        payload: inChat({ user_id: 'member', timestamp: 1_473_433_500 }),
      },
    ],
  },
  {
    name: 'send_typing_indicator',
    by: 'host',
    action: 'send_typing_indicator',
    payload: inChat({ is_typing: true }),
    told: [{ push: 'incoming_typing_indicator', to: insiders, payload: typing('host', 'all') }],
  },
  {
    name: "send_typing_indicator, a supervisor's",
    by: 'supervisor',
    action: 'send_typing_indicator',
    payload: inChat({ is_typing: true }),
    told: [
      {
        push: 'incoming_typing_indicator',
        to: ['host', 'member'],
        payload: typing('supervisor', 'agents'),
      },
    ],
  },
  {
    name: 'send_broadcast to everyone',
    by: 'outsider',
    action: 'send_broadcast',
    payload: () => ({ content }),
    told: [{ push: 'incoming_broadcast', to: everyone, payload: () => ({ author_id: 'outsider', content }) }],
  },
  {
    name: 'send_broadcast to an agent and a group',
    by: 'member',
    action: 'send_broadcast',
    payload: () => ({ content, scopes: { agents: ['former'], groups: [1] } }),
    told: [
      {
        push: 'incoming_broadcast',
        to: ['former', 'grouped'],
        payload: () => ({ author_id: 'member', content }),
      },
    ],
  },
  {
    name: "update_chat_scopes that takes a group's access",
    by: 'owner',
    action: 'update_chat_scopes',
    payload: inChat({ remove_scopes: { groups: [1] } }),
    told: [
      {
        push: 'chat_scopes_updated',
        to: agents,
        payload: inChat({ scopes_added: {}, scopes_removed: { groups: [1] } }),
      },
    ],
    thereafter: without(agents, 'grouped'),
  },
  {
    name: "update_chat_scopes that takes an agent's access",
    by: 'named',
    action: 'update_chat_scopes',
    payload: inChat({ remove_scopes: { agents: ['named'] } }),
    told: [
      {
        push: 'chat_scopes_updated',
        to: agents,
        payload: inChat({ scopes_added: {}, scopes_removed: { agents: ['named'] } }),
      },
    ],
    thereafter: without(agents, 'named'),
  },
  {
    name: 'update_chat_scopes that gives access',
    by: 'host',
    action: 'update_chat_scopes',
    closed: true,
    payload: inChat({ add_scopes: { groups: [2] } }),
    told: [
      { push: 'incoming_chat_thread', to: ['outsider'], payload: chatOf },
      {
        push: 'chat_scopes_updated',
        to: [...agents, 'outsider'],
        payload: inChat({ scopes_added: { groups: [2] }, scopes_removed: {} }),
      },
    ],
  },
  {
    name: 'update_chat_scopes that leaves none',
    by: 'grouped',
    action: 'update_chat_scopes',
    payload: inChat({ remove_scopes: { groups: [1], agents: ['named'] } }),
    told: [
      { push: 'incoming_chat_thread', to: ['outsider', 'former'], payload: chatOf },
      {
        push: 'chat_scopes_updated',
        to: ['host', ...people],
        payload: inChat({ scopes_added: {}, scopes_removed: { groups: [1], agents: ['named'] } }),
      },
    ],
    thereafter: ['host', ...people],
  },
  {
    name: 'update_chat_properties',
    by: 'grouped',
    action: 'update_chat_properties',
    payload: inChat({ properties: { rating: { score: 2 } } }),
    told: [
      {
        push: 'chat_properties_updated',
        to: agents,
        payload: inChat({ properties: { rating: { score: { value: 2 } } } }),
      },
    ],
  },
  {
    name: 'update_chat_thread_properties',
    by: 'administrator',
    action: 'update_chat_thread_properties',
    closed: true,
    payload: inThread({ properties: { rating: { score: 2 } } }),
    told: [
      {
        push: 'chat_thread_properties_updated',
        to: agents,
        payload: inThread({ properties: { rating: { score: { value: 2 } } } }),
      },
    ],
  },
  {
    name: 'tag_thread',
    by: 'named',
    action: 'tag_thread',
    closed: true,
    payload: inThread({ tag: 'Refund' }),
    told: [{ push: 'thread_tagged', to: agents, payload: inThread({ tag: 'Refund' }) }],
  },
  {
    name: 'untag_thread',
    by: 'supervisor',
    action: 'untag_thread',
    payload: inThread({ tag: 'for supervisor' }),
    told: [{ push: 'thread_untagged', to: agents, payload: inThread({ tag: 'for supervisor' }) }],
  },
  {
    name: 'update_customer',
    by: 'grouped',
    action: 'update_customer',
    customers: true,
    payload: ({ visitor }) => ({ customer_id: visitor, customer: { email: 'carla@example.com' } }),
    told: [
      {
        push: 'customer_updated',
        to: agents,
        payload: ({ chat_id, visitor }) => ({
          ...{ chat_id, customer: { id: visitor, type: 'customer', email: 'carla@example.com' } },
        }),
      },
    ],
  },
  {
    name: 'ban_customer, of one without a chat',
    by: 'outsider',
    action: 'ban_customer',
    payload: ({ customer }) => ({ customer_id: customer, ban: { days: 2 } }),
    told: [
      {
        push: 'customer_banned',
        to: everyone,
        payload: ({ customer }) => ({ customer_id: customer, ban: { days: 2 } }),
      },
    ],
  },
  {
    name: 'ban_customer, of one with an active thread',
    by: 'host',
    action: 'ban_customer',
    customers: true,
    payload: ({ customer }) => ({ customer_id: customer, ban: { days: 2 } }),
    told: [
      { push: 'incoming_event', to: agents, payload: system('customer_banned') },
      { push: 'thread_closed', to: agents, payload: inThread({ user_id: 'host' }) },
      {
        push: 'customer_banned',
        to: everyone,
        payload: ({ customer }) => ({ customer_id: customer, ban: { days: 2 } }),
      },
    ],
  },
  {
    name: 'unban_customer',
    by: 'former',
    action: 'unban_customer',
    payload: ({ bannedCustomer }) => ({ customer_id: bannedCustomer }),
    told: [
      {
        push: 'customer_unbanned',
        to: everyone,
        payload: ({ bannedCustomer }) => ({ customer_id: bannedCustomer }),
      },
    ],
  },
  {
    name: 'update_agent',
    by: 'administrator',
    action: 'update_agent',
    payload: ({ otherStatus }) => ({ agent_id: 'host', routing_status: otherStatus.host }),
    told: [
      {
        push: 'agent_updated',
        to: everyone,
        payload: ({ otherStatus }) => ({ agent_id: 'host', routing_status: otherStatus.host }),
      },
    ],
  },
]

/** The pushes that no single request causes: tests of their own bring them about. */
export const pushesWithoutAction = [
  'agent_disconnected',
  'chat_unfollowed',
  // by the operator's commands
  ...(['agent_created', 'agent_deleted', 'agent_suspended', 'agent_unsuspended'] as const),
  ...(['group_created', 'group_updated', 'group_deleted'] as const),
  'groups_status_updated',
  'chat_deleted',
] as const

/** The pushes to agents that only customers cause: tests in test/customer bring them about. */
export const causedByCustomers = ['incoming_sneak_peek', 'queue_positions_updated'] as const

/** All of §6 as it lists them, and what goes beyond. */
export const listedPushes = [
  'groups_status_updated',
  'chat_unfollowed',
  'chat_transferred',
  'queue_positions_updated',
  'queue_position_updated',
  'chat_deleted',
  ...(['agent_created', 'agent_deleted', 'agent_suspended', 'agent_unsuspended'] as const),
  ...(['group_created', 'group_updated', 'group_deleted'] as const),
  'incoming_chat_thread',
  'incoming_event',
  'chat_users_updated',
  'thread_closed',
  'event_marked_as_seen',
  'last_seen_timestamp_updated',
  'incoming_typing_indicator',
  'incoming_sneak_peek',
  'incoming_broadcast',
  'chat_scopes_updated',
  'chat_properties_updated',
  'chat_thread_properties_updated',
  'thread_tagged',
  'thread_untagged',
  'customer_updated',
  'customer_banned',
  'customer_unbanned',
  'agent_updated',
  'agent_disconnected',
  'customer_disconnected',
] as const
