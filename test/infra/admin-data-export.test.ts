import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { deviceHash } from '../../shared/table/devices.ts'
import { putEntry, putHead, newHead, nextEntries } from '../../shared/table/chat/log-entries.ts'
import type { Op } from '../../shared/table/ops.ts'
import { calm } from '../races/holding.ts'
import type { World } from '../support/world.ts'
import { type DataWorld, knownCustomer, message, openDataWorld } from './data-world.ts'

let data: DataWorld
let world: World
beforeAll(async () => {
  data = await openDataWorld()
  world = data.world
})
afterEach(() => data.proxy.setFault(undefined))
afterAll(() => data.close())

const linesOf = (out: string): any[] =>
  out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
const iso = expect.stringMatching(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/)
const populated = async () => {
  const license = await world.license(
    { ann: { name: 'Ann', email: 'ann@example.com' } },
    { groups: ['Sales'], settings: { events: true } },
  )
  const ann = await license.login('ann', {
    push_notifications: { firebase_token: `secret-${license.id}`, platform: 'android' },
    application: { name: 'desk', version: '2' },
  })
  const known = await knownCustomer(world, license)
  await ann.ok('send_event', {
    chat_id: known.chat_id,
    event: message('whisper', { recipients: 'agents' }),
  })
  const thread_id = `${known.chat_id}_1`
  await ann.ok('tag_thread', { chat_id: known.chat_id, thread_id, tag: known.clue })
  await ann.ok('ban_customer', { customer_id: known.id, ban: { days: 3 } })
  await calm(world)
  return { license, ann, known }
}

test('a customer is written out with all that is stored of it, as people read it', async () => {
  const { license, known } = await populated()
  const { id, chat_id, clue } = known
  const { code, out, err } = await data.admin(['customer', 'export', license.id, id])
  expect([code, err]).toEqual([
    0,
    `Exported customer ${id} of license ${license.id}: 1 customer, 1 chat, 2 threads, 6 events.\n`,
  ])
  const [first, customer, chat, ...rest] = linesOf(out)
  expect(first).toEqual({
    record: 'export',
    format: 1,
    license_id: license.id,
    customer_id: id,
    exported_at: iso,
  })
  expect(customer).toEqual({
    record: 'customer',
    id,
    name: `Zoe ${clue}`,
    email: `${clue}@example.com`,
    properties: { shoe: clue },
    online: expect.any(Boolean),
    stats: { visits: 1, threads: 2, page_views: 1 },
    current_visit: {
      started_at: iso,
      pages: [{ url: `https://shop.example.com/${clue}`, title: `Shop ${clue}`, opened_at: iso }],
      ip: '127.0.0.1',
      user_agent: `browser-${clue}`,
      timezone: 'UTC',
    },
    ban: { days: 3, until: iso, by_agent_id: 'ann' },
  })
  expect(chat).toEqual({
    record: 'chat',
    id: chat_id,
    users: expect.arrayContaining([
      { id, type: 'customer', present: true, seen_up_to: iso },
      { id: 'ann', type: 'agent', present: true, seen_up_to: iso },
    ]),
    scopes: { groups: [], agents: [] },
    properties: { order: { note: clue }, routing: expect.any(Object) },
    active: false,
    threads_count: 2,
    last_thread_started_at: iso,
    users_changed_at: iso,
  })
  expect(rest.map(({ record, id: of }) => [record, of])).toEqual([
    ['thread', `${chat_id}_1`],
    ...[1, 2, 3].map((m) => ['event', `${chat_id}_1_${m}`]),
    ['thread', `${chat_id}_2`],
    ...[1, 2, 3].map((m) => ['event', `${chat_id}_2_${m}`]),
    ['end', undefined],
  ])
  expect(rest[0]).toMatchObject({
    started_at: iso,
    properties: { rating: { comment: clue } },
    tags: [clue],
    user_ids: ['ann', id].sort(),
  })
  expect(rest[1]).toEqual({
    record: 'event',
    id: `${chat_id}_1_1`,
    chat_id,
    thread_id: `${chat_id}_1`,
    order: 1,
    author_id: id,
    sent_at: iso,
    recipients: 'all',
    type: 'message',
    text: `${clue} one`,
  })
  expect(rest[3]).toMatchObject({ type: 'system_message', thread_closed: true, closed_by: id })
  expect(rest.find((event) => event.text === 'whisper')).toMatchObject({
    recipients: 'agents',
    author_id: 'ann',
  })
  expect(rest.at(-1)).toEqual({ record: 'end', counts: { customer: 1, chat: 1, thread: 2, event: 6 } })
})

test('a license is written out with all that is stored of it, but nothing that opens anything, and of no other', async () => {
  const { license, known } = await populated()
  const told = await license.visit({ customer: { name: 'Never chatted' } })
  await calm(world)
  const { code, out } = await data.admin(['license', 'export', license.id])
  expect(code).toBe(0)
  const lines = linesOf(out)
  const of = (record: string) => lines.filter((line) => line.record === record)
  expect(of('license')).toEqual([
    expect.objectContaining({ id: license.id, plan: 'test', expires_at: iso, events: true }),
  ])
  expect(of('group')).toEqual([{ record: 'group', id: 1, name: 'Sales' }])
  expect(of('agent')).toEqual([
    expect.objectContaining({
      id: 'ann',
      name: 'Ann',
      email: 'ann@example.com',
      online: true,
      identities: [{ issuer: 'https://issuer.test', subject: `${license.id}/ann` }],
    }),
  ])
  expect(of('device')).toEqual([
    {
      record: 'device',
      agent_id: 'ann',
      token_sha256: deviceHash(`secret-${license.id}`),
      platform: 'android',
      enabled: true,
    },
  ])
  expect(
    of('customer')
      .map(({ id }) => id)
      .sort(),
  ).toEqual([known.id, told.id].sort())
  expect(of('connection')).toEqual([
    expect.objectContaining({
      agent_id: 'ann',
      application: { name: 'desk', version: '2' },
      connected_at: iso,
    }),
    expect.objectContaining({ customer_id: told.id, ip: '127.0.0.1' }),
  ])
  expect([of('chat').length, of('thread').length, of('event').length]).toEqual([1, 2, 6])
  expect(lines.at(-1)).toEqual({
    record: 'end',
    counts: {
      license: 1,
      group: 1,
      agent: 1,
      device: 1,
      connection: 2,
      customer: 2,
      chat: 1,
      thread: 2,
      event: 6,
    },
  })
  for (const secret of [`secret-${license.id}`, told.token, 'nonce', '"version":1'])
    expect(out).not.toContain(secret)
})

test(
  'a file has its name once it is complete, is its owner’s alone, and is written over by nothing',
  { tags: ['full'] },
  async () => {
    const { license, known } = await populated()
    const file = join(data.localDir, `${license.id}.jsonl`)
    const argv = ['customer', 'export', license.id, known.id, '--out', file]
    data.proxy.setFault(({ request }) =>
      JSON.stringify(request).includes('LOG#') ? { errorType: 'ValidationException' } : undefined,
    )
    expect(await data.admin(argv)).toMatchObject({ code: 1, out: '' })
    data.proxy.setFault(undefined)
    expect((await readdir(data.localDir)).filter((name) => name.includes(license.id))).toEqual([])
    await writeFile(`${file}.partial`, 'of a run that was killed')
    expect(await data.admin(argv)).toMatchObject({ code: 0, out: '' })
    expect((await readdir(data.localDir)).filter((name) => name.includes(license.id))).toEqual([
      `${license.id}.jsonl`,
    ])
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const written = await readFile(file, 'utf8')
    expect(linesOf(written).at(-1)).toMatchObject({ record: 'end' })
    expect(await data.admin(argv)).toEqual({
      code: 1,
      out: '',
      err: `error: ${file} exists. Choose another --out.\n`,
    })
    expect(await readFile(file, 'utf8')).toBe(written)
  },
)

test('whom there is not is said, and nothing is written', async () => {
  const license = await world.license({})
  expect(await data.admin(['customer', 'export', license.id, 'nobody'])).toEqual({
    code: 1,
    out: '',
    err: `error: License ${license.id} has no customer nobody. See customer list ${license.id}.\n`,
  })
  expect(await data.admin(['license', 'export', 'nobody'])).toMatchObject({ code: 1, out: '' })
})

/** A thread more of so many events of some size, behind those of a chat. */
const addThread = async (chat: string, n: number, count: number, bytes: number) => {
  const by = { nonce: 'x', version: 1, at: Date.now() }
  const head = newHead({ n, ...by, userIds: ['ann'] })
  const events = Array.from({ length: count }, (_, i) => ({
    type: 'custom' as const,
    content: JSON.stringify({ i, fill: 'x'.repeat(bytes) }),
    author_id: 'ann',
  }))
  const ops = [
    putHead(chat, head),
    ...nextEntries({ n, m: 0, last: head }, events, by).map((entry) => putEntry(chat, entry)),
  ]
  await world.table.write.batch(ops.map((op): Op => ('Put' in op ? { Put: { Item: op.Put.Item } } : op)))
}

test(
  'what is long is streamed: reading goes on only as fast as it is taken',
  { tags: ['full'] },
  async () => {
    const { license, known } = await populated()
    await addThread(known.chat_id, 3, 600, 4000)
    const child = spawn(
      process.execPath,
      ['infra/admin/main.ts', 'customer', 'export', license.id, known.id],
      {
        cwd: join(import.meta.dirname, '../..'),
        env: { ...process.env, AGENT_CHAT_LOCAL_DIR: data.localDir },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    const complaints = text(child.stderr)
    const before = data.proxy.calls.length
    // nobody reads: the pipe is full long before the end
    await once(child.stdout, 'readable')
    let calls = -1
    while (data.proxy.calls.length !== calls) {
      calls = data.proxy.calls.length
      await data.everything()
    }
    const made = data.proxy.calls.slice(before).filter(({ operation }) => operation === 'Query')
    expect(made.length).toBeLessThan(6)
    const lines = linesOf(await text(child.stdout))
    expect(lines.filter(({ record }) => record === 'event')).toHaveLength(606)
    expect(lines.at(-1)).toMatchObject({ record: 'end', counts: { event: 606 } })
    expect(await complaints).toContain('606 events.')
  },
)
