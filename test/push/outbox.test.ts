import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { keys, socketsPk } from '../../shared/table/keys.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import type { Client } from '../support/client.ts'
import { type License, startWorld, type World } from '../support/world.ts'

let world: World
let queueUrl: string
beforeAll(async () => {
  world = await startWorld()
  queueUrl = world.queue.url
})
afterEach(() => {
  vi.useRealTimers()
  world.proxy.setFault(undefined)
  world.settings['LATER_QUEUE_URL'] = queueUrl
})

const message = (text: string) => ({ type: 'message', text })
/** What the queue's own client does not try again: its queue is not there. */
const breakQueue = () => {
  world.settings['LATER_QUEUE_URL'] = `${queueUrl}-gone`
}

/** Refuses the next reads of a license's sockets, without the SDK trying again; tells how many were made. */
const spoilAudience = ({ id }: License, times: number) => {
  let reads = 0
  world.proxy.setFault(({ operation, request }) => {
    if (operation !== 'Query' || !JSON.stringify(request).includes(socketsPk(id))) return undefined
    reads += 1
    return reads <= times ? { errorType: 'ValidationException' } : undefined
  })
  return () => reads
}

interface Case {
  run(ann: Client, chat_id: string): Promise<unknown>
  told: 'incoming_event' | 'incoming_chat_thread'
}
const cases: Record<string, Case> = {
  'begun beside the put': {
    run: (ann, chat_id) => ann.ok('send_event', { chat_id, event: message('hello') }),
    told: 'incoming_event',
  },
  'begun after the write': { run: (ann) => ann.ok('start_chat'), told: 'incoming_chat_thread' },
}

describe.each(Object.entries(cases))('an audience read %s', (_, { run, told }) => {
  const scene = async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { chat } = await ann.ok('start_chat')
    await ben.next('incoming_chat_thread')
    // what the logins left to workers reads the same list
    await world.settled()
    await world.queue.flush()
    return { license, ann, ben, chat: chat.id }
  }

  test('that fails is read once more, so that everyone is told', async () => {
    const { license, ann, ben, chat } = await scene()
    const reads = spoilAudience(license, 1)
    await run(ann, chat)
    await ben.next(told)
    expect(reads()).toBe(2)
  })

  test('that fails again loses the pushes, and not the answer', async () => {
    const { license, ann, ben, chat } = await scene()
    const reads = spoilAudience(license, 2)
    await run(ann, chat)
    await ben.receivesNothing()
    expect(reads()).toBe(2)
  })
})

describe('a row of the license’s sockets that is not as it should be', () => {
  test('keeps no one else from pushes, nor an agent from logging in', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ann = await license.login('ann')
    const Item = { ...keys.agentSocket(license.id, 'ann', 'broken'), connection: 'broken', groups: 'none' }
    await world.table.write.write({ Put: { Item } })
    const ben = await license.login('ben')
    const { chat } = await ann.ok('start_chat')
    await ben.next('incoming_chat_thread')
    await ann.ok('send_event', { chat_id: chat.id, event: message('hello') })
    await ben.next('incoming_event')
    const rows = await readAgentSockets(world.table.read, license.id)
    expect(rows.map(({ agent_id }) => agent_id).toSorted()).toEqual(['ann', 'ben'])
  })
})

describe('while the delay queue fails', () => {
  const nowS = () => Math.floor(Date.now() / 1000)
  const minutePasses = () => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 60_000 })

  test('a session whose token has run out is still answered auth', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann', {}, { expiresInS: 50 })
    breakQueue()
    minutePasses()
    expect((await ann.refused('start_chat')).type).toBe('auth')
  })

  test('a session whose license has run out is still answered license_expired', async () => {
    const license = await world.license({ ann: {} }, { expiresAt: nowS() + 50 })
    const ann = await license.login('ann')
    breakQueue()
    minutePasses()
    expect((await ann.refused('start_chat')).type).toBe('license_expired')
  })

  test('an agent logs in and works', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ben = await license.login('ben')
    const ann = await world.open()
    breakQueue()
    const answer = await ann.ok('login', { token: await license.token('ann') })
    expect(answer.my_profile.id).toBe('ann')
    await ann.ok('start_chat')
    await ben.next('incoming_chat_thread')
  })
})
