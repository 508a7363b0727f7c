import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { putChangedChat } from '../../shared/table/chat/changed-chats.ts'
import { removeChat } from '../../shared/table/erasing.ts'
import { readChat } from '../../shared/table/chat/chats.ts'
import { keys } from '../../shared/table/keys.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import { type License, startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  world = await startWorld({ stream: false })
})
afterAll(() => void vi.useRealTimers())
afterEach(() => world.proxy.setFault(undefined))

/** Whatever was done by now is older than the overlap of the next cursor. */
const passTime = (ms = 61_000): void => void vi.setSystemTime(Date.now() + ms)
const message = (text: string) => ({ type: 'message', text })
const start = async (client: Client, chat: object = {}): Promise<string> =>
  (await client.ok('start_chat', { chat, initial_events: [message('hello')] })).chat.id
const cursorOf = async (client: Client): Promise<string> => (await client.ok('ping', { cursor: true })).cursor
const idsOf = ({ chats }: { chats: { id: string }[] }) => chats.map(({ id }) => id).toSorted()
const edited = (cursor: string, change: object): string =>
  Buffer.from(
    JSON.stringify({ ...JSON.parse(Buffer.from(cursor, 'base64url').toString()), ...change }),
  ).toString('base64url')

/** Two agents of a license, who see each other's chats; the first one has closed a chat. */
const office = async () => {
  const license = await world.license(
    { ann: {}, ben: { groups: [1] }, owner: { permission: 'owner' } },
    { groups: ['A', 'B'] },
  )
  return { license, ann: await license.login('ann'), ben: await license.login('ben') }
}
const startClosed = async (client: Client, chat: object = {}): Promise<string> => {
  const chat_id = await start(client, chat)
  await client.ok('close_thread', { chat_id })
  return chat_id
}
/** As `get_chat_threads` shows it. */
const stateOf = async (client: Client, chat_id: string) => {
  const { chat } = await client.ok('get_chat_threads', { chat_id })
  const last = chat.threads_summary.at(-1).thread_id
  const page = await client.ok('get_chat_threads', { chat_id, thread_ids: [last], limit: 1 })
  const [thread] = page.chat.threads
  return {
    id: chat_id,
    version: chat.version,
    properties_version: chat.properties_version,
    thread_id: last,
    last_order: thread.last_order,
    active: thread.active,
  }
}

describe('sync', () => {
  test('answers what changed, who is there, and where the next one begins', async () => {
    const { ann, ben } = await office()
    const [quiet, busy, closed] = [await start(ann), await start(ann), await startClosed(ann)]
    passTime()
    const cursor = await cursorOf(ben)
    passTime()
    await ann.ok('send_event', { chat_id: busy, event: message('more') })
    const answer = await ben.ok('sync', { cursor })
    expect(answer).toEqual({
      recovered: true,
      cursor: expect.any(String),
      has_more: false,
      chats: [await stateOf(ben, busy)],
      agents: ['ann', 'ben', 'owner'].map((id) => expect.objectContaining({ id })),
      groups: [
        { id: 1, name: 'A' },
        { id: 2, name: 'B' },
      ],
    })
    passTime()
    const next = await ben.ok('sync', { cursor: answer.cursor })
    expect(next.chats).toEqual([await stateOf(ben, busy)])
    // what happened within the minute before a cursor is told again, and then no more
    expect((await ben.ok('sync', { cursor: next.cursor })).chats).toEqual([])
    expect([quiet, closed].every((id) => !idsOf(answer).includes(id))).toBe(true)
    await ann.received()
  })

  test('takes the cursor of a login, which tells of what came after it', async () => {
    const { license, ann } = await office()
    const chat_id = await start(ann)
    passTime()
    const client = await world.open()
    const { cursor } = await client.ok('login', { token: await license.token('ben') })
    expect(idsOf(await client.ok('sync', { cursor }))).toEqual([])
    await ann.ok('close_thread', { chat_id })
    expect(idsOf(await client.ok('sync', { cursor }))).toEqual([chat_id])
  })

  test('has no cursor from a ping before login, nor where a ping asks for none', async () => {
    const { ann } = await office()
    const stranger = await world.open()
    expect(await stranger.call('ping', { cursor: true })).not.toHaveProperty('payload')
    expect(await ann.call('ping', { cursor: false })).not.toHaveProperty('payload')
    expect((await ann.call('ping', { cursor: true })).payload).toEqual({ cursor: expect.any(String) })
  })
})

/** Chats by what they are, and the customer of one of them. */
interface Scene {
  ann: Client
  open: string
  closed: string
  customer: string
  cleo: { client: CustomerClient; id: string }
}
const thread = (chat: string) => `${chat}_1`
/** Everything that a push tells of a chat, of one with an active thread and of one without. */
const changes: [string, 'open' | 'closed' | 'customer', (scene: Scene) => Promise<unknown>][] = [
  ['a message', 'open', ({ ann, open }) => ann.ok('send_event', { chat_id: open, event: message('x') })],
  [
    'a note on a closed thread',
    'closed',
    ({ ann, closed }) =>
      ann.ok('send_event', { chat_id: closed, event: { type: 'annotation', annotation_type: 'note' } }),
  ],
  [
    'a thread that starts',
    'closed',
    ({ ann, closed }) => ann.ok('send_event', { chat_id: closed, event: message('x') }),
  ],
  ['a thread that is closed', 'open', ({ ann, open }) => ann.ok('close_thread', { chat_id: open })],
  ...(['open', 'closed'] as const).flatMap((which): typeof changes => [
    [
      'who is in it',
      which,
      ({ ann, ...scene }) => ann.ok('join_chat', { chat_id: scene[which], agent_ids: ['owner'] }),
    ],
    [
      'its scopes',
      which,
      ({ ann, ...scene }) =>
        ann.ok('update_chat_scopes', { chat_id: scene[which], add_scopes: { agents: ['ben'] } }),
    ],
    [
      'its properties',
      which,
      ({ ann, ...scene }) =>
        ann.ok('update_chat_properties', { chat_id: scene[which], properties: { a: { b: 1 } } }),
    ],
    [
      'the properties of a thread',
      which,
      ({ ann, ...scene }) =>
        ann.ok('update_chat_thread_properties', {
          chat_id: scene[which],
          thread_id: thread(scene[which]),
          properties: { a: { b: 1 } },
        }),
    ],
    [
      'a tag',
      which,
      ({ ann, ...scene }) =>
        ann.ok('tag_thread', { chat_id: scene[which], thread_id: thread(scene[which]), tag: 'a' }),
    ],
    [
      'an event marked as seen',
      which,
      ({ ann, ...scene }) =>
        ann.ok('mark_event_as_seen', { chat_id: scene[which], event_id: `${thread(scene[which])}_1` }),
    ],
    [
      'up to when it was seen',
      which,
      ({ ann, ...scene }) => ann.ok('update_last_seen_timestamp', { chat_id: scene[which] }),
    ],
  ]),
  [
    'what its customer says of itself',
    'customer',
    ({ cleo }) => cleo.client.ok('update_customer', { customer: { name: 'Cleo' } }),
  ],
  [
    'that its customer is banned',
    'customer',
    ({ ann, cleo }) => ann.ok('ban_customer', { customer_id: cleo.id, ban: { days: 1 } }),
  ],
]

describe('sync tells of', () => {
  let license: License
  let ann: Client
  let ben: Client
  beforeAll(async () => {
    ;({ license, ann, ben } = await office())
  })
  const sceneWith = async (which: keyof Scene): Promise<Scene> => {
    const chats = { open: await start(ann), closed: await startClosed(ann) }
    if (which !== 'customer') return { ann, ...chats, customer: '', cleo: undefined! }
    const { client, id } = await license.visit()
    const { chat } = await client.ok('start_chat', { chat: {} })
    return { ann, ...chats, customer: chat.id, cleo: { client, id } }
  }

  test.each(changes)('%s (%s)', { tags: ['full'] }, async (_, which, change) => {
    const scene = await sceneWith(which)
    passTime()
    const cursor = await cursorOf(ben)
    passTime()
    await change(scene)
    const answer = await ben.ok('sync', { cursor })
    expect(answer.recovered).toBe(true)
    expect(answer.chats).toEqual([await stateOf(ben, scene[which])])
    // also once the clock has moved closed chats to the list of changed ones
    await world.tick()
    expect((await ben.ok('sync', { cursor })).chats).toEqual(answer.chats)
    passTime()
    expect(idsOf(await ben.ok('sync', { cursor: await cursorOf(ben) }))).toEqual([])
  })

  test('bans that were made and lifted', async () => {
    passTime(360_000)
    const [cleo, dan] = [await license.visit(), await license.visit()]
    for (const { client } of [cleo, dan])
      await client.ok('update_customer', { customer: { name: 'somebody' } })
    const cursor = await cursorOf(ben)
    expect(await ben.ok('sync', { cursor })).not.toHaveProperty('banned_customers')
    await ann.ok('ban_customer', { customer_id: cleo.id, ban: { days: 3 } })
    for (const days of [1, 2]) await ann.ok('ban_customer', { customer_id: dan.id, ban: { days } })
    await ann.ok('unban_customer', { customer_id: dan.id })
    const { banned_customers: bans } = await ben.ok('sync', { cursor })
    expect(new Set(bans)).toEqual(
      new Set([{ customer_id: cleo.id, ban: { days: 3 } }, { customer_id: dan.id }]),
    )
  })
})

describe(
  'of chats that one may not see any more sync names those that it could see',
  { tags: ['full'] },
  () => {
    const hidden = { scopes: { agents: ['ann', 'ben'] } }
    const taking: [string, (ann: Client, chat_id: string) => Promise<unknown>][] = [
      [
        'by scopes',
        (ann, chat_id) => ann.ok('update_chat_scopes', { chat_id, remove_scopes: { agents: ['ben'] } }),
      ],
      [
        'by leaving',
        async (ann, chat_id) => {
          await ann.ok('join_chat', { chat_id, agent_ids: ['ben'] })
          await ann.ok('update_chat_scopes', { chat_id, remove_scopes: { agents: ['ben'] } })
          await ann.ok('remove_from_chat', { chat_id, agent_ids: ['ben'] })
        },
      ],
    ]
    const states: [string, (ann: Client, chat_id: string) => Promise<unknown>][] = [
      ['that is active', async () => {}],
      ['that is closed', (ann, chat_id) => ann.ok('close_thread', { chat_id })],
      [
        'that is closed and moved by the clock',
        async (ann, chat_id) => {
          await ann.ok('close_thread', { chat_id })
          await world.tick()
        },
      ],
    ]
    let ann: Client
    let ben: Client
    beforeAll(async () => {
      ;({ ann, ben } = await office())
    })

    test.each(
      taking.flatMap(([how, take]) => states.map(([which, settle]) => [how, which, take, settle] as const)),
    )('%s, of one %s', async (_, __, take, settle) => {
      const secret = await start(ann, { scopes: { agents: ['ann'] } })
      const [before, after] = [await start(ann, hidden), await start(ann, hidden)]
      passTime()
      const cursor = await cursorOf(ben)
      passTime()
      await take(ann, before)
      await settle(ann, before)
      await settle(ann, after)
      await take(ann, after)
      // of one that was never seen nothing is said
      await ann.ok('update_chat_scopes', { chat_id: secret, add_scopes: { agents: ['owner'] } })
      const { chats } = await ben.ok('sync', { cursor })
      expect(new Set(chats)).toEqual(new Set([before, after].map((id) => ({ id, lost: true }))))
      // whoever has seen it go does not hear of it again
      passTime()
      expect((await ben.ok('sync', { cursor: await cursorOf(ben) })).chats).toEqual([])
      // to those who still see it, it is a change
      const earlier = edited(await cursorOf(ann), { since: Date.now() - 62_000 })
      expect(idsOf(await ann.ok('sync', { cursor: earlier }))).toEqual([secret, before, after].toSorted())
    })

    test('however often access has come and gone', async () => {
      const { ann, ben } = await office()
      const chat_id = await start(ann, hidden)
      passTime()
      const cursor = await cursorOf(ben)
      passTime()
      await ann.ok('update_chat_scopes', { chat_id, remove_scopes: { agents: ['ben'] } })
      for (let turn = 0; turn < 6; turn += 1) {
        await ann.ok('update_chat_scopes', { chat_id, add_scopes: { groups: [2] } })
        await ann.ok('update_chat_scopes', { chat_id, remove_scopes: { groups: [2] } })
      }
      expect((await readChat(world.table.read, chat_id))?.formerly).toHaveLength(10)
      expect((await ben.ok('sync', { cursor })).chats).toEqual([{ id: chat_id, lost: true }])
    })

    test('and one that was erased', async () => {
      const { license, ann, ben } = await office()
      const chat_id = await startClosed(ann)
      await world.tick()
      passTime()
      const cursor = await cursorOf(ben)
      const chat = (await readChat(world.table.read, chat_id))!
      await world.table.write.write(putChangedChat({ license_id: license.id, id: chat_id }, Date.now()))
      await world.table.write.write(removeChat(chat))
      expect((await ben.ok('sync', { cursor })).chats).toEqual([{ id: chat_id, lost: true }])
    })
  },
)

describe('sync in pages', () => {
  /** All pages from a cursor on; `between` is run after each. */
  const walk = async (client: Client, cursor: string, limit: number, between = async () => {}) => {
    const pages: any[] = []
    for (let next = cursor; ;) {
      const page = await client.ok('sync', { cursor: next, limit })
      pages.push(page)
      if (!page.has_more) return pages
      next = page.cursor
      await between()
    }
  }

  test('each changed chat comes once, a page is never larger than asked for', async () => {
    const { ann, ben } = await office()
    const open: string[] = []
    const closed: string[] = []
    for (let i = 0; i < 4; i += 1) open.push(await start(ann))
    const cursor = await cursorOf(ben)
    for (let i = 0; i < 3; i += 1) closed.push(await startClosed(ann))
    await world.tick()
    for (let i = 0; i < 2; i += 1) closed.push(await startClosed(ann))
    for (const limit of [1, 2, 3, 100]) {
      const pages = await walk(ben, cursor, limit)
      const ids = pages.flatMap(idsOf)
      expect(ids.toSorted()).toEqual([...open, ...closed].toSorted())
      expect(Math.max(...pages.map(({ chats }) => chats.length))).toBeLessThanOrEqual(limit)
      expect(pages.map(({ agents }) => agents !== undefined)).toEqual(pages.map((_, i) => i === 0))
    }
  })

  test('what changes between two pages is in them or in the next sync', async () => {
    const { ann, ben } = await office()
    const chats: string[] = []
    for (let i = 0; i < 5; i += 1) chats.push(await start(ann))
    const cursor = await cursorOf(ben)
    passTime()
    const changed: string[] = []
    const pages = await walk(ben, cursor, 1, async () => {
      const chat_id = chats[changed.length]
      if (chat_id === undefined) return
      changed.push(chat_id)
      await ann.ok('close_thread', { chat_id })
      await world.tick()
    })
    const last = pages.at(-1)!
    const next = await ben.ok('sync', { cursor: last.cursor })
    expect(changed.length).toBeGreaterThan(3)
    const told = new Map([...pages, next].flatMap(({ chats }) => chats).map((chat: any) => [chat.id, chat]))
    for (const id of changed) expect(told.get(id)).toEqual(await stateOf(ben, id))
  })
})

describe('a cursor', () => {
  test.each(['~', '99999999', `05986836#CHAT#${'x'.repeat(2000)}`, '05986836#CHAT#\u{1f600}', ''])(
    'that an app made up, with the row %s, starts over: it is no bound of a query',
    async (row) => {
      const { ann } = await office()
      const cursor = edited(await cursorOf(ann), { until: Date.now(), row })
      expect(await ann.ok('sync', { cursor })).toMatchObject({ recovered: false, chats: [] })
    },
  )

  test('that is foreign, broken, too old, or of other rights starts over, with a new one', async () => {
    const [{ license, ann, ben }, other] = [await office(), await office()]
    await start(ann)
    const cursor = await cursorOf(ben)
    const hour = 3_600_000
    const old = edited(cursor, { since: Date.now() - 48 * hour })
    const cursors = ['', 'x', '{}', old, edited(cursor, { since: Date.now() + hour }), await cursorOf(ann)]
    for (const bad of [...cursors, await cursorOf(other.ben), edited(cursor, { more: 1 })]) {
      const { cursor: fresh, ...answer } = await ben.ok('sync', { cursor: bad })
      expect(answer).toEqual({ recovered: false, has_more: false, chats: [] })
      expect(await ben.ok('sync', { cursor: fresh })).toMatchObject({ recovered: true })
    }
    const recent = edited(cursor, { since: Date.now() - 47 * hour })
    expect(await ben.ok('sync', { cursor: recent })).toMatchObject({ recovered: true })
    const narrowed = await license.login('ben', {}, { scope: 'chats--my:read' })
    expect(await narrowed.ok('sync', { cursor })).toMatchObject({ recovered: false })
  })

  test('given out while a write is under way is early enough for it', async () => {
    const { license, ann, ben } = await office()
    const [open, closed] = [await start(ann), await startClosed(ann)]
    await world.tick()
    passTime()
    const held = Promise.withResolvers<void>()
    let isHeld = 0
    const log = [keys.event(open, 1, 2).sk, keys.event(closed, 1, 3).sk]
    world.proxy.setFault(async ({ operation, request }: any) => {
      if (!/^(PutItem|TransactWriteItems)$/.test(operation)) return undefined
      if (!log.some((sk) => JSON.stringify(request).includes(sk))) return undefined
      isHeld += 1
      await held.promise
      return undefined
    })
    const note = { type: 'annotation', annotation_type: 'note' }
    const writing = [open, closed].map((chat_id) => ann.ok('send_event', { chat_id, event: note }))
    await vi.waitUntil(() => isHeld === 2)
    vi.setSystemTime(Date.now() + 10_000)
    const { cursor, chats } = await ben.ok('sync', { cursor: await cursorOf(ben) })
    expect(chats).toEqual([])
    vi.setSystemTime(Date.now() + 1_000)
    held.resolve()
    await Promise.all(writing)
    world.proxy.setFault(undefined)
    await ben.close()
    const back = await license.login('ben')
    passTime(3_600_000)
    expect(idsOf(await back.ok('sync', { cursor }))).toEqual([open, closed].toSorted())
  })

  test('finds a closed chat wherever the clock that moves it is cut short', async () => {
    const { license, ann, ben } = await office()
    const cursor = await cursorOf(ben)
    const chat_id = await startClosed(ann)
    const row = keys.activeChat(license.id, chat_id)
    world.proxy.setFault(({ operation, request }: any) =>
      operation === 'DeleteItem' && JSON.stringify(request).includes(row.pk)
        ? { errorType: 'ValidationException', status: 400 }
        : undefined,
    )
    await world.tick().catch(() => {})
    world.proxy.setFault(undefined)
    expect(idsOf(await ben.ok('sync', { cursor }))).toEqual([chat_id])
    await world.tick()
    expect(await world.table.read.get(row, { strong: true })).toBeUndefined()
    expect(idsOf(await ben.ok('sync', { cursor }))).toEqual([chat_id])
    // a thread that begins meanwhile keeps its row
    await ann.ok('send_event', { chat_id, event: message('again') })
    await world.tick()
    expect(await world.table.read.get(row, { strong: true })).toMatchObject({ thread: 2 })
  })
})
