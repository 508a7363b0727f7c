import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { readChat } from '../../shared/table/chat/chats.ts'
import type { Client } from '../support/client.ts'
import { type License, startWorld, type World } from '../support/world.ts'
import { searcher } from './generated.ts'
import {
  type ArchiveFilters,
  archivesOf,
  type ChatFilters,
  type ChatModel,
  filteredChatsOf,
  readModels,
  type Searcher,
  sees,
} from './naive.ts'
import { seed, seeded } from './seeded.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ index: true })
})
afterEach(() => world.proxy.setFault(undefined))

type State = Pick<ChatModel, 'id' | 'users' | 'scopes'>

/**
 * When agents had no access for certain: from the answer to what took it away until what gives it back is
 * sent. Each such time has a number, so that whoever looks at its beginning and its end knows whether it is
 * the same one.
 */
const openTimes = () => {
  const times = new Map<string, number>()
  const ofAccounts = new Set<number>()
  let last = 0
  const name = (one: Searcher, chat: string) => `${one.id} ${chat}`
  return {
    begin: (one: Searcher, chat: string, { byAccount = false } = {}) => {
      times.set(name(one, chat), (last += 1))
      if (byAccount) ofAccounts.add(last)
    },
    /** Whether it is the agent's account that changed: a request goes by the session that it began with. */
    isByAccount: (time: number) => ofAccounts.has(time),
    end: (one: Searcher, chat: string) => void times.delete(name(one, chat)),
    of: (one: Searcher, chat: string) => times.get(name(one, chat)),
  }
}

interface Race {
  license: License
  olga: Client
  searching: { one: Searcher; client: Client }[]
  chats: Map<string, State>
  times: ReturnType<typeof openTimes>
  /** Texts, each with the times in which it was written: of those who had no access then. */
  written: Map<string, { chat: string; during: Map<Searcher, number> }>
}

const stateOf = async (id: string): Promise<State> => {
  const { users, scopes } = (await readChat(world.table.read, id))!
  return { id, users, scopes }
}

const chatCount = 10
const changes = 130

const begin = async (): Promise<Race> => {
  const license = await world.license(
    { olga: { permission: 'owner' }, ben: { groups: [1] }, cara: {}, dave: { groups: [2] }, eve: {} },
    { groups: ['A', 'B'] },
  )
  const olga = await license.login('olga')
  const login = async (one: Searcher) => ({
    one,
    client: await license.login(one.id, {}, one.scopes === undefined ? {} : { scope: one.scopes.join(' ') }),
  })
  const searching = await Promise.all(
    [
      searcher('ben', { groups: [1] }),
      searcher('cara'),
      searcher('dave', { groups: [2], scopes: ['chats--my:read'] }),
      searcher('eve'),
    ].map(login),
  )
  const chats = new Map<string, State>()
  const times = openTimes()
  for (let i = 0; i < chatCount; i += 1) {
    const { chat } = await olga.ok('start_chat', {
      chat: {
        scopes: { agents: ['olga'] },
        properties: { a: { x: 1 } },
        thread: { properties: { a: { x: 1 } } },
      },
      initial_events: [{ type: 'message', text: 'hello' }],
    })
    chats.set(chat.id, await stateOf(chat.id))
    for (const { one } of searching) times.begin(one, chat.id)
  }
  return { license, olga, searching, chats, times, written: new Map() }
}

const actors = ['ben', 'cara', 'dave', 'eve']

/** Changes something at random; keeps account of who surely has no access. */
const changer = (
  { license, olga, searching, chats, times, written }: Race,
  random: ReturnType<typeof seeded>,
) => {
  let texts = 0
  const write = async (state: State) => {
    texts += 1
    const text = `secret${texts}of${state.id}`
    const during = new Map(
      searching.flatMap(({ one }) => {
        const time = times.of(one, state.id)
        return time === undefined || times.isByAccount(time) ? [] : [[one, time] as const]
      }),
    )
    written.set(text, { chat: state.id, during })
    await olga.ok('send_event', { chat_id: state.id, event: { type: 'message', text } })
  }
  /** Does what makes a chat `after`. */
  const change = async (before: State, after: State, action: string, payload: object) => {
    const gaining = searching.filter(({ one }) => !sees(one, before) && sees(one, after))
    for (const { one } of gaining) times.end(one, before.id)
    await olga.ok(action, { chat_id: before.id, ...payload })
    const losing = searching.filter(({ one }) => sees(one, before) && !sees(one, after))
    for (const { one } of losing) times.begin(one, before.id)
    const now = await stateOf(before.id)
    chats.set(before.id, now)
    // what is told apart here goes by what the change was to do
    expect(searching.map(({ one }) => sees(one, now))).toEqual(searching.map(({ one }) => sees(one, after)))
    if (losing.length > 0) await write(now)
  }
  const changeScopes = (before: State, adds: boolean) => {
    const some = { groups: random.some([1, 2], 2), agents: random.some(['olga', ...actors], 2) }
    const { groups, agents } = before.scopes
    const scopes = adds
      ? {
          groups: [...new Set([...groups, ...some.groups])],
          agents: [...new Set([...agents, ...some.agents])],
        }
      : {
          groups: groups.filter((group) => !some.groups.includes(group)),
          agents: agents.filter((agent) => !some.agents.includes(agent)),
        }
    const payload = adds ? { add_scopes: some } : { remove_scopes: some }
    return change(before, { ...before, scopes }, 'update_chat_scopes', payload)
  }
  const changeUsers = (before: State, action: 'join_chat' | 'supervise_chat' | 'remove_from_chat') => {
    const agent_ids = random.shuffled(actors).slice(0, 2)
    const others = before.users.filter(({ id }) => !agent_ids.includes(id))
    const present = action !== 'remove_from_chat'
    const users = [...others, ...agent_ids.map((id) => ({ id, type: 'agent', present }) as const)]
    return change(before, { ...before, users }, action, { agent_ids })
  }
  /** What an agent may do changes: of its session that is known once the stream's workers are done. */
  const changeEve = async () => {
    const eve = searching.find(({ one }) => one.id === 'eve')!.one
    const after: Searcher = random.one([
      searcher('eve', { permission: 'administrator' }),
      searcher('eve', { groups: [1] }),
      searcher('eve'),
    ])
    const before = { ...eve }
    const all = [...chats.values()]
    for (const chat of all) if (!sees(before, chat) && sees(after, chat)) times.end(eve, chat.id)
    const { permission, groups } = after
    await changeAgent(world.table, license.id, 'eve', { permission, groups: [...groups] })
    await world.stream.settled()
    Object.assign(eve, { permission, groups })
    for (const chat of all)
      if (sees(before, chat) && !sees(after, chat)) times.begin(eve, chat.id, { byAccount: true })
  }
  return async () => {
    const state = random.one([...chats.values()])
    const does = random.one([
      ...Array.from({ length: 4 }, () => () => write(state)),
      ...Array.from({ length: 4 }, () => () => changeScopes(state, random.chance(0.5))),
      ...Array.from({ length: 2 }, () => () => changeUsers(state, 'remove_from_chat')),
      () => changeUsers(state, 'join_chat'),
      () => changeUsers(state, 'supervise_chat'),
      changeEve,
    ])
    return does()
  }
}

/** What an answer shows: chats, and texts of theirs. */
const shownIn = (answer: any): { ids: string[]; total: number; texts: string[] } => ({
  ids: (answer.chats ?? answer.chats_summary).map((item: any) => item.chat?.id ?? item.id),
  total: answer.pagination.total,
  texts: [...JSON.stringify(answer).matchAll(/secret\d+of[0-9a-z]+/g)].map(([text]) => text),
})

describe(`searches while access changes (ARCHIVES_SEED=${seed})`, () => {
  test('show nothing to an agent who had no access while they ran, however far the index lags', async () => {
    const random = seeded(seed)
    const race = await begin()
    await world.settled()
    const { searching, times, written, chats } = race
    const changeSomething = changer(race, random)
    // what the index's worker writes comes late; a log may be read long after its chat
    world.proxy.setFault(({ operation, request }) => {
      const text = JSON.stringify(request)
      if (/^(BatchWrite|Put)/.test(operation) && text.includes('INDEX#')) return { delayMs: random.below(60) }
      const isLog = operation === 'Query' && text.includes('LOG#')
      return { delayMs: random.below(isLog && random.chance(0.2) ? 400 : 6) }
    })

    const violations: object[] = []
    const seen = { answers: 0, hidden: 0, behind: 0, shown: 0 }
    let isOver = false
    const search = async ({ one, client }: Race['searching'][number]) => {
      while (!isOver) {
        const hidden = new Map([...chats.keys()].map((id) => [id, times.of(one, id)]))
        const asked = random.chance(0.5) ? 'get_archives' : 'get_filtered_chats'
        const properties = { 'a.x': random.one([{ values: [1] }, { exists: true }]) }
        const filters = random.one([{}, { properties }])
        const answer = await client.ok(asked, { filters, pagination: { limit: 100 } })
        const { ids, total, texts } = shownIn(answer)
        const shown = (id: string) => hidden.get(id) !== undefined && hidden.get(id) === times.of(one, id)
        for (const id of ids.filter(shown)) violations.push({ agent: one.id, asked, filters, shown: id })
        for (const text of texts) {
          const { chat, during } = written.get(text)!
          const time = during.get(one)
          if (time !== undefined && time === times.of(one, chat))
            violations.push({ agent: one.id, asked, filters, shown: text })
        }
        seen.answers += 1
        seen.shown += ids.length
        seen.hidden += [...hidden.keys()].filter(shown).length
        if (total > ids.length) seen.behind += 1
      }
    }
    const running = searching.flatMap((each) => [search(each), search(each)])
    try {
      for (let i = 0; i < changes; i += 1) await changeSomething()
    } finally {
      isOver = true
    }
    await Promise.all(running)
    expect(violations).toEqual([])
    expect(written.size).toBeGreaterThan(changes / 5)
    // there was something to be seen, and something that the index knew too late
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0)

    world.proxy.setFault(undefined)
    await world.settled()
    const models = await readModels(world.table.read, race.license.id)
    for (const { one, client } of searching) {
      const pagination = { limit: 100 }
      for (const filters of [{}, { properties: { 'a.x': { values: [1] } } }] satisfies ArchiveFilters[]) {
        const answer = await client.ok('get_archives', { filters, pagination })
        const expected = archivesOf(models, one, filters)
        expect({
          one,
          total: answer.pagination.total,
          ids: answer.chats.map(({ chat }: any) => chat.thread.id),
        }).toEqual({ one, total: expected.length, ids: expected })
      }
      for (const filters of [{}, { include_active: false }] satisfies ChatFilters[]) {
        const answer = await client.ok('get_filtered_chats', { filters, pagination })
        const expected = filteredChatsOf(models, one, filters)
        expect({
          one,
          total: answer.pagination.total,
          ids: answer.chats_summary.map(({ id }: any) => id),
        }).toEqual({ one, total: expected.length, ids: expected })
      }
    }
  })
})
