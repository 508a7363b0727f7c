import { beforeAll, describe, expect, test } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { changeLicense } from '../../shared/provisioning/change-license.ts'
import { agentActions, httpActions, httpPath } from '../../shared/protocol/agent/index.ts'
import { errorTable, type ErrorType } from '../../shared/protocol/errors.ts'
import { keys } from '../../shared/table/keys.ts'
import { sharedWorld, startWorld, type World } from '../support/world.ts'
import { type Asked, ask, send } from './ask.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})

/** An error as it is answered: the body, and its code as the status. */
const refusal = (type: ErrorType, ...details: unknown[]) => ({
  status: errorTable[type].code,
  body: {
    error: {
      type,
      code: errorTable[type].code,
      message: expect.any(String),
      ...(details.length > 0 && { details }),
    },
  },
})

const openOffice = async () => {
  const license = await world.license({ ann: {}, ben: {}, cleo: { groups: [1] } }, { groups: ['First'] })
  const token = await license.token('ann')
  const as = (action: string, payload?: unknown, more: Partial<Asked> = {}) =>
    ask(world.httpUrl, action, { token, payload, ...more })
  return { license, token, as }
}

describe('an action over HTTP', () => {
  test('is done for the token’s agent, who is not online by it and whom no push reaches', async () => {
    const { license, as } = await openOffice()
    const ben = await license.login('ben')
    const { status, body, headers } = await as('start_chat')
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(body.chat.users).toEqual([expect.objectContaining({ id: 'ann', present: true })])
    expect((await ben.next('incoming_chat_thread')).chat.id).toBe(body.chat.id)

    const chat_id = body.chat.id
    const sent = await as('send_event', { chat_id, event: { type: 'message', text: 'hello' } })
    expect((await ben.next('incoming_event')).event).toEqual(sent.body.event)
    // what answers nothing over a connection answers an empty object
    const typed = await as('send_typing_indicator', { chat_id, is_typing: true })
    expect([typed.status, typed.body]).toEqual([200, {}])

    const [agent] = await Promise.all([
      world.table.read.get(keys.agent(license.id, 'ann'), { strong: true }),
      world.settled(),
    ])
    expect(agent).not.toHaveProperty('online', true)
    const { agents } = await (
      await license.login('cleo', {})
    ).ok('login', {
      token: await license.token('cleo'),
    })
    expect(agents.find(({ id }: { id: string }) => id === 'ann')).not.toHaveProperty(
      'routing_status',
      'accepting_chats',
    )
  })

  test('looks for token, agent and license in two rounds, and for no session', async () => {
    const { license, as } = await openOffice()
    const ben = await license.login('ben')
    ben.http = undefined
    await world.settled()
    await world.queue.flush()
    world.proxy.setDelay(20)
    const payload = { group_ids: [1] }
    const overSocket = await world.proxy.record(() => ben.ok('list_group_statuses', payload))
    const { calls, sequentialDepth, wru } = await world.proxy.record(() => as('list_group_statuses', payload))
    world.proxy.setDelay(0)
    // where the session is one round
    expect(sequentialDepth).toBe(overSocket.sequentialDepth + 1)
    expect(wru).toBe(0)
    expect(JSON.stringify(calls.map(({ request }) => request))).not.toContain('SOCKET#')
  })

  test('keeps numbers in content as they came', async () => {
    const { token, as } = await openOffice()
    const { body } = await as('start_chat')
    const content = '{"amount":12345678901234567890.10}'
    const text = `{"chat_id":"${body.chat.id}","event":{"type":"custom","content":${content}}}`
    const response = await send(world.httpUrl, httpPath('send_event'), { token, text })
    expect(await response.text()).toContain(`"content":${content}`)
  })

  test('is idempotent by a key, which stands in for a custom_id that is absent', async () => {
    const { as } = await openOffice()
    const { body } = await as('start_chat')
    const chat_id = body.chat.id
    const event = { type: 'message', text: 'once' }
    const again = { headers: { 'idempotency-key': 'invoice 7' } }
    const first = await as('send_event', { chat_id, event }, again)
    expect(first.body.event.custom_id).toBe('invoice 7')
    expect((await as('send_event', { chat_id, event }, again)).body).toEqual(first.body)
    const own = await as('send_event', { chat_id, event: { ...event, custom_id: 'own' } }, again)
    expect(own.body.event.custom_id).toBe('own')
    const { chat } = (await as('get_chat_threads', { chat_id })).body
    expect(chat.threads[0].events.map(({ custom_id }: any) => custom_id)).toEqual(['invoice 7', 'own'])
  })

  test('sees what the token may, of its own license', async () => {
    const { license, as } = await openOffice()
    const other = await openOffice()
    const theirs = (await other.as('start_chat')).body.chat.id
    expect(await as('get_chat_threads', { chat_id: theirs })).toMatchObject(refusal('not_found'))
    const mine = (await as('start_chat')).body.chat.id
    const token = await license.token('ben', { scope: 'chats--my:read' })
    expect(await as('get_chat_threads', { chat_id: mine }, { token })).toMatchObject(refusal('authorization'))
    expect(await as('join_chat', { chat_id: mine, agent_ids: ['ben'] }, { token })).toMatchObject(
      refusal('authorization'),
    )
  })
})

describe('a token', () => {
  test.each(httpActions.map(({ name }) => name))('that is missing is refused by %s', async (name) => {
    const answer = await ask(world.httpUrl, name, { payload: {} })
    expect(answer).toMatchObject(
      refusal('auth', {
        path: 'Authorization',
        message: 'Required: "Bearer", a space, and an access token',
      }),
    )
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
  })

  test('that is none, over, of nobody or of somebody who may not work is refused, before a bad body', async () => {
    const { license, token, as } = await openOffice()
    const visitor = await license.visit()
    const late = await license.token('ann', { expiresInS: -120 })
    for (const bad of ['x', `${token}x`, late, visitor.token, await license.token('nobody')])
      for (const payload of [{}, { group_ids: 7 }])
        expect(await as('list_group_statuses', payload, { token: bad })).toMatchObject(refusal('auth'))
    const text = '{'
    const response = await send(world.httpUrl, httpPath('start_chat'), { token: 'x', text })
    expect([response.status, (await response.json()) as unknown]).toMatchObject([401, refusal('auth').body])

    await changeAgent(world.table, license.id, 'ann', { suspended: true })
    expect(await as('start_chat')).toMatchObject(refusal('auth'))
    await changeAgent(world.table, license.id, 'ann', { suspended: false })
    expect((await as('start_chat')).status).toBe(200)
    await changeLicense(world.table, license.id, { expires_at: Math.floor(Date.now() / 1000) - 1 })
    expect(await as('start_chat')).toMatchObject(refusal('license_expired'))
  })
})

describe('a request that is none', () => {
  const ofConnections = agentActions.filter((spec) => !httpActions.includes(spec)).map(({ name }) => name)
  test.each<[method: string, path: string]>([
    ...ofConnections.map((name): [string, string] => ['POST', httpPath(name)]),
    ['POST', httpPath('no_such_action')],
    ['POST', `${httpPath('send_event')}/`],
    ['POST', '/v1/customer/action/send_event'],
    ['POST', '/'],
    ['GET', httpPath('send_event')],
    ['PUT', httpPath('send_event')],
    ['GET', '/%2e%2e/%00?<script>'],
    ['POST', '//%zz?a=b?c'],
  ])('%s %s is not found', async (method, path) => {
    const { token } = await openOffice()
    const response = await send(world.httpUrl, path, {
      method,
      token,
      ...(method !== 'GET' && { text: '{}' }),
    })
    expect([response.status, await response.json()]).toEqual([
      404,
      refusal('not_found', {
        path: '',
        message: 'An action is asked for by POST /v1/agent/action/<action>',
      }).body,
    ])
  })

  const long = JSON.stringify({ filters: { query: 'x'.repeat(40_000) } })
  const deep = `{"a":${'['.repeat(300)}${']'.repeat(300)}}`
  test.each([
    ['no JSON', '{"a":', {}, { path: '', message: 'The body is not JSON' }],
    ['no object', '[1]', {}, { path: '', message: 'The body is not a JSON object' }],
    ['a text', '"x"', {}, { path: '', message: 'The body is not a JSON object' }],
    ['over 32 KiB', long, {}, { path: '', message: 'The body is longer than 32 KiB' }],
    ['too deep', deep, {}, { path: '', message: 'Objects and arrays may be nested at most 200 levels deep' }],
    [
      'a form',
      'a=b',
      { 'content-type': 'application/x-www-form-urlencoded' },
      { path: 'Content-Type', message: 'Must be application/json' },
    ],
    [
      'of no type',
      '{}',
      { 'content-type': 'text/plain' },
      { path: 'Content-Type', message: 'Must be application/json' },
    ],
    [
      'compressed',
      '{}',
      { 'content-encoding': 'gzip' },
      { path: 'Content-Encoding', message: 'The body must not be compressed' },
    ],
    [
      'of a key without end',
      '{}',
      { 'idempotency-key': 'k'.repeat(200) },
      { path: 'Idempotency-Key', message: 'Must have 1-128 bytes' },
    ],
  ])('%s is refused with what is wrong', async (_, text, headers, detail) => {
    const { token } = await openOffice()
    const response = await send(world.httpUrl, httpPath('get_archives'), { token, text, headers })
    expect([response.status, await response.json()]).toEqual([400, refusal('validation', detail).body])
  })

  test('says where in the payload it is wrong', async () => {
    const { as } = await openOffice()
    expect(await as('send_event', { chat_id: 7 })).toMatchObject(
      refusal(
        'validation',
        expect.objectContaining({ path: 'payload.chat_id' }),
        expect.objectContaining({ path: 'payload.event' }),
      ),
    )
  })

  test.each(['', 'null', ' \n', '{}', '{"unknown":1}'])('%j is an empty payload', async (text) => {
    const { token } = await openOffice()
    const response = await send(world.httpUrl, httpPath('get_filtered_chats'), { token, text })
    expect(response.status).toBe(200)
  })
})

describe('a page', () => {
  test('may ask whatever its license’s origins say, which a preflight does not know', async () => {
    const { license, as } = await openOffice()
    const preflight = await send(world.httpUrl, httpPath('send_event'), {
      method: 'OPTIONS',
      headers: { origin: 'https://desk.example', 'access-control-request-method': 'POST' },
    })
    expect([preflight.status, await preflight.text()]).toEqual([204, ''])
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'POST',
      'access-control-allow-headers': 'authorization, content-type, idempotency-key',
    })

    const from = (origin: string) => as('start_chat', {}, { headers: { origin } })
    const allowed = ({ headers }: { headers: Headers }) => headers.get('access-control-allow-origin')
    expect(allowed(await from('https://any.example'))).toBe('*')
    await changeLicense(world.table, license.id, { origins: ['https://desk.example'] })
    const ours = await from('https://Desk.example')
    expect([ours.status, allowed(ours)]).toEqual([200, 'https://Desk.example'])
    const theirs = await from('https://other.example')
    expect(theirs).toMatchObject(
      refusal('authorization', { path: 'Origin', message: 'Pages of this origin may not use the license' }),
    )
    expect(allowed(theirs)).toBeNull()
    // no page asks
    expect((await as('start_chat')).status).toBe(200)
    // whose token it is, is not known: the page may read why
    expect(
      allowed(await as('start_chat', {}, { token: 'x', headers: { origin: 'https://a.example' } })),
    ).toBe('*')
  })
})

describe('limits', () => {
  test('of an agent count over both APIs, and say when to try again', async () => {
    const limited = await startWorld({ agentRates: { startChat: 4, sendEvent: 100, other: 100 } })
    const license = await limited.license({ ann: {} })
    const ann = await license.login('ann')
    const token = await license.token('ann')
    for (const _ of [1, 2]) {
      await ann.ok('start_chat', {})
      expect((await ask(limited.httpUrl, 'start_chat', { token })).status).toBe(200)
    }
    const refused = await ask(limited.httpUrl, 'start_chat', { token })
    expect(refused).toMatchObject(
      refusal('too_many_requests', { path: '', message: expect.stringMatching(/^Try again in \d+ s$/) }),
    )
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    await ann.refused('start_chat', {})
    // far over it there is no connection to close
    await Promise.all(Array.from({ length: 30 }, () => ask(limited.httpUrl, 'start_chat', { token })))
    await limited.settled()
    expect(limited.queue.deadLetters()).toEqual([])
  })

  test('of an address count tokens that are refused, as logins', async () => {
    const rates = { startChat: 1, sendEvent: 1, other: 2, addressFactor: 2 }
    const limited = await startWorld({ rates })
    const license = await limited.license({ ann: {} })
    const bad = () => ask(limited.httpUrl, 'start_chat', { token: 'x' })
    const statuses = []
    for (let n = 0; n < 6; n += 1) statuses.push((await bad()).status)
    expect(statuses).toEqual([401, 401, 401, 401, 429, 429])
    // others of the address go on
    const token = await license.token('ann')
    expect((await ask(limited.httpUrl, 'start_chat', { token })).status).toBe(200)
  })
})
