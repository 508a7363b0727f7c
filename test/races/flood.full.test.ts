import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { ErrorType } from '../../shared/protocol/errors.ts'
import type { Entry } from '../../shared/table/chat/thread-log.ts'
import type { Client, Response } from '../support/client.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { errorOf, isAsAnswered, logOf, send, textsById } from './stored.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ stream: false })
})
afterEach(() => {
  world.gateway.setJitter(undefined)
  world.proxy.setFault(undefined)
})

const jitter = () => world.gateway.setJitter(() => Math.random() * 20)

// on a machine that is slow enough a request can also be cut off in its last attempt
const busy: ErrorType[] = ['too_many_requests', 'request_timeout']

const received = async (client: Client): Promise<Set<string>> => {
  await client.caughtUp()
  return new Set(
    client.pushes.flatMap((push: any) => (push.action === 'incoming_event' ? push.payload.event.id : [])),
  )
}

/** What came too late for an action's own time has been pushed too. */
const allPushed = async () => {
  await world.settled()
  for (let tries = 0; tries < 2; tries += 1) await world.queue.flush()
}

/**
 * Every client has received what is in the log and nothing else; what timed out is pushed once it is
 * repeated.
 */
const everyoneHas = async (clients: Client[], chat: string, log: Entry[], sent: [string, Response][]) => {
  await allPushed()
  const unknown = sent.filter(([, answer]) => errorOf(answer) === 'request_timeout').map(([text]) => text)
  const stored = [...textsById(chat, log)]
  const pushed = stored.filter(([, text]) => !unknown.includes(text!)).map(([id]) => id)
  for (const client of clients) {
    const got = await received(client)
    expect(new Set(pushed).difference(got)).toEqual(new Set())
    expect(got.difference(new Set(stored.map(([id]) => id)))).toEqual(new Set())
  }
}

// all of it in one process: each sender has as much of the machine as a Lambda has for itself only where it
// is fast
const timeout = 180_000

describe('many senders in one chat', { timeout }, () => {
  test('8 connections of 4 agents with 2 requests in flight each: orders 1...n, all stored once, all received by all', async () => {
    const agents = ['ann', 'ben', 'cleo', 'dan']
    const license = await world.license({ ...Object.fromEntries(agents.map((id) => [id, {}])), eve: {} })
    const clients: Client[] = []
    for (const agent of [...agents, ...agents]) clients.push(await license.login(agent))
    const [ann] = clients as [Client]
    const { chat } = await ann.ok('start_chat')
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: agents.slice(1) })
    jitter()

    const sent: [string, Response][] = []
    const placed = () => sent.filter(([, { success }]) => success).length
    // 12 events by each of a connection's two hands; what is refused for now is sent again, by another name
    const flood = async (client: Client, name: string) => {
      for (let i = 0; i < 12; i += 1)
        for (let tries = 1; ; tries += 1) {
          const answered = await send(client, chat.id, `${name}-${i}-${tries}`)
          sent.push(answered)
          if (answered[1].success) break
          expect(busy).toContain(errorOf(answered[1]))
        }
    }
    // users change in between, so that system messages and versions race with the events
    const comeAndGo = async () => {
      for (let turn = 0; placed() < 144; turn += 1) {
        const action = turn % 2 === 0 ? 'join_chat' : 'remove_from_chat'
        const answer = await ann.call(action, { chat_id: chat.id, agent_ids: ['eve'] })
        expect([undefined, ...busy]).toContain(errorOf(answer))
      }
    }
    await Promise.all([
      ...clients.flatMap((client, index) => [flood(client, `${index}a`), flood(client, `${index}b`)]),
      comeAndGo(),
    ])

    const log = await logOf(world, chat.id)
    expect(placed()).toBe(192)
    isAsAnswered(chat.id, log, sent)
    expect(log.some(({ event }) => event.system_message_type === 'agent_left')).toBe(true)
    await everyoneHas(clients, chat.id, log, sent)
  })

  test('100 requests in flight: what is refused is too_many_requests, and stored nowhere', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { chat } = await ann.ok('start_chat')
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    jitter()
    const sent = await Promise.all(
      Array.from({ length: 100 }, (_, i) => send(i % 2 === 0 ? ann : ben, chat.id, `text ${i}`)),
    )
    const log = await logOf(world, chat.id)
    isAsAnswered(chat.id, log, sent)
    const errors = sent.flatMap(([, answer]) => errorOf(answer) ?? [])
    expect(errors.filter((type) => !busy.includes(type))).toEqual([])
    expect(errors.length).toBeLessThan(100)
    await everyoneHas([ann, ben], chat.id, log, sent)
  })
})
