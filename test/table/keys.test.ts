import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  activePk,
  addressPk,
  agentDevicesPrefix,
  agentPrefix,
  agentSocketsPrefix,
  placeIn,
  chatPk,
  devicePk,
  devicePrefix,
  groupPrefix,
  type Key,
  keys,
  licensePk,
  logPrefix,
  socketsPk,
  threadPrefix,
} from '../../shared/table/keys.ts'
import { customersPrefix, licensePrefixes } from '../../shared/table/key-prefixes.ts'
import { changedOf, chatOfEntry } from '../../shared/table/key-parts.ts'
import {
  customerChatId,
  eventAddressOf,
  eventId,
  isChatId,
  threadId,
  threadNumberOf,
} from '../../shared/table/ids.ts'

describe('the key design', () => {
  test.each<[item: string, key: Key, pk: string, sk: string]>([
    ['all licenses', keys.licenseListed('l1'), 'LICENSES', 'l1'],
    ['a license', keys.license('l1'), 'LICENSE#l1', 'LICENSE'],
    ['a group', keys.group('l1', 7), 'LICENSE#l1', 'GROUP#7'],
    ['an agent', keys.agent('l1', 'ann@x.org'), 'LICENSE#l1', 'AGENT#ann@x.org'],
    ['who a token is', keys.identity('https://idp/pool', 's-1'), 'IDENTITY#https://idp/pool#s-1', 'IDENTITY'],
    ['a socket and its session', keys.socket('Zx9_-abc='), 'SOCKET#Zx9_-abc=', 'SOCKET'],
    [
      "a live socket of a license's agents",
      keys.agentSocket('l1', 'ann', 'Zx9='),
      'LICENSE#l1#SOCKETS',
      'ann#Zx9=',
    ],
    ['a mobile device', keys.device('0a9f'), 'DEVICE#0a9f', 'DEVICE'],
    ['the same under its agent', keys.agentDevice('l1', 'a#1', '0a9f'), 'LICENSE#l1', 'DEVICE#a%231#0a9f'],
    ['that it was notified', keys.notified('0a9f', 'c0_1_2'), 'DEVICE#0a9f', 'NOTIFIED#c0_1_2'],
    ['a customer', keys.customer('l1', 'c#1'), 'CUSTOMER#l1#c%231', 'CUSTOMER'],
    [
      'a live socket of a customer',
      keys.customerSocket('l1', 'c#1', 'Zx9='),
      'CUSTOMER#l1#c%231#SOCKETS',
      'Zx9=',
    ],
    ['what came from an address', keys.minute(addressPk('::1'), 7), 'ADDRESS#0:0:0:0::/64', 'MINUTE#7'],
    ['a chat', keys.chat('c0'), 'CHAT#c0', 'CHAT'],
    ['its properties', keys.chatProperties('c0'), 'CHAT#c0', 'CHAT#PROPS'],
    ['up to when a user has seen it', keys.chatSeen('c0', 'ann#1'), 'CHAT#c0', 'CHAT#SEEN#ann%231'],
    ['a thread', keys.thread('c0', 3), 'CHAT#c0', 'LOG#00000003#00000000'],
    [
      'the same by what it hears',
      keys.audienceRow('l1', placeIn('GROUP1', 'content'), 'ann', 'Zx9='),
      'AUDIENCE#l1#GROUP1',
      'C#ann#Zx9=',
    ],
    ['an event of it', keys.event('c0', 3, 41), 'CHAT#c0', 'LOG#00000003#00000041'],
    ['a chat of a license', keys.chatListed('l1', 'c0'), 'LICENSE#l1#CHATS', 'c0'],
    ['a chat with an active thread', keys.activeChat('l1', 'c0'), 'LICENSE#l1#ACTIVE', 'c0'],
    ['a chat that waits', keys.waitingChat('l1', 'c0'), 'LICENSE#l1#WAITING', 'c0'],
    ['a chat that changed', keys.changedChat('l#1', 7, 'c0'), 'LICENSE#l%231#CHANGED', '00000007#CHAT#c0'],
    ["a customer's ban", keys.changedBan('l1', 7, 'c#1'), 'LICENSE#l1#CHANGED', '00000007#BAN#c%231'],
    ['who is there for its groups', keys.groupStatuses('l#1'), 'STATUS#l%231#GROUPS', 'GROUPS'],
    ["an agent's load", keys.load('l1', 'ann#1'), 'LICENSE#l1#LOAD', 'ann%231'],
    [
      'a thread in a list of the index, by the month in which it began',
      keys.posting('l#1', 'T.user:a#1', { at: Date.UTC(2026, 10, 30, 23, 59, 59, 999), id: 'c0_3' }),
      'INDEX#l%231#LIST#T.user:a%231#2026-11',
      '8203916800000#c0_3',
    ],
    ['in which lists a thread stands', keys.manifest('c0', 3), 'CHAT#c0', 'INDEX#3'],
    ['by which words it is found', keys.words('c0', 3, 1), 'CHAT#c0', 'WORDS#00000003#0001'],
    ['that a month was counted', keys.mark('l1', 'T.a#', '2026-11'), 'INDEX#l1#MARKS#T.a%23', '2026-11'],
    ['what was counted', keys.keptCount('l1', 'x-_', '2026-11'), 'INDEX#l1#COUNTS#x-_', '2026-11'],
    ['the positions of waiting chats', keys.queue('l1'), 'LICENSE#l1', 'QUEUE'],
    ['how long they wait', keys.queueTimes('l1'), 'LICENSE#l1', 'QUEUE#TIMES'],
    ['how far a rebuilding has come', keys.reindexing('l1'), 'LICENSE#l1', 'REINDEX'],
  ])('%s', (_, key, pk, sk) => {
    expect(key).toEqual({ pk, sk })
  })

  test('has a row above for every key that is made', () => {
    expect(Object.keys(keys).toSorted()).toEqual(
      [
        ...['licenseListed', 'license', 'group', 'agent', 'identity', 'socket', 'agentSocket', 'chat'],
        'audienceRow',
        ...['chatProperties', 'chatSeen', 'thread', 'event', 'chatListed', 'activeChat', 'customer'],
        ...['waitingChat', 'groupStatuses', 'queue', 'queueTimes'],
        ...['device', 'agentDevice', 'notified', 'customerSocket', 'minute', 'pending', 'load'],
        ...['changedChat', 'changedBan', 'posting', 'manifest', 'words', 'mark', 'keptCount', 'reindexing'],
      ].toSorted(),
    )
  })

  test('has prefixes that begin the keys which they are asked for with', () => {
    expect(keys.agent('l', 'a').sk.startsWith(agentPrefix)).toBe(true)
    expect(keys.group('l', 1).sk.startsWith(groupPrefix)).toBe(true)
    expect(keys.event('c', 1, 2).sk.startsWith(logPrefix)).toBe(true)
    expect(keys.event('c', 1, 2).sk.startsWith(threadPrefix(1))).toBe(true)
    expect(keys.event('c', 11, 2).sk.startsWith(threadPrefix(1))).toBe(false)
    expect(keys.agentSocket('l', 'ann', 'x').sk.startsWith(agentSocketsPrefix('ann'))).toBe(true)
    expect(keys.agentSocket('l', 'anna', 'x').sk.startsWith(agentSocketsPrefix('ann'))).toBe(false)
    expect(keys.agentDevice('l', 'ann', 'x').sk.startsWith(agentDevicesPrefix('ann'))).toBe(true)
    expect(keys.agentDevice('l', 'anna', 'x').sk.startsWith(agentDevicesPrefix('ann'))).toBe(false)
    expect([licensePk('l'), socketsPk('l'), activePk('l'), chatPk('c')]).toEqual([
      ...['LICENSE#l', 'LICENSE#l#SOCKETS', 'LICENSE#l#ACTIVE', 'CHAT#c'],
    ])
  })

  test('has prefixes under which all of a license stands that is not under its own key, and of no other', () => {
    const own = (license: string) => [
      keys.agentSocket(license, 'ann', 'x'),
      keys.audienceRow(license, placeIn('OPEN', 'lifecycle'), 'ann', 'x'),
      keys.chatListed(license, 'c'),
      keys.activeChat(license, 'c'),
      keys.changedChat(license, 1, 'c'),
      keys.load(license, 'ann'),
      keys.customer(license, 'c#1'),
      keys.customerSocket(license, 'c#1', 'x'),
      keys.posting(license, 'T.all', { at: 1, id: 'c_1' }),
      keys.mark(license, 'T.all', '2026-11'),
      keys.keptCount(license, 'x', '2026-11'),
    ]
    const isWithin = ({ pk }: Key) => licensePrefixes('l').some((prefix) => pk.startsWith(prefix))
    expect(own('l').map(isWithin)).toEqual(own('l').map(() => true))
    expect([...own('l1'), ...own('l%23')].some(isWithin)).toBe(false)
    expect(keys.customer('l', 'c').pk.startsWith(customersPrefix('l'))).toBe(true)
    expect(keys.agentDevice('l', 'ann', 'x').sk.startsWith(devicePrefix)).toBe(true)
    expect([keys.device('h').pk, keys.minute(addressPk('::1'), 1).pk]).toEqual([
      devicePk('h'),
      addressPk('::1'),
    ])
  })

  test('one query with the prefix CHAT gives a chat, its properties and what was seen, and none of its log', () => {
    const sortKeys = [keys.chat('c'), keys.chatProperties('c'), keys.chatSeen('c', 'ann')]
    const log = [keys.thread('c', 1), keys.event('c', 1, 1)]
    const isWithin = ({ sk }: Key) => sk.startsWith(keys.chat('c').sk)
    expect([sortKeys.every(isWithin), log.some(isWithin)]).toEqual([true, false])
  })
})

// ids full of what keys are built with
const id = fc.oneof(
  fc.string({
    unit: fc.constantFrom(...'#%23AGENTSOCKLI5_a'.split(''), '%23', '%25', '#AGENT#', '#SOCKETS'),
    minLength: 1,
  }),
  fc.string({ unit: 'grapheme', minLength: 1 }),
)
const order = fc.integer({ min: 0, max: 99_999_999 })

describe('ids in keys', () => {
  test('never cross into the next part: different ids, different keys', () => {
    const makers: ((a: string, b: string, c: string) => Key)[] = [
      (a) => keys.licenseListed(a),
      (a) => keys.license(a),
      (a, b) => keys.agent(a, b),
      (a, b) => keys.identity(a, b),
      (a) => keys.socket(a),
      (a, b, c) => keys.agentSocket(a, b, c),
      (a) => keys.device(a),
      (a, b, c) => keys.agentDevice(a, b, c),
      (a, b) => keys.notified(a, b),
      (a) => keys.chat(a),
      (a) => keys.chatProperties(a),
      (a, b) => keys.chatSeen(a, b),
      (a, b) => keys.customer(a, b),
      (a) => keys.thread(a, 1),
      (a, b) => keys.chatListed(a, b),
      (a, b) => keys.activeChat(a, b),
    ]
    const ids = fc.tuple(id, id, id)
    fc.assert(
      fc.property(ids, ids, fc.nat(makers.length - 1), fc.nat(makers.length - 1), (one, other, i, j) => {
        const [make, makeOther] = [makers[i]!, makers[j]!]
        const named = (ids: string[], by: (typeof makers)[number]) => JSON.stringify(ids.slice(0, by.length))
        const same = i === j && named(one, make) === named(other, makeOther)
        const [key, otherKey] = [make(...one), makeOther(...other)]
        expect(key.pk === otherKey.pk && key.sk === otherKey.sk).toBe(same)
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    [keys.agent('l', 'a#b'), { pk: 'LICENSE#l', sk: 'AGENT#a%23b' }],
    [keys.agent('l#AGENT', 'a'), { pk: 'LICENSE#l%23AGENT', sk: 'AGENT#a' }],
    [keys.license('l#SOCKETS'), { pk: 'LICENSE#l%23SOCKETS', sk: 'LICENSE' }],
    [keys.identity('i#s', 't'), { pk: 'IDENTITY#i%23s#t', sk: 'IDENTITY' }],
    [keys.identity('i', 's%23t'), { pk: 'IDENTITY#i#s%2523t', sk: 'IDENTITY' }],
  ])('escape # and %% : %j', (key, escaped) => {
    expect(key).toEqual(escaped)
  })

  test('of different agents never share a prefix of devices', () => {
    fc.assert(
      fc.property(id, id, id, (agent, other, hash) => {
        const within = keys.agentDevice('l', other, hash).sk.startsWith(agentDevicesPrefix(agent))
        expect(within).toBe(agent === other)
      }),
    )
  })

  test('of different agents never share a prefix of sockets', () => {
    fc.assert(
      fc.property(id, id, id, (agent, other, connection) => {
        const within = keys.agentSocket('l', other, connection).sk.startsWith(agentSocketsPrefix(agent))
        expect(within).toBe(agent === other)
      }),
    )
  })
})

describe('addresses that ids are', () => {
  test('an event id names its thread and its order, in its own chat only', () => {
    expect(eventAddressOf('c0', eventId('c0', 3, 41))).toEqual({ n: 3, m: 41 })
    for (const id of ['c0_3', 'c1_3_41', 'c0_3_0', 'c0_0_1', 'c0_3_41_1', 'c0_3_999999999', 'c0_3_041', ''])
      expect(eventAddressOf('c0', id), id).toBeUndefined()
  })

  test("a customer's chat is one, by license and customer, and no other chat's id is as long", () => {
    const id = customerChatId('l1', 'cleo')
    expect(customerChatId('l1', 'cleo')).toBe(id)
    expect(new Set([id, customerChatId('l1cleo', ''), customerChatId('l', '1cleo')]).size).toBe(3)
    expect(isChatId(id)).toBe(true)
    expect(id).toHaveLength(50)
  })
})

describe('numbers in keys', () => {
  test('sort as they count, threads before events', () => {
    fc.assert(
      fc.property(order, order, order, order, (n, m, otherN, otherM) => {
        const [one, other] = [keys.event('c', n, m).sk, keys.event('c', otherN, otherM).sk]
        const expected = n === otherN ? Math.sign(m - otherM) : Math.sign(n - otherN)
        expect(one < other ? -1 : one > other ? 1 : 0).toBe(expected)
      }),
    )
  })
})

describe('changedOf', () => {
  test('reads back what a key was made of, whatever the ids', () => {
    fc.assert(
      fc.property(id, id, id, (license, agent, connection) => {
        expect(changedOf(keys.license(license))).toEqual({ item: 'license', license })
        expect(changedOf(keys.agent(license, agent))).toEqual({ item: 'agent', license, agent })
        expect(changedOf(keys.load(license, agent))).toEqual({ item: 'load', license, agent })
        expect(changedOf(keys.group(license, 7))).toEqual({ item: 'group', license, group: 7 })
        expect(changedOf(keys.agentSocket(license, agent, connection))).toEqual({
          ...{ item: 'agentSocket', license, agent, connection },
        })
      }),
      { numRuns: 2000 },
    )
  })

  test('passes over every other item', () => {
    fc.assert(
      fc.property(id, id, order, (a, b, n) => {
        for (const key of [
          ...[
            keys.licenseListed(a),
            keys.groupStatuses(a),
            keys.identity(a, b),
            keys.socket(a),
            keys.chat(a),
          ],
          ...[keys.chatProperties(a), keys.event(a, n, n), keys.chatListed(a, b), keys.activeChat(a, b)],
          ...[keys.device(a), keys.agentDevice(a, b, a), keys.notified(a, b)],
        ])
          expect(changedOf(key)).toBeUndefined()
      }),
    )
  })
})

describe('chatOfEntry', () => {
  test('reads the chat back from what is in its log, and from nothing else', () => {
    fc.assert(
      fc.property(id, id, order, order, (chat, other, n, m) => {
        expect(chatOfEntry(keys.event(chat, n, m))).toBe(chat)
        for (const key of [
          ...[keys.chat(chat), keys.chatProperties(chat), keys.chatSeen(chat, other), keys.license(chat)],
          ...[keys.agent(chat, other), keys.chatListed(chat, other), keys.notified(chat, other)],
        ])
          expect(chatOfEntry(key)).toBeUndefined()
      }),
    )
  })
})

describe('ids as addresses', () => {
  test('thread and event ids say where they stand', () => {
    expect(threadId('c0', 12)).toBe('c0_12')
    expect(eventId('c0', 12, 3)).toBe('c0_12_3')
  })

  test('threadOf reads the number back, of its own chat only', () => {
    const chat = fc.stringMatching(/^[0-9a-z]{1,64}$/)
    fc.assert(
      fc.property(chat, chat, fc.integer({ min: 1, max: 99_999_999 }), (mine, other, n) => {
        expect(threadNumberOf(mine, threadId(mine, n))).toBe(n)
        if (mine !== other) expect(threadNumberOf(mine, threadId(other, n))).toBeUndefined()
      }),
    )
  })

  test.each([
    ...['', 'c0', 'c0_', 'c0_0', 'c0_01', 'c0_-1', 'c0_+1', 'c0_1.0', 'c0_1e3', 'c0_ 1', 'c0_1 ', 'c0_1\n'],
    ...[
      'c0_100000000',
      'c0_1_1',
      '_1',
      'c0__1',
      'C0_1',
      'c0_١',
      'c0#_1',
      `${'c'.repeat(65)}_1`,
      'toString_1',
    ],
  ])('no thread has the id %j', (given) => {
    expect(threadNumberOf('c0', given)).toBeUndefined()
  })

  test.each(['0', 'z', 'a0c22f', '1'.repeat(64)])('%j can be a chat', (given) => {
    expect(isChatId(given)).toBe(true)
  })

  test.each([
    ...['', 'A', 'a-b', 'a_1', 'a#b', 'a%b', ' a', 'a\n', 'é', '1'.repeat(65), '__proto__', 'constructor '],
    ...[undefined, null, 1, true, ['a'], { toString: () => 'a' }, new String('a')],
  ])('%j can be none', (given) => {
    expect(isChatId(given)).toBe(false)
  })
})
