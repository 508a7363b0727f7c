import { beforeAll, describe, expect, test, vi } from 'vitest'
import type { Faults } from '../../infra/local/gateway/settings.ts'
import { startWorld, type World } from '../support/world.ts'

const lines: any[] = []
let world: World
beforeAll(async () => {
  process.env['DEPLOYMENT'] = 'Measured'
  world = await startWorld()
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    for (const line of String(chunk).split('\n')) if (line.includes('"_aws"')) lines.push(JSON.parse(line))
    return true
  })
})

/** What the runs of an action measured while something was done. */
const during = async (action: string, act: () => Promise<unknown>): Promise<any[]> => {
  const before = lines.length
  await act()
  await world.settled()
  return lines.slice(before).filter((line) => line.action === action)
}
const event = (text: string) => ({ type: 'message', text })
/** Spoils the posts of messages: what a login before still has told is none of the request's. */
const post = (fault: NonNullable<Faults['post']>) =>
  world.gateway.setFaults({ post: (one) => (one.body.includes('incoming_event') ? fault(one) : undefined) })

/** Ann in a chat that Ben watches from `tabs` connections. */
const watched = async (tabs: number) => {
  const license = await world.license({ ann: {}, ben: { permission: 'administrator' } })
  const ann = await license.login('ann')
  const bens = []
  for (let n = 0; n < tabs; n += 1) bens.push(await license.login('ben'))
  const { chat } = await ann.ok('start_chat', {})
  await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
  const send = (text = 'hello') => ann.call('send_event', { chat_id: chat.id, event: event(text) })
  return { license, ann, bens, chat, send }
}

describe('a line of metrics', () => {
  test('is what CloudWatch reads as such: each metric a number there, each dimension a word', async () => {
    const { send } = await watched(1)
    const found = await during('send_event', send)
    expect(found).toHaveLength(1)
    for (const line of lines) {
      const { Timestamp, CloudWatchMetrics } = line._aws
      expect(Math.abs(Date.now() - Timestamp)).toBeLessThan(600_000)
      expect(new Date(line.timestamp).getTime()).toBe(Timestamp)
      for (const { Namespace, Dimensions, Metrics, ...more } of CloudWatchMetrics) {
        expect([Namespace, more]).toEqual(['AgentChat/Measured', {}])
        for (const dimension of Dimensions.flat()) expect(line[dimension]).toEqual(expect.any(String))
        expect(Dimensions.length * Dimensions[0].length).toBeGreaterThan(0)
        for (const { Name, Unit } of Metrics) {
          expect(['Count', 'Milliseconds']).toContain(Unit)
          for (const value of [line[Name]].flat()) expect(value).toEqual(expect.any(Number))
        }
      }
    }
  })

  test('has no dimension that grows with licenses, people, chats or connections', () => {
    const dimensions = new Set(
      lines.flatMap(({ _aws }) => _aws.CloudWatchMetrics.flatMap((one: any) => one.Dimensions.flat())),
    )
    expect([...dimensions].filter((name) => !['kind', 'action', 'error'].includes(String(name)))).toEqual([])
  })

  test('is written once per request, with how long it took, and tells the type of its error', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const [line, ...more] = await during('get_chat_threads', () =>
      ann.call('get_chat_threads', { chat_id: 'none' }),
    )
    expect(more).toEqual([])
    expect(line).toMatchObject({ kind: 'agent', error: 'not_found', errors: 1, latency: expect.any(Number) })
    const request = world.requests.find(({ requestId }) => requestId === line.request)!
    expect(line.latency).toBeGreaterThan(0)
    expect(line.latency).toBeLessThanOrEqual(Math.ceil(request.ms) + 1)
    const [fine] = await during('ping', () => ann.ok('ping'))
    expect(fine).not.toHaveProperty('errors')
  })
})

describe('what is measured', () => {
  test('pushes that connections took, and how long posting took', async () => {
    const { send } = await watched(3)
    const [line] = await during('send_event', send)
    // the three and Ann’s own
    expect(line).toMatchObject({ pushes_sent: 4, fan_out: expect.any(Number) })
    for (const name of ['pushes_late', 'pushes_gone', 'pushes_failed', 'retries'])
      expect(line).not.toHaveProperty(name)
    expect(line.fan_out).toBeLessThanOrEqual(line.latency)
  })

  test('pushes that are late, and those that are given up', async () => {
    const { send } = await watched(3)
    post(() => ({ status: 429, errorType: 'LimitExceededException' }))
    const [line] = await during('send_event', send)
    expect(line).toMatchObject({ pushes_late: 4 })
    expect(line).not.toHaveProperty('pushes_sent')
    const again = await during('later', async () => {
      await world.queue.flush()
      await world.queue.flush()
    })
    world.gateway.setFaults({})
    const given = again.filter((run) => 'pushes_failed' in run)
    expect(given.reduce((sum, { pushes_failed: n }) => sum + n, 0)).toBe(4)
  })

  test('connections that are gone', async () => {
    const { send, bens } = await watched(2)
    post(async () => ({ status: 410, errorType: 'GoneException' }))
    // in the first seconds of a connection a 410 may only mean that the gateway does not know it yet
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 10_000)
    const [line] = await during('send_event', send)
    vi.mocked(Date.now).mockRestore()
    world.gateway.setFaults({})
    expect(line).toMatchObject({ pushes_gone: 1 + bens.length })
  })

  test('lost races: as many values as requests that lost one, as high as they had to try again', async () => {
    const { send } = await watched(1)
    const found = await during('send_event', () =>
      Promise.all(Array.from({ length: 12 }, (_, n) => send(`${n}`))),
    )
    expect(found).toHaveLength(12)
    const lost = found.filter(({ retries }) => retries !== undefined)
    expect(lost.length).toBeGreaterThan(0)
    for (const { retries } of lost) expect(retries).toBeGreaterThanOrEqual(1)
    expect(found.some((line) => 'retries_given_up' in line)).toBe(false)
  })

  test('records that a worker gives back', { tags: ['full'] }, async () => {
    const { send } = await watched(1)
    post(() => ({ status: 429, errorType: 'LimitExceededException' }))
    await send()
    world.gateway.setFaults({})
    world.proxy.setFault(({ operation }) =>
      operation === 'GetItem' ? { errorType: 'ValidationException' } : undefined,
    )
    const found = await during('later', async () => {
      const flushed = world.queue.flush()
      await vi.waitFor(() => expect(lines.some(({ records_failed: n }) => n > 0)).toBe(true), 60_000)
      world.proxy.setFault(undefined)
      await flushed
    })
    expect(found.some((line) => line.records_failed >= 1 && line.kind === 'worker')).toBe(true)
  })
})

test('nothing is written where nothing is deployed', async () => {
  delete process.env['DEPLOYMENT']
  const license = await world.license({ ann: {} })
  const before = lines.length
  await license.login('ann')
  expect(lines.length).toBe(before)
})
