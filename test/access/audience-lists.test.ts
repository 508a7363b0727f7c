import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gaining, watching, watchingEither } from '../../shared/access/audience.ts'
import {
  followersOf,
  type HeardChat,
  listsFor,
  mostLists,
  placesOf,
} from '../../shared/access/audience-lists.ts'
import type { Audience } from '../../shared/delivery/outbox.ts'
import { type PushKind, pushKinds } from '../../shared/protocol/push-kinds.ts'
import { pushes, type PushName } from '../../shared/protocol/pushes.ts'
import { type Hears, placeIn } from '../../shared/table/keys.ts'
import type { AgentList } from '../../shared/table/socket-lists.ts'
import type { AgentSocketItem } from '../../shared/table/sockets.ts'

const names = Object.keys(pushes) as PushName[]
const ofKind = (...kinds: PushKind[]) => names.filter((name) => kinds.includes(pushKinds[name]))

const row = (draft: Partial<AgentSocketItem> = {}): AgentSocketItem => {
  const own = {
    ...{ license_id: 'l', agent_id: 'ann', permission: 'normal' as const, groups: [] },
    ...{ connection: 'x', ttl: 1, token_expires_at: 1, license_expires_at: 1 },
    ...draft,
  }
  return { ...own, places: placesOf(own) }
}

describe('a connection stands', () => {
  test.each<[string, Partial<AgentSocketItem>, string[] | undefined]>([
    [
      'in the list of open chats, and in one of each group',
      { groups: [0, 7] },
      heard('OPEN', 'GROUP0', 'GROUP7'),
    ],
    ['in one list alone, as an administrator', { permission: 'owner', groups: [7] }, heard('EVERY')],
    [
      'there, too, with more groups than lists',
      { groups: Array.from({ length: 26 }, (_, n) => n) },
      heard('EVERY'),
    ],
    [
      'in those of its groups as one that hears no content, of its own chats alone',
      { groups: [7], chats: 'my' },
      ['L#GROUP7'],
    ],
    ['likewise where it wants no content', { groups: [7], pushes: ['thread_closed'] }, ['L#GROUP7']],
    ['in none that wants nothing of chats', { groups: [7], pushes: ['agent_updated'] }, undefined],
    [
      'in none whose token reads its own chats alone',
      { groups: [7], token_scopes: ['chats--my:read'] },
      undefined,
    ],
  ])('%s', (_, draft, expected) => {
    expect(row(draft).places).toEqual(expected)
  })

  function heard(...lists: string[]) {
    return lists.map((list) => `C#${list}`)
  }
})

describe('an audience is read', () => {
  const chat = (draft: Partial<HeardChat> & { groups?: number[]; agents?: string[] }): HeardChat => ({
    users: draft.users ?? [],
    scopes: { groups: draft.groups ?? [], agents: draft.agents ?? [] },
    followers: draft.followers,
    thread: 3,
  })
  const ben = { id: 'ben', type: 'agent', present: true } as const

  test('from the lists of its scopes, its members and its followers, each once', () => {
    const read = chat({
      groups: [4, 4],
      agents: ['ben', 'cleo'],
      users: [ben],
      followers: [{ id: 'dora', thread: 2 }],
    })
    expect(listsFor([read], 'content')?.short).toEqual([
      ...['EVERY', 'GROUP4'].map((list) => ({ list, hears: 'content' })),
      ...['ben', 'cleo', 'dora'].map((agent) => ({ agent })),
    ])
  })

  test('of an open chat from the long list, where all hear of it, and else from that of open chats', () => {
    expect(listsFor([chat({ users: [ben] })], 'lifecycle')).toBeUndefined()
    expect(listsFor([chat({ users: [ben] })], 'content')?.short).toEqual([
      ...['EVERY', 'OPEN'].map((list) => ({ list, hears: 'content' })),
      { agent: 'ben' },
    ])
  })

  test(`from the long list where it were more than ${mostLists} others`, () => {
    const groups = Array.from({ length: mostLists }, (_, n) => n)
    expect(listsFor([chat({ groups: groups.slice(1) })], 'content')?.short).toHaveLength(mostLists)
    expect(listsFor([chat({ groups })], 'content')).toBeUndefined()
  })

  test('with followers until the thread after the next', () => {
    const followers = [1, 2, 3].map((thread) => ({ id: `since ${thread}`, thread }))
    expect(followersOf(chat({ followers })).map(({ id }) => id)).toEqual(['since 2', 'since 3'])
  })
})

describe('whoever an audience includes', () => {
  const agents = ['ann', 'ben', 'cleo']
  const aGroup = fc.integer({ min: 0, max: 3 })
  const anAgent = fc.constantFrom(...agents)
  const aRow = fc
    .record({
      agent_id: anAgent,
      permission: fc.constantFrom('owner' as const, 'normal' as const, 'normal' as const),
      groups: fc.uniqueArray(aGroup, { maxLength: 3 }),
      token_scopes: fc.option(
        fc.uniqueArray(
          fc.constantFrom('chats--all:read', 'chats--chat_scopes:read', 'chats--my:read', 'agents--my:write'),
        ),
        { nil: undefined },
      ),
      pushes: fc.option(fc.uniqueArray(fc.constantFrom(...names), { maxLength: 4 }), { nil: undefined }),
      chats: fc.option(fc.constant('my' as const), { nil: undefined }),
    })
    .map((draft) => row(draft))
  const aChat = fc.record({
    license_id: fc.constant('l'),
    users: fc.uniqueArray(
      fc.record({
        id: anAgent,
        type: fc.constantFrom('agent' as const, 'supervisor' as const),
        present: fc.boolean(),
      }),
      { selector: ({ id }) => id, maxLength: 2 },
    ),
    scopes: fc.record({
      groups: fc.uniqueArray(aGroup, { maxLength: 2 }),
      agents: fc.uniqueArray(anAgent, { maxLength: 1 }),
    }),
    followers: fc.uniqueArray(fc.record({ id: anAgent, thread: fc.integer({ min: 1, max: 3 }) }), {
      selector: ({ id }) => id,
      maxLength: 1,
    }),
    thread: fc.constant(3),
  })

  /** Who is read of a list: of those who hear what is said, these alone. */
  const heardIn: Record<Hears, Hears[]> = { content: ['content'], lifecycle: ['content', 'lifecycle'] }

  /** Whether a list, as it is read, has a row of this connection. */
  const has = (list: AgentList, of: AgentSocketItem): boolean =>
    'list' in list
      ? heardIn[list.hears].some((hears) => of.places?.includes(placeIn(list.list, hears)))
      : list.agent === undefined || list.agent === of.agent_id

  const isFound = ({ agents: audience }: Audience, of: AgentSocketItem, name: PushName): boolean => {
    const lists = audience?.lists(name)?.short
    return lists === undefined || lists.some((list) => has(list, of))
  }

  test('and wants the push stands in one of the lists that are read for it', () => {
    fc.assert(
      fc.property(
        aRow,
        aChat,
        aChat,
        fc.constantFrom(...ofKind('content', 'lifecycle')),
        (of, chat, was, name) => {
          for (const audience of [watching(chat), watchingEither(was, chat), gaining(was, chat)]) {
            const isTold = of.pushes?.includes(name) !== false && audience.agents?.includes(of, name) === true
            if (isTold) expect(isFound(audience, of, name)).toBe(true)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})
