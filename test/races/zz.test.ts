import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { chatPk, logPrefix } from '../../shared/table/keys.ts'
import { type Entry, parseEntry } from '../../shared/table/log.ts'
import type { Client, Response } from '../support/client.ts'
import { startWorld, type World } from '../support/world.ts'
import { atEachStep } from './holding.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterEach(() => {
  world.gateway.setJitter(undefined)
  world.proxy.setFault(undefined)
})

const jitter = () => world.gateway.setJitter(() => Math.random() * 20)
const message = (text: string) => ({ type: 'message', text })

/** The chat's entries in the order of their keys; fails where a thread has gaps, or its time runs backwards. */
const logOf = async (chat: string): Promise<Entry[]> => {
  const items = await world.table.read.query({ pk: chatPk(chat), prefix: logPrefix, strong: true })
  const entries = items.filter(({ event }) => event !== undefined).map(parseEntry)
  for (const n of new Set(entries.map((entry) => entry.n))) {
    const thread = entries.filter((entry) => entry.n === n)
    expect(thread.map(({ m }) => m)).toEqual(thread.map((_, index) => index + 1))
    expect(thread.map(({ at }) => at)).toEqual(thread.map(({ at }) => at).toSorted((a, b) => a - b))
  }
  expect(items).toHaveLength(entries.length + new Set(entries.map(({ n }) => n)).size)
  return entries
}

const idOf = (chat: string, { n, m }: Entry) => `${chat}_${n}_${m}`
const textsById = (chat: string, log: Entry[]) =>
  new Map(log.map((entry) => [idOf(chat, entry), entry.event.text]))

/** Fails unless each answered event is stored where its answer says, and each other text that was sent is not. */
const isAsAnswered = (chat: string, log: Entry[], sent: [text: string, Response][]) => {
  const stored = textsById(chat, log)
  for (const [text, { success, payload }] of sent as [string, any][])
    if (success) expect([payload.event.id, stored.get(payload.event.id)]).toEqual([payload.event.id, text])
  const placed = sent.filter(([, { success }]) => success).map(([text]) => text)
  const texts = log.filter(({ event }) => event.type !== 'system_message').map(({ event }) => event.text)
  expect(texts.toSorted()).toEqual(placed.toSorted())
}

const received = async (client: Client): Promise<Set<string>> => {
  await client.caughtUp()
  return new Set(
    client.pushes.flatMap((push: any) => (push.action === 'incoming_event' ? push.payload.event.id : [])),
  )
}

const send = async (client: Client, chat_id: string, text: string): Promise<[string, Response]> => [
  text,
  await client.call('send_event', { chat_id, event: message(text) }),
]

describe('many senders in one chat', () => {
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
    let done = 0
    const flood = async (client: Client, name: string) => {
      for (let i = 0; i < 25; i += 1) {
        sent.push(await send(client, chat.id, `${name}-${i}`))
        done += 1
      }
    }
    // users change in between, so that system messages and versions race with the events
    const comeAndGo = async () => {
      const eve = { chat_id: chat.id, agent_ids: ['eve'] }
      while (done < 300) {
        await ann.ok('join_chat', eve)
        await ann.ok('remove_from_chat', eve)
      }
    }
    await Promise.all([
      ...clients.flatMap((client, index) => [flood(client, `${index}a`), flood(client, `${index}b`)]),
      comeAndGo(),
    ])
    const by: any = {}
    for (const c of world.proxy.calls.splice(0)) { const k = c.operation + c.status; by[k] = (by[k] ?? 0) + 1 }
    process.stdout.write(JSON.stringify(by) + ' ' + world.requests.splice(0).filter(r => r.route === 'send_event').reduce((s, r) => Math.max(s, r.ms), 0) + '\n')

    const log = await logOf(chat.id)
    expect(sent.filter(([, { success }]) => !success)).toEqual([])
    expect(sent).toHaveLength(400)
    isAsAnswered(chat.id, log, sent)
    const types = log.map(({ event }) => event.system_message_type ?? event.type)
    expect(types.filter((type) => type === 'agent_left').length).toBeGreaterThan(0)
    expect(log.length).toBe(400 + types.filter((type) => type.startsWith('agent_')).length)
    const all = new Set(textsById(chat.id, log).keys())
    for (const client of clients) expect((await received(client)).symmetricDifference(all)).toEqual(new Set())
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
    const by: any = {}
    for (const c of world.proxy.calls.splice(0)) { const k = c.operation + c.status; by[k] = (by[k] ?? 0) + 1 }
    process.stdout.write(JSON.stringify(by) + ' ' + world.requests.splice(0).filter(r => r.route === 'send_event').reduce((s, r) => Math.max(s, r.ms), 0) + '\n')

    const log = await logOf(chat.id)
    isAsAnswered(chat.id, log, sent)
    const refused = sent.flatMap(([, { success, payload }]: any) => (success ? [] : [payload.error.type]))
    expect(refused.filter((type) => type !== 'too_many_requests')).toEqual([])
    expect(log).toHaveLength(1 + 100 - refused.length)
    const all = new Set(textsById(chat.id, log).keys())
    for (const client of [ann, ben])
      expect((await received(client)).symmetricDifference(all)).toEqual(new Set())
  })
})

describe('close_thread', () => {
  test('against 20 concurrent sends: nothing but annotations behind it, late sends in exactly one new thread', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    jitter()
    const ways = { before: 0, after: 0, annotated: 0 }
    for (let round = 0; round < 8; round += 1) {
      const { chat } = await ann.ok('start_chat', { initial_events: [message('first')] })
      await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      const sending = Array.from({ length: 20 }, async (_, i): Promise<[string, Response]> => {
        const annotation = { type: 'annotation', annotation_type: 'note', text: `${i}` }
        const event = i % 4 === 3 ? annotation : message(`${i}`)
        return [`${i}`, await (i % 2 === 0 ? ann : ben).call('send_event', { chat_id: chat.id, event })]
      })
      const [sent] = await Promise.all([Promise.all(sending), ann.ok('close_thread', { chat_id: chat.id })])

      const log = await logOf(chat.id)
      isAsAnswered(chat.id, log, [
        ['first', { success: true, payload: { event: { id: `${chat.id}_1_1` } } } as any],
        ...sent,
      ])
      expect(sent.filter(([, { success }]) => !success)).toEqual([])
      const first = log.filter(({ n }) => n === 1)
      const closing = first.findIndex(({ event }) => event.system_message_type === 'manual_archived')
      const behind = first.slice(closing + 1)
      expect(behind.filter(({ event }) => event.type !== 'annotation')).toEqual([])
      expect(Math.max(...log.map(({ n }) => n))).toBeLessThanOrEqual(2)
      ways.before += closing - 2
      ways.annotated += behind.length
      ways.after += log.filter(({ n }) => n === 2).length
      const { chat: now } = await ann.ok('get_chat_threads', { chat_id: chat.id })
      expect(now.threads[0].active).toBe(log.some(({ n }) => n === 2))
    }
    // the rounds did race
    expect(Math.min(ways.before, ways.after)).toBeGreaterThan(0)
  })

  test('at each step of a send: its event is before the closing entry or in the next thread', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const { chat } = await ann.ok('start_chat')
    const places = new Set<string>()
    await atEachStep(world, async () => {
      await ann.ok('send_event', { chat_id: chat.id, event: message('open') })
      const { chat: before } = await ann.ok('get_chat_threads', { chat_id: chat.id })
      const [{ order: n, last_order }] = [before.threads[0]]
      let answer: any
      return {
        held: async () => {
          answer = await ann.ok('send_event', { chat_id: chat.id, event: message('hello') })
        },
        meanwhile: () => ann.ok('close_thread', { chat_id: chat.id }),
        check: async () => {
          const log = await logOf(chat.id)
          const closing = log.find(({ n: thread, event }) => thread === n && event.type === 'system_message')!
          expect(log.filter(({ n: thread, m }) => thread === n && m > closing.m)).toEqual([])
          expect(textsById(chat.id, log).get(answer.event.id)).toBe('hello')
          expect(last_order).toBeUndefined()
          places.add(answer.thread_id === `${chat.id}_${n}` ? 'before' : 'next thread')
        },
      }
    })
    expect(places).toEqual(new Set(['before', 'next thread']))
  })
})

describe('remove_from_chat', () => {
  test('of a sender in mid-flood: nothing of it is behind its removal, its sends after that are refused', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ...bens] = [
      await license.login('ann'),
      await license.login('ben'),
      await license.login('ben'),
    ]
    jitter()
    for (let round = 0; round < 4; round += 1) {
      const { chat } = await ann.ok('start_chat')
      const ben = { chat_id: chat.id, agent_ids: ['ben'] }
      await ann.ok('join_chat', ben)
      const sent: [string, Response][] = []
      const enough = Promise.withResolvers<void>()
      const flood = async (client: Client, name: string) => {
        for (let i = 0; i < 500; i += 1) {
          const answered = await send(client, chat.id, `${name}-${i}`)
          sent.push(answered)
          if (sent.length > 8) enough.resolve()
          if (!answered[1].success) return
        }
      }
      const flooding = bens.flatMap((client, index) =>
        ['a', 'b'].map((name) => flood(client, `${index}${name}`)),
      )
      await enough.promise
      await ann.ok('remove_from_chat', ben)
      const removed = await logOf(chat.id)
      await Promise.all(flooding)

      const log = await logOf(chat.id)
      const left = log.findIndex(({ event }) => event.system_message_type === 'agent_left')
      expect(log.slice(left + 1)).toEqual([])
      expect(log).toEqual(removed)
      isAsAnswered(chat.id, log, sent)
      const refused = sent.flatMap(([, { success, payload }]: any) => (success ? [] : [payload.error]))
      expect(refused).toHaveLength(4)
      for (const error of refused)
        expect(error).toMatchObject({ type: 'authorization', message: 'You cannot send event in this chat.' })
    }
  })

  test.each([
    ['an active thread', false],
    ['a closed thread', true],
  ])(
    'at each step of a send to %s: what lands behind it is refused and stored nowhere',
    async (_, closed) => {
      const license = await world.license({ ann: {}, ben: {} })
      const [ann, ben] = [await license.login('ann'), await license.login('ben')]
      const { chat } = await ann.ok('start_chat', { initial_events: [message('first')] })
      const who = { chat_id: chat.id, agent_ids: ['ben'] }
      const outcomes = new Set<boolean>()
      let run = 0
      await atEachStep(world, async () => {
        await ann.ok('join_chat', who)
        if (closed) await ann.call('close_thread', { chat_id: chat.id })
        const text = `${(run += 1)}`
        let answer: any
        return {
          held: async () => {
            ;[, answer] = await send(ben, chat.id, text)
          },
          meanwhile: () => ann.ok('remove_from_chat', who),
          check: async () => {
            const log = await logOf(chat.id)
            const at = log.findIndex(({ event }) => event.text === text)
            outcomes.add(answer.success)
            if (answer.success) expect(idOf(chat.id, log[at]!)).toBe(answer.payload.event.id)
            else expect([at, answer.payload.error.type]).toEqual([-1, 'authorization'])
            if (!closed)
              expect(at).toBeLessThan(
                log.findLastIndex(({ event }) => event.system_message_type === 'agent_left'),
              )
          },
        }
      })
      expect(outcomes).toEqual(new Set([true, false]))
    },
  )
})

describe('one custom_id', () => {
  test.each([
    ['an active thread', false],
    ['a closed thread', true],
  ])('10 times at once to %s: one event, ten equal answers, one push', async (_, closed) => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, again, ben] = [
      await license.login('ann'),
      await license.login('ann'),
      await license.login('ben'),
    ]
    jitter()
    for (let round = 0; round < 5; round += 1) {
      const { chat } = await ann.ok('start_chat', { initial_events: [message('first')] })
      if (closed) await ann.ok('close_thread', { chat_id: chat.id })
      await ben.received()
      const event = { ...message('hello'), custom_id: 'once' }
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, i) =>
          (i % 2 === 0 ? ann : again).ok('send_event', { chat_id: chat.id, event }),
        ),
      )
      for (const answer of answers) expect(answer).toEqual(answers[0])
      const log = await logOf(chat.id)
      expect(
        log.filter(({ event: { text } }) => text === 'hello').map((entry) => idOf(chat.id, entry)),
      ).toEqual([answers[0].event.id])
      expect(Math.max(...log.map(({ n }) => n))).toBe(closed ? 2 : 1)
      const pushes = await ben.received()
      expect(pushes.map(({ action }) => action)).toEqual([closed ? 'incoming_chat_thread' : 'incoming_event'])
      if (!closed) await ann.ok('close_thread', { chat_id: chat.id })
    }
  })
})
