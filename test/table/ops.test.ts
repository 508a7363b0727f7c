import {
  requireNotBanned,
  setCard,
  setCustomerOffline,
  setCustomerDetails,
  setThreadOfCustomer,
} from '../../shared/table/customers.ts'
import { parseTags, setTags } from '../../shared/table/chat/stored-tags.ts'
import { setErased, removeErasure } from '../../shared/table/erasing.ts'
import { setAssignedChat, adjustLoad, switchLoad, incrementLoad } from '../../shared/table/chat/loads.ts'
import { requireAccount, requireAgentReady } from '../../shared/table/accounts.ts'
import { setBotStatus, setStatus } from '../../shared/table/agent-status.ts'
import { describe, expect, test } from 'vitest'
import {
  requireAgentActive,
  AgentItem,
  requireGroup,
  setOnline,
  setOffline,
} from '../../shared/table/accounts.ts'
import {
  updateActiveChat,
  type Chat,
  requireNoChat,
  listActiveChat,
  putChat,
  setClosedAt,
  unlistActiveChat,
  unlistClosedChat,
  putChatListing,
  setNextCheck,
  putNewChat,
  requireChatUnchanged,
} from '../../shared/table/chat/chats.ts'
import { noteClosedChat, putChangedBan, putChangedChat } from '../../shared/table/chat/changed-chats.ts'
import { seenEvent, seenMoved } from '../../shared/table/chat/seen-marks.ts'
import { removeBan, setBan, CustomerItem, isBanned } from '../../shared/table/customers.ts'
import { eventsRange, tailRange, threadRange } from '../../shared/table/chat/log-ranges.ts'
import { putEntry, putHead, setHeadUsers, newHead, nextEntry } from '../../shared/table/chat/log-entries.ts'
import type { Op } from '../../shared/table/ops.ts'
import { parseProperties, setProperties } from '../../shared/table/chat/stored-properties.ts'
import { type Session } from '../../shared/table/sockets.ts'
import {
  endSession,
  extendSession,
  setCustomerName,
  markSlow,
  putSocket,
  refreshSession,
  putSession,
} from '../../shared/table/session-writes.ts'
import { removeConnection, putClosingClaim, removeSocket } from '../../shared/table/end-session.ts'
import { readable } from '../support/readable-op.ts'

const agent = AgentItem.parse({
  ...{ id: 'ann', license_id: 'l1', name: 'Ann', permission: 'normal', groups: [1], version: 4, seq: 9 },
})
const agentKey = { pk: 'LICENSE#l1', sk: 'AGENT#ann' }

describe('presence, as data', () => {
  test('the first login sets the status, where account and presence are as they were read', () => {
    expect(readable(setOnline(agent, 'accepting_chats'))).toEqual({
      Update: {
        Key: agentKey,
        does: 'SET online = true, routing_status = "accepting_chats" REMOVE away ADD seq 1',
        when: 'version = 4 AND attribute_not_exists(routing_status) AND (attribute_not_exists(online) OR online = false)',
      },
    })
  })

  test('a later login only counts: it sets no status, and needs the agent to be online still, with the status as it was read', () => {
    const online = { ...agent, online: true, routing_status: 'accepting_chats' as const }
    expect(readable(setOnline(online, undefined))).toEqual({
      Update: {
        Key: agentKey,
        does: 'SET online = true REMOVE away ADD seq 1',
        when: 'version = 4 AND routing_status = "accepting_chats" AND online = true',
      },
    })
  })

  test('an agent goes offline only where no login came since, by one check, which holds again for itself', () => {
    expect(readable(setOffline({ ...agent, online: true }, 'k'))).toEqual({
      Update: {
        Key: agentKey,
        does: 'SET online = false, offline_by = "k"',
        when: 'seq = 9 AND (online = true OR offline_by = "k")',
      },
    })
  })

  test('neither touches the version of the account, which would count as a change of it', () => {
    for (const op of [
      setOnline(agent, 'accepting_chats'),
      setOnline(agent, undefined),
      setOffline(agent, 'k'),
    ])
      expect('Update' in op && op.Update.UpdateExpression).not.toMatch(/#version/)
  })
})

describe('a bot’s status, as data', () => {
  test('takes it online and offline, and the last one is kept', () => {
    const isBot =
      'bot = true AND (attribute_not_exists(suspended) OR suspended = false) AND (attribute_not_exists(deleted) OR deleted = false)'
    expect(readable(setBotStatus('l1', 'ann', 'accepting_chats', 'n'))).toEqual({
      Update: {
        Key: agentKey,
        does: 'SET online = true, routing_status = "accepting_chats", status_by = "n"',
        when: `${isBot} AND (((attribute_not_exists(online) OR online = false) OR (attribute_not_exists(routing_status) OR routing_status <> "accepting_chats")) OR status_by = "n")`,
      },
    })
    expect(readable(setBotStatus('l1', 'ann', 'offline', 'n'))).toEqual({
      Update: {
        Key: agentKey,
        does: 'SET online = false, status_by = "n"',
        when: `${isBot} AND (online = true OR status_by = "n")`,
      },
    })
  })
})

describe('checks of accounts, as data', () => {
  test('the account is as it was read', () => {
    expect(readable(requireAccount(agent))).toEqual({
      ConditionCheck: { Key: agentKey, when: 'version = 4' },
    })
  })

  test('an agent is there, neither suspended nor deleted', () => {
    expect(readable(requireAgentActive('l1', 'ann'))).toEqual({
      ConditionCheck: {
        Key: agentKey,
        when: 'attribute_exists(pk) AND (attribute_not_exists(suspended) OR suspended = false) AND (attribute_not_exists(deleted) OR deleted = false)',
      },
    })
  })

  test('a group is there', () => {
    expect(readable(requireGroup('l1', 2))).toEqual({
      ConditionCheck: { Key: { pk: 'LICENSE#l1', sk: 'GROUP#2' }, when: 'attribute_exists(pk)' },
    })
  })
})

const session: Session = {
  ...{ license_id: 'l1', agent_id: 'ann', name: 'Ann', permission: 'normal', groups: [1] },
  ...{ token_expires_at: 1_900_000_000, license_expires_at: 2_000_000_000 },
  application: { name: 'app' },
}
const socketKey = { pk: 'SOCKET#c=', sk: 'SOCKET' }
const rowKey = { pk: 'LICENSE#l1#SOCKETS', sk: 'ann#c=' }
const nowMs = 1_700_000_000_123

describe('sockets, as data', () => {
  test('a connection is kept for as long as the gateway can hold it open', () => {
    expect(putSocket('c=', nowMs)).toEqual({
      Put: { Item: { ...socketKey, connection: 'c=', connected_at: nowMs, ttl: 1_700_000_000 + 7500 } },
    })
  })

  test('a login writes the session to a socket that is there, not being closed and nobody else’s, and its row without what others need not know', () => {
    const { name: _, application: __, ...shared } = session
    const ops = putSession({ connection: 'c=', connected_at: nowMs, ttl: 1_700_007_500 }, session, nowMs)
    expect(ops.map(readable)).toEqual([
      {
        Update: {
          Key: socketKey,
          does: `SET session = ${JSON.stringify(session)} REMOVE closing_at, closing_by`,
          when: `attribute_exists(pk) AND (attribute_not_exists(closing_at) OR closing_at < ${nowMs - 10_000}) AND (attribute_not_exists(session) OR session.license_id = "l1" AND session.agent_id = "ann")`,
        },
      },
      { Put: { Item: { ...rowKey, ...shared, connection: 'c=', ttl: 1_700_007_500 } } },
    ])
  })

  test('a refresh moves its rows, where the session is still as it was read', () => {
    const before = { ...session, places: ['C#OPEN', 'C#GROUP1'] }
    const account = {
      name: 'Anna',
      permission: 'normal' as const,
      groups: [2],
      places: ['C#OPEN', 'C#GROUP2'],
    }
    const [socket, ...rows] = refreshSession({ connection: 'c=', ttl: 7 }, before, account)
    const after = { ...before, ...account }
    expect(readable(socket!)).toEqual({
      Update: {
        Key: socketKey,
        does: `SET session = ${JSON.stringify(after)}`,
        when: 'session.agent_id = "ann" AND attribute_not_exists(session.nonce) AND session.license_expires_at = 2000000000 AND attribute_not_exists(session.ended) AND session.permission = "normal" AND session.groups = [1]',
      },
    })
    const { name: _, application: __, ...shared } = after
    const row = { ...shared, connection: 'c=', ttl: 7 }
    expect(rows).toEqual([
      { Put: { Item: { ...rowKey, ...row } } },
      { Put: { Item: { pk: 'AUDIENCE#l1#OPEN', sk: 'C#ann#c=', ...row } } },
      { Put: { Item: { pk: 'AUDIENCE#l1#GROUP2', sk: 'C#ann#c=', ...row } } },
      { Delete: { Key: { pk: 'AUDIENCE#l1#GROUP1', sk: 'C#ann#c=' } } },
    ])
  })

  test('closing is claimed by one, unless whoever did has died, and with the session it was judged by', () => {
    const claim = (of: typeof session | undefined) =>
      readable(putClosingClaim('c=', { session: of, nonce: 'n', nowMs }))
    const claimed = (judged: string) => ({
      Update: {
        Key: socketKey,
        does: `SET closing_at = ${nowMs}, closing_by = "n"`,
        when: `attribute_exists(pk) AND ((attribute_not_exists(closing_at) OR closing_at < ${nowMs - 10_000}) OR closing_by = "n") AND ${judged}`,
      },
    })
    expect(claim(session)).toEqual(
      claimed('session.token_expires_at = 1900000000 AND session.license_expires_at = 2000000000'),
    )
    expect(claim(undefined)).toEqual(claimed('attribute_not_exists(session)'))
    expect(claim({ ...session, ended: 'access_token_revoked' })).toEqual(
      claimed('attribute_exists(session.ended)'),
    )
  })

  test('a session ends where there is one, and its row with it', () => {
    const { name: _, application: __, ...shared } = session
    expect(endSession({ ...shared, connection: 'c=', ttl: 1 }, 'access_token_revoked').map(readable)).toEqual(
      [
        {
          Update: {
            Key: socketKey,
            does: 'SET session.ended = "access_token_revoked"',
            when: 'session.agent_id = "ann"',
          },
        },
        {
          Update: { Key: rowKey, does: 'SET ended = "access_token_revoked"', when: 'attribute_exists(pk)' },
        },
      ],
    )
  })

  test('rows are deleted by their own key, and marked slow only while they are there', () => {
    const { name: _, application: __, ...shared } = session
    const listed = { ...shared, connection: 'c=', places: ['L#EVERY'] }
    const listKey = { pk: 'AUDIENCE#l1#EVERY', sk: 'L#ann#c=' }
    expect(removeConnection(listed)).toEqual([
      { Delete: { Key: socketKey } },
      { Delete: { Key: rowKey } },
      { Delete: { Key: listKey } },
    ])
    expect(markSlow(listed, nowMs).map(readable)).toEqual(
      [rowKey, listKey].map((Key) => ({
        Update: { Key, does: `SET slow_until = ${nowMs}`, when: 'attribute_exists(pk)' },
      })),
    )
  })
})

const chat: Chat = {
  ...{
    id: 'c0',
    license_id: 'l1',
    version: 6,
    thread: 2,
    active: true,
    changed_at: nowMs,
    started_at: nowMs,
  },
  users: [{ id: 'ann', type: 'agent', present: true, met: true }],
  scopes: { groups: [1], agents: [] },
}
const chatKey = { pk: 'CHAT#c0', sk: 'CHAT' }

describe('chats, as data', () => {
  test('a chat is started where none has its id', () => {
    expect(readable(putNewChat(chat))).toEqual({
      Put: { Item: { ...chatKey, ...chat }, when: 'attribute_not_exists(pk)' },
    })
  })

  test('a change holds for the version before the one that it makes', () => {
    expect(readable(putChat(chat))).toEqual({
      Put: { Item: { ...chatKey, ...chat }, when: 'version = 5' },
    })
  })

  test('an annotation holds for the chat as it was read', () => {
    expect(readable(requireChatUnchanged(chat))).toEqual({
      ConditionCheck: { Key: chatKey, when: 'version = 6' },
    })
  })

  test('the lists: all chats of a license by id alone; active ones with what visibility is decided by', () => {
    const activeKey = { pk: 'LICENSE#l1#ACTIVE', sk: 'c0' }
    expect(putChatListing(chat)).toEqual({ Put: { Item: { pk: 'LICENSE#l1#CHATS', sk: 'c0' } } })
    expect(listActiveChat({ ...chat, started_at: nowMs })).toEqual({
      Put: {
        Item: {
          ...activeKey,
          ...{ id: 'c0', users: chat.users, scopes: chat.scopes, thread: 2, started_at: nowMs },
        },
      },
    })
    const copied = `SET users = ${JSON.stringify(chat.users)}, scopes = ${JSON.stringify(chat.scopes)}, check_at = ${nowMs}`
    expect(readable(updateActiveChat(chat))).toEqual({
      Update: { Key: activeKey, does: `${copied} REMOVE waiting_since`, when: 'attribute_exists(pk)' },
    })
    expect(readable(updateActiveChat({ ...chat, waiting_since: 7 }))).toMatchObject({
      Update: { does: `${copied}, waiting_since = 7` },
    })
    const formerly = [{ until: 3, staff: ['ben'] }]
    expect(readable(updateActiveChat({ ...chat, formerly }))).toMatchObject({
      Update: { does: `${copied}, formerly = ${JSON.stringify(formerly)} REMOVE waiting_since` },
    })
    expect(unlistActiveChat(chat)).toEqual({ Delete: { Key: activeKey } })
  })

  test('a closed thread: its row says so until the list of changed chats has the chat', () => {
    const activeKey = { pk: 'LICENSE#l1#ACTIVE', sk: 'c0' }
    expect(readable(setClosedAt(chat, nowMs))).toEqual({
      Update: { Key: activeKey, does: `SET closed_at = ${nowMs}`, when: 'attribute_exists(pk)' },
    })
    expect(readable(unlistClosedChat('l1', { id: 'c0', closed_at: nowMs }))).toEqual({
      Delete: { Key: activeKey, when: `closed_at = ${nowMs}` },
    })
  })

  test('what changed: by its slot of five minutes, for a little more than the two days of a cursor', () => {
    const pk = 'LICENSE#l1#CHANGED'
    const at = 600_000 + 299_999
    const ttl = Math.ceil(at / 1000) + 49 * 3600
    expect(putChangedChat(chat, at)).toEqual({
      Put: { Item: { pk, sk: '00000002#CHAT#c0', chat: 'c0', at, ttl } },
    })
    // at the time that it is told, with the time of the closing
    expect(readable(noteClosedChat(chat, at, at + 1))).toEqual({
      Put: {
        Item: { pk, sk: '00000003#CHAT#c0', chat: 'c0', at, ttl },
        when: `(attribute_not_exists(pk) OR at < ${at})`,
      },
    })
    expect(putChangedBan('l1', 'a#b', at)).toEqual({
      Put: { Item: { pk, sk: '00000002#BAN#a%23b', customer: 'a#b', at, ttl } },
    })
  })

  const properties = { a: { b: { value: 1 } } }
  const set = (version: number) =>
    `SET properties = {"a":{"b":{"value":1}}}, properties_version = ${version}, properties_by = "n1"`

  test('properties of a chat are changed as they were read, or made', () => {
    expect(readable(setProperties({ chat: 'c0' }, parseProperties(undefined), properties, 'n1'))).toEqual({
      Update: {
        Key: { pk: 'CHAT#c0', sk: 'CHAT#PROPS' },
        does: set(1),
        when: 'attribute_not_exists(properties_version)',
      },
    })
  })

  test('properties of a thread are changed only where it exists', () => {
    const held = parseProperties({ properties_version: 4, properties: {} })
    expect(readable(setProperties({ chat: 'c0', n: 2 }, held, properties, 'n1'))).toEqual({
      Update: {
        Key: { pk: 'CHAT#c0', sk: 'LOG#00000002#00000000' },
        does: set(5),
        when: 'attribute_exists(pk) AND properties_version = 4',
      },
    })
  })

  test('what a user has seen moves forward only, and says what from', () => {
    const Key = { pk: 'CHAT#c0', sk: 'CHAT#SEEN#ann' }
    const moved =
      'SET user = "ann", timestamp = 17, nonce = "n1", marked_at = 17500, timestamp_before = if_not_exists(timestamp, -1)'
    const later = '(attribute_not_exists(pk) OR timestamp < 17)'
    expect(readable(seenMoved('c0', 'ann', { timestamp: 17, atMs: 17_500 }, 'n1'))).toEqual({
      Update: { Key, does: `${moved} REMOVE event`, when: later },
    })
    const event = seenEvent('c0', { n: 2, m: 31 })
    expect(event).toBe('LOG#00000002#00000031')
    expect(readable(seenMoved('c0', 'ann', { timestamp: 17, event, atMs: 17_500 }, 'n1'))).toEqual({
      Update: {
        Key,
        does: `${moved}, event = "${event}"`,
        when: `(${later} OR timestamp = 17 AND (attribute_not_exists(event) OR event < "${event}"))`,
      },
    })
  })
})

describe('the log, as data', () => {
  const head = newHead({ n: 2, nonce: 'x', version: 6, at: nowMs, userIds: ['ann'] })
  const entry = nextEntry(
    { n: 2, m: 0, last: head },
    { type: 'message', text: 'hi', author_id: 'ann' },
    { nonce: 'y', version: 6, at: nowMs },
  )

  test('threads and events are put where nothing is: the next key is the lock', () => {
    const state = { version: 6, at: nowMs }
    expect(readable(putHead('c0', head))).toEqual({
      Put: {
        Item: {
          ...{ pk: 'CHAT#c0', sk: 'LOG#00000002#00000000' },
          ...{ ...state, nonce: 'x', newest: {}, visible: 0, asked: 0, user_ids: new Set(['ann']) },
        },
        when: 'attribute_not_exists(pk)',
      },
    })
    expect(readable(putEntry('c0', entry))).toEqual({
      Put: {
        Item: {
          ...{ pk: 'CHAT#c0', sk: 'LOG#00000002#00000001' },
          ...{ ...state, nonce: 'y', newest: { message: 1 }, visible: 1, asked: 0 },
          event: { type: 'message', text: 'hi', author_id: 'ann' },
        },
        when: 'attribute_not_exists(pk)',
      },
    })
  })

  test('users are added to a thread that is there, as a set', () => {
    expect(readable(setHeadUsers('c0', 2, ['ann', 'ben']))).toEqual({
      Update: {
        Key: { pk: 'CHAT#c0', sk: 'LOG#00000002#00000000' },
        does: 'ADD user_ids ["ann","ben"]',
        when: 'attribute_exists(pk)',
      },
    })
  })

  test('tags replace those that were read, on the thread’s own item', () => {
    const Key = { pk: 'CHAT#c0', sk: 'LOG#00000002#00000000' }
    const first = parseTags({})
    expect(first).toEqual({ tags: [], version: 0, by: [] })
    expect(readable(setTags({ chat: 'c0', n: 2 }, first, ['vip'], 'n1'))).toEqual({
      Update: {
        Key,
        does: 'SET tags_version = 1, tags_by = ["n1"], tags = ["vip"]',
        when: 'attribute_exists(pk) AND attribute_not_exists(tags_version)',
      },
    })
    const by = Array.from({ length: 8 }, (_, i) => `r${i}`)
    expect(readable(setTags({ chat: 'c0', n: 2 }, { tags: ['vip'], version: 9, by }, [], 'n1'))).toEqual({
      Update: {
        Key,
        does: `SET tags_version = 10, tags_by = ${JSON.stringify([...by.slice(1), 'n1'])} REMOVE tags`,
        when: 'attribute_exists(pk) AND tags_version = 9',
      },
    })
  })

  test('ranges: the tail backwards, events from one order to another, a thread with its head', () => {
    expect(tailRange('c0', false)).toEqual({
      ...{ pk: 'CHAT#c0', prefix: 'LOG#', backwards: true, limit: 25, strong: false },
    })
    expect(eventsRange('c0', 2, 5, 9)).toEqual({
      ...{ pk: 'CHAT#c0', from: 'LOG#00000002#00000005', to: 'LOG#00000002#00000009' },
    })
    expect(threadRange('c0', 2)).toEqual({ pk: 'CHAT#c0', prefix: 'LOG#00000002#' })
  })
})

describe('every write', () => {
  const who = { license_id: 'l1', id: 'cleo', version: 2, threads: 0 }
  const cleo = CustomerItem.parse({ id: 'cleo', license_id: 'l1' })
  const details = { properties: {}, visits: 1, name: 'Cleo' }
  const visit = { started_timestamp: 1, pages: [] }
  const by = { nonce: 'n', nowMs, login: true }
  const tab = { license_id: 'l1', customer_id: 'cleo', connection: 'c=', ttl: 1 }
  const customerRow = { ...tab, token_expires_at: 1, license_expires_at: 1 }
  const ofCustomers: Op[] = [
    ...[...extendSession(customerRow, 2), setCustomerName(customerRow, 'Cleo')],
    ...[requireNotBanned('l1', 'cleo', nowMs), setThreadOfCustomer('l1', 'cleo', { nowMs })],
    ...[setThreadOfCustomer('l1', 'cleo', { nowMs, visit }), setCustomerDetails(who, details, by)],
    ...[0, 3].map((version) =>
      setCard({ ...cleo, version }, { ...details, email: 'c@x' }, { nonce: 'n', nowMs }),
    ),
    setCustomerDetails({ ...who, version: 0 }, { ...details, email: 'c@x', visit }, { ...by, login: false }),
    setCustomerOffline(cleo, 'k', nowMs),
    ...[adjustLoad('l1', 'ann', -1), incrementLoad('l1', 'ann'), switchLoad('l1', 'ann', true)],
    ...[switchLoad('l1', 'ann', false), setAssignedChat('l1', 'ann', 6, nowMs), requireAgentReady(agent)],
    requireAgentReady({ ...agent, routing_status: 'accepting_chats' }),
  ]

  const tagged = { chat: 'c0', n: 2 }
  const untagged = parseTags(undefined)
  const head = newHead({ n: 2, nonce: 'x', version: 6, at: nowMs, userIds: ['ann'] })
  const { name: _, application: __, ...row } = session
  const all: Op[] = [
    ...ofCustomers,
    ...[setOnline(agent, 'accepting_chats'), setOnline(agent, undefined), setOffline(agent, 'k')],
    ...[setStatus('l1', 'ann', 'accepting_chats', 'n'), requireAccount(agent)],
    ...[setBotStatus('l1', 'ann', 'accepting_chats', 'n'), setBotStatus('l1', 'ann', 'offline', 'n')],
    ...[requireAgentActive('l1', 'ann'), requireGroup('l1', 1)],
    ...[putSocket('c=', nowMs), removeSocket('c=')],
    ...putSession({ connection: 'c=', connected_at: 1, ttl: 2 }, session, nowMs),
    ...removeConnection({
      license_id: 'l1',
      agent_id: 'ann',
      connection: 'c=',
      places: ['C#EVERY'],
    }),
    ...refreshSession({ connection: 'c=', ttl: 1 }, session, session),
    putClosingClaim('c=', { session, nonce: 'n', nowMs }),
    ...endSession({ ...row, connection: 'c=', ttl: 1 }, 'license_expired'),
    ...markSlow({ ...row, connection: 'c=' }, nowMs),
    ...[
      putNewChat(chat),
      putChat(chat),
      requireChatUnchanged(chat),
      putChatListing(chat),
      listActiveChat(chat),
    ],
    ...[setClosedAt(chat, 1), unlistClosedChat('l1', { id: 'c0', closed_at: 1 })],
    ...[updateActiveChat({ ...chat, formerly: [] }), noteClosedChat(chat, 1, 2)],
    ...[updateActiveChat(chat), unlistActiveChat(chat), setNextCheck('l1', { id: 'c0', thread: 2 }, 7)],
    ...[undefined, 5].map((check_at) => setNextCheck('l1', { id: 'c0', thread: 2 }, 7, { check_at })),
    ...[putHead('c0', head), setHeadUsers('c0', 2, ['ann'])],
    ...[setTags(tagged, untagged, ['vip'], 'n'), setTags(tagged, { ...untagged, version: 3 }, [], 'n')],
  ]
  // what customers and loads are written by makes them as well
  const makes = (op: Op) => 'Update' in op && /^CUSTOMER#|#LOAD$/.test(op.Update.Key.pk)
  const updates = all.flatMap((op) => ('Update' in op && !makes(op) ? [op.Update] : []))

  test('that is an update has a condition that fails where the item is gone: none brings a row back to life', () => {
    expect(updates.length).toBeGreaterThan(8)
    for (const { ConditionExpression } of updates)
      // an attribute compared with a value, or a plain word for it
      expect(ConditionExpression).toMatch(/attribute_exists|^#[\w.#]+ = :\w+/)
  })

  test('names and gives exactly the placeholders that its expressions use', () => {
    for (const op of all) {
      const [write] = Object.values(op)
      const text = [write.UpdateExpression, write.ConditionExpression].join(' ')
      const used = (sign: string) => [...new Set(text.match(new RegExp(`${sign}\\w+`, 'g')) ?? [])].toSorted()
      expect(Object.keys(write.ExpressionAttributeNames ?? {}).toSorted(), text).toEqual(used('#'))
      expect(Object.keys(write.ExpressionAttributeValues ?? {}).toSorted(), text).toEqual(used(':'))
    }
  })
})

describe('customers', () => {
  const customer = CustomerItem.parse({ id: 'cleo', license_id: 'l1' })
  const Key = { pk: 'CUSTOMER#l1#cleo', sk: 'CUSTOMER' }
  const ban = { days: 2, until: 1_700_172_800, by: 'ann' }

  test('are banned only where they exist', () => {
    expect(readable(setBan(customer, ban, 'n1'))).toEqual({
      Update: {
        Key,
        does: `SET ban = ${JSON.stringify(ban)}, ban_nonce = "n1" REMOVE ttl`,
        when: 'attribute_exists(pk) AND attribute_not_exists(erased_at)',
      },
    })
  })

  test('are mended as they were read, also while banned, but none that was erased', () => {
    const card = { name: 'Cleo', properties: { plan: 'gold' } }
    const read = { ...customer, version: 4, threads: 1, ban }
    expect(readable(setCard(read, card, { nonce: 'n1', nowMs: 7000 }))).toEqual({
      Update: {
        Key,
        does:
          'SET name = "Cleo", properties = {"plan":"gold"}, version = 5, changed_at = 7000, nonce = "n1"' +
          // what it has none of any more
          ' REMOVE email',
        when: 'attribute_exists(pk) AND attribute_not_exists(erased_at) AND version = 4',
      },
    })
  })

  test('leave that they were erased and banned by it, once, and with whom to tell', () => {
    const until = { nowMs: 1_700_000_000_999, untilS: 1_740_000_000 }
    expect(readable(setErased('l1', 'cleo', until))).toEqual({
      Put: {
        Item: {
          pk: 'CUSTOMER#l1#cleo',
          sk: 'CUSTOMER',
          id: 'cleo',
          license_id: 'l1',
          erased_at: 1_700_000_000_999,
          erasing: true,
          ban: { days: 0, until: 1_740_000_000, by: '' },
          ttl: 1_740_000_000,
          closing: undefined,
        },
        when: 'attribute_not_exists(erased_at)',
      },
    })
    expect(readable(removeErasure('l1', 'cleo'))).toEqual({
      Update: { Key, does: 'REMOVE erasing, closing, chat', when: 'attribute_exists(erased_at)' },
    })
  })

  test('are unbanned while the ban lasts, and once more by the same request', () => {
    expect(readable(removeBan('l1', 'cleo', 1_700_000_000_999, 'n1'))).toEqual({
      Update: {
        Key,
        does: 'SET ban_nonce = "n1" REMOVE ban',
        when: 'attribute_exists(pk) AND attribute_not_exists(erased_at) AND (ban.until > 1700000000 OR ban_nonce = "n1")',
      },
    })
  })

  test('are banned until the end of the ban, by time alone', () => {
    expect(isBanned({ ban }, ban.until * 1000 - 1)).toBe(true)
    expect(isBanned({ ban }, ban.until * 1000)).toBe(false)
    expect(isBanned({}, 0)).toBe(false)
  })

  test('have no chat yet', () => {
    expect(readable(requireNoChat('c0'))).toEqual({
      ConditionCheck: { Key: { pk: 'CHAT#c0', sk: 'CHAT' }, when: 'attribute_not_exists(pk)' },
    })
  })
})

test('a status is set where it is another, and once more by the same request', () => {
  expect(readable(setStatus('l1', 'ann', 'not_accepting_chats', 'n1'))).toEqual({
    Update: {
      Key: { pk: 'LICENSE#l1', sk: 'AGENT#ann' },
      does: 'SET routing_status = "not_accepting_chats", status_by = "n1"',
      when: 'attribute_exists(pk) AND attribute_not_exists(bot) AND (attribute_not_exists(deleted) OR deleted = false) AND ((attribute_not_exists(routing_status) OR routing_status <> "not_accepting_chats") OR status_by = "n1")',
    },
  })
})
