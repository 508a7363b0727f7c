import { execFile, spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { ChatError, createHttpClient } from '../../shared/client/client.ts'
import { httpActions } from '../../shared/protocol/agent/index.ts'
import type { ChatUser } from '../../shared/table/chat/chat-users.ts'
import { addCustomer, startCustomerChat } from '../support/customers.ts'
import { sharedWorld, type World } from '../support/world.ts'

const run = promisify(execFile)
const hasCurl = spawnSync('curl', ['--version']).status === 0
const snippets = async (language: string): Promise<string[]> => {
  const page = await readFile(join(import.meta.dirname, '../../docs/http.md'), 'utf8')
  return [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))].map(([, code = '']) => code)
}

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})

const openOffice = async () => {
  const license = await world.license({ nora: {}, ben: {}, cleo: { groups: [1] } }, { groups: ['First'] })
  return { license, token: await license.token('nora', {}) }
}

describe('docs/http.md', () => {
  test.skipIf(!hasCurl)(
    'says by curl what works: each action that may be asked for over HTTP, without an error',
    // a process each
    { tags: ['full'] },
    async () => {
      const { license, token } = await openOffice()
      const nora = await license.login('nora')
      nora.http = undefined
      await license.login('cleo')
      for (const id of ['kim', 'bad']) await addCustomer(world, license.id, id)
      const users: ChatUser[] = [{ id: 'nora', type: 'agent', present: true, met: true }]
      const chat_id = await startCustomerChat(world, license.id, 'kim', { users })
      const event = { type: 'message', text: 'first' }
      const sent = await nora.ok('send_event', { chat_id, event })
      const done = await nora.ok('start_chat')
      const env = {
        ...process.env,
        ...{ URL: world.httpUrl, TOKEN: token, CHAT: chat_id, THREAD: sent.thread_id },
        ...{ EVENT: sent.event.id, CUSTOMER: 'kim', BANNED: 'bad', DONE: done.chat.id },
      }
      const bash = async (code: string) => (await run('bash', ['-euc', code], { env })).stdout
      const [first = '', all = '', ...more] = await snippets('sh')
      expect(more).toEqual([])
      expect(JSON.parse(await bash(first)).event.custom_id).toBe('order-4711-shipped')
      const [helper = '', ...lines] = all.split('\n').filter((line) => line !== '')
      expect(lines.map((line) => line.split(' ')[1]).toSorted()).toEqual(
        httpActions.map(({ name }) => name).toSorted(),
      )
      const answers = (await bash([helper, ...lines.map((line) => `${line}; echo`)].join('\n'))).trim()
      const parsed = answers.split('\n').map((line): any => JSON.parse(line))
      expect(parsed).toHaveLength(lines.length)
      for (const [index, answer] of parsed.entries()) expect(answer, lines[index]).not.toHaveProperty('error')
    },
  )

  test('says by the client what works', async () => {
    const { license } = await openOffice()
    const [code = '', ...more] = await snippets('js')
    expect(more).toEqual([])
    const body = code.replace(/^import .*\n/, '').replace('http://127.0.0.1:4003', world.httpUrl)
    const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (...given: any[]) => any
    const made = new AsyncFunction('createHttpClient', 'fetchToken', `${body}\nreturn { http, chat }`)
    const { http, chat } = await made(createHttpClient, () => license.token('nora'))
    const threads = await http.request('get_chat_threads', { chat_id: chat.id })
    expect(threads.chat.threads[0].events).toMatchObject([{ text: 'hello' }])
  })
})

describe('the client over HTTP', () => {
  test('asks for another token once where one is refused, and not again', async () => {
    const { token } = await openOffice()
    const tokens = ['x', token]
    const http = createHttpClient({ url: world.httpUrl, token: () => tokens.shift() ?? 'none' })
    const { chat } = await http.request('start_chat', {})
    expect(chat.users.map(({ id }) => id)).toEqual(['nora'])

    let asked = 0
    const refused = createHttpClient({ url: world.httpUrl, token: () => `x${(asked += 1)}` })
    const error = await refused.request('start_chat', {}).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(ChatError)
    expect([asked, (error as ChatError).type, (error as ChatError).code]).toEqual([2, 'auth', 401])
    const fixed = createHttpClient({ url: world.httpUrl, token: 'x' })
    await expect(fixed.request('start_chat', {})).rejects.toMatchObject({ type: 'auth' })
  })

  test('sends again what had no answer, and doubles nothing', async () => {
    const { token } = await openOffice()
    const http = createHttpClient({ url: world.httpUrl, token })
    const { chat } = await http.request('start_chat', {})
    const send = (text: string) =>
      http.request('send_event', { chat_id: chat.id, event: { type: 'message', text } })
    // done, and its answer lost, as often as that
    let left = 2
    world.http.setFaults({
      invocation: ({ route }) =>
        route.endsWith('/send_event') && left-- > 0 ? { fail: 'after' } : undefined,
    })
    await Promise.all([send('one'), send('two')])
    world.http.setFaults({})
    const { chat: shown } = await http.request('get_chat_threads', { chat_id: chat.id })
    expect(shown.threads[0]?.events.map((event) => (event.type === 'message' ? event.text : ''))).toEqual([
      'one',
      'two',
    ])
  })

  test('gives up where nobody answers, and says so', async () => {
    const http = createHttpClient({ url: 'http://127.0.0.1:1', token: 'x', environment: { random: () => 0 } })
    const asked = http.request('list_group_statuses', { group_ids: [1] })
    await expect(asked).rejects.toMatchObject({ type: 'connection_lost', code: 0 })
    const { token } = await openOffice()
    const once = createHttpClient({ url: 'http://127.0.0.1:1', token, environment: { random: () => 0 } })
    await expect(once.request('start_chat', {})).rejects.toMatchObject({ type: 'connection_lost' })
  })
})
