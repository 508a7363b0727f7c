import { existsSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { InvalidArgumentError } from 'commander'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { listenOn } from '../../infra/local/listen-on.ts'
import { parsePort } from '../../infra/local/port-option.ts'
import { bundlesIn, openHandlers } from '../../infra/local/handlers.ts'
import {
  allGone,
  childrenOf,
  closed,
  complaintOf,
  login,
  openCustomer,
  ownDir,
  start,
  startJson,
  startMs,
  steadyPort,
  writeSharedBundles,
} from './npm-start.ts'

const event = { type: 'message', text: 'hello' }

/** What takes events as a webhook does, and keeps them. */
const startReceiver = async () => {
  const posted: { 'detail-type': string; detail: any }[] = []
  const server = createServer(async (request, response) => {
    posted.push((await json(request)) as (typeof posted)[number])
    response.writeHead(204).end()
  })
  const port = await listenOn(server, 0, '127.0.0.1')
  onTestFinished(async () => {
    server.closeAllConnections()
    await closed(server)
  })
  return { url: `http://127.0.0.1:${port}/hook`, posted }
}

test(
  'npm start -- --json prints one line, with which people chat until a signal ends it and all that it started',
  { timeout: 2 * startMs },
  async () => {
    const dir = await ownDir()
    const dist = join(dir, 'copy')
    await writeSharedBundles(dist)
    const receiver = await startReceiver()
    const port = await steadyPort()
    const flags = ['--port', String(port), '--dist', dist, '--events-to', receiver.url]
    const run = await startJson(dir, flags)
    expect(Object.keys(JSON.parse(run.output()))).toEqual([
      ...['agent_url', 'customer_url', 'http_url', 'token_url', 'license_id', 'agents', 'console_url'],
    ])
    const at = (n: number) => `ws://127.0.0.1:${n}/v1`
    expect([run.agent_url, run.customer_url]).toEqual([at(port), at(port + 1)])
    expect(run.console_url).toBe(`http://127.0.0.1:${port + 2}/`)
    expect(run.http_url).toBe(`http://127.0.0.1:${port + 3}`)
    const config = await (await fetch(`${run.console_url}config.json`)).json()
    const { agent_url, customer_url, license_id, agents } = run
    expect(config).toEqual({ agent_url, customer_url, license_id, agents })
    const permissions = run.agents.map(({ permission }) => permission)
    expect(permissions.filter((one) => one === 'normal').length).toBeGreaterThanOrEqual(3)
    expect(permissions.some((one) => one === 'owner' || one === 'administrator')).toBe(true)
    // every bundle is loaded: one that is replaced or gone later is not missed
    await rm(dist, { recursive: true })

    for (const { id, permission } of run.agents) {
      const [, { license, my_profile }] = await login(run, id)
      expect(license.id).toBe(run.license_id)
      expect(my_profile).toMatchObject({ id, permission })
    }
    const [[nora], [noah]] = [await login(run, 'nora'), await login(run, 'noah')]
    const { chat } = await nora.ok('start_chat')
    expect((await noah.next('incoming_chat_thread')).chat.id).toBe(chat.id)
    const sent = await nora.ok('send_event', { chat_id: chat.id, event })
    expect((await noah.next('incoming_event')).event).toEqual(sent.event)

    const customer = await openCustomer(run)
    const { customer_id } = await customer.ok('login', { customer: { name: 'Kim' } })
    const { chat: own } = await customer.ok('start_chat', { chat: { thread: { events: [event] } } })
    const { users } = (await noah.eventually('incoming_chat_thread', ({ chat }) => chat.id === own.id)).chat
    expect(users).toContainEqual(expect.objectContaining({ id: customer_id, name: 'Kim', online: true }))
    await nora.ok('join_chat', { chat_id: own.id, agent_ids: ['nora'] })
    await nora.ok('send_event', { chat_id: own.id, event: { ...event, text: 'hello you' } })
    await customer.eventually('incoming_event', ({ event }) => 'text' in event && event.text === 'hello you')
    // what it writes goes out as an event, too
    const written = await customer.ok('send_event', { chat_id: own.id, event: { ...event, text: 'and you' } })
    await vi.waitFor(
      () =>
        expect(receiver.posted).toContainEqual(
          expect.objectContaining({
            'detail-type': 'incoming_event',
            detail: expect.objectContaining({
              ...{ license_id: run.license_id, author_type: 'customer' },
              payload: expect.objectContaining({
                event: expect.objectContaining({ id: written.event.id, text: 'and you' }),
              }),
            }),
          }),
        ),
      { timeout: startMs },
    )

    // a customer may do so much in a minute, as deployed; of eleven, six are in the same minute, whenever it
    // ends
    const eager = await openCustomer(run)
    await eager.ok('login')
    const answers = []
    for (let n = 0; n < 11; n++) answers.push(await eager.call('start_chat'))
    const refusals = answers.filter(({ success }) => !success)
    expect(answers.length - refusals.length).toBeGreaterThanOrEqual(5)
    expect(refusals[0]?.payload).toMatchObject({ error: { type: 'too_many_requests' } })

    // another start says that this one runs, and leaves it and its data alone
    expect(await complaintOf(start(dir, ['--port', '0', '--fresh']))).toBe(
      `The stack already runs on ${dir}, as process ${run.child.pid} at ${run.agent_url}: stop it first, or give this ` +
        'one another folder with AGENT_CHAT_LOCAL_DIR.',
    )
    expect((await nora.ok('get_chat_threads', { chat_id: chat.id })).chat.id).toBe(chat.id)

    const children = await childrenOf(run)
    expect(children.length).toBeGreaterThan(0)
    expect(await run.end('SIGTERM')).toBe(0)
    await allGone(children)
    expect(await nora.closing()).toBe(1001)
    expect(existsSync(join(dir, 'stack.json'))).toBe(false)
    expect(existsSync(join(dir, 'lock'))).toBe(false)
    expect(run.output().trim().split('\n')).toHaveLength(1)
    expect(run.complaints()).toBe('')
    const log = await readFile(join(dir, 'requests.log'), 'utf8')
    expect(log).toMatch(/^\S+Z agents +send_event +\S+ +[\d.]+ ms {2}ok$/m)
    expect(log).toMatch(/^\S+Z customers start_chat +\S+ +[\d.]+ ms {2}ok$/m)
    expect(log).not.toMatch(/hello|and you/)
  },
)

test.each([
  ['0', 0],
  ['4000', 4000],
  ['65535', 65_535],
])('port %s is one', (text, port) => {
  expect(parsePort(text)).toBe(port)
})
test.each(['', 'abc', '-1', '65536', '1.5', '1e3', '0x10'])('port %j is none', (text) => {
  expect(() => parsePort(text)).toThrow(InvalidArgumentError)
  expect(() => parsePort(text)).toThrow('A port is a number from 0')
})

describe('the bundles', () => {
  test('that could not be imported are tried again by the next invocation', async () => {
    const dir = await ownDir()
    const { handler } = openHandlers(bundlesIn(dir)({}))
    const ping = handler('agent/ping')
    await expect(ping({})).rejects.toThrow('npm run build makes it')
    await mkdir(join(dir, 'agent/ping'), { recursive: true })
    await writeFile(join(dir, 'agent/ping/index.mjs'), 'export const handler = () => "pong"')
    expect(await ping({})).toBe('pong')
  })

  test('run as a test wants it, on other events and as often as it likes', async () => {
    const dir = await ownDir()
    await mkdir(join(dir, 'worker/later'), { recursive: true })
    await writeFile(join(dir, 'worker/later/index.mjs'), 'export const handler = (event) => `got ${event}`')
    const asked: unknown[] = []
    const { handler } = openHandlers(bundlesIn(dir)({}), async ({ name, event }, run) => {
      asked.push(name, event)
      return [await run(event), await run('another')]
    })
    expect(await handler('worker/later')('one')).toEqual(['got one', 'got another'])
    expect(asked).toEqual(['worker/later', 'one'])
  })
})
