import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Client, Response } from '../support/client.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { atEachStep } from './holding.ts'
import { idOf, isAsAnswered, logOf, message, send, textsById } from './stored.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ stream: false })
})
afterEach(() => {
  world.gateway.setJitter(undefined)
  world.proxy.setFault(undefined)
})

const jitter = () => world.gateway.setJitter(() => Math.random() * 20)

describe('close_thread', () => {
  test('against 20 concurrent sends: nothing but annotations behind it, late sends in exactly one new thread', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    jitter()
    const ways = { before: 0, after: 0, annotated: 0 }
    const raced = () => Math.min(ways.before, ways.after) > 0
    for (let round = 0; round < 3 || (!raced() && round < 20); round += 1) {
      const { chat } = await ann.ok('start_chat', { initial_events: [message('first')] })
      await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
      const sending = Array.from({ length: 20 }, async (_, i): Promise<[string, Response]> => {
        const annotation = { type: 'annotation', annotation_type: 'note', text: `${i}` }
        const event = i % 4 === 3 ? annotation : message(`${i}`)
        return [`${i}`, await (i % 2 === 0 ? ann : ben).call('send_event', { chat_id: chat.id, event })]
      })
      const [sent] = await Promise.all([Promise.all(sending), ann.ok('close_thread', { chat_id: chat.id })])

      const log = await logOf(world, chat.id)
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
    expect(raced()).toBe(true)
  })

  test('at each step of a send: its event is before the closing entry or in the next thread', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const { chat } = await ann.ok('start_chat')
    const places = new Set<string>()
    await atEachStep(world, async () => {
      await ann.ok('send_event', { chat_id: chat.id, event: message('open') })
      const { chat: before } = await ann.ok('get_chat_threads', { chat_id: chat.id })
      const n = before.threads[0].order
      let answer: any
      return {
        held: async () => {
          answer = await ann.ok('send_event', { chat_id: chat.id, event: message('hello') })
        },
        meanwhile: () => ann.ok('close_thread', { chat_id: chat.id }),
        check: async () => {
          const log = await logOf(world, chat.id)
          const closing = log.find(({ n: thread, event }) => thread === n && event.type === 'system_message')!
          expect(log.filter(({ n: thread, m }) => thread === n && m > closing.m)).toEqual([])
          expect(textsById(chat.id, log).get(answer.event.id)).toBe('hello')
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
    for (let round = 0; round < 3; round += 1) {
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
      const removed = await logOf(world, chat.id)
      await Promise.all(flooding)

      const log = await logOf(world, chat.id)
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
            const log = await logOf(world, chat.id)
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
    for (let round = 0; round < 3; round += 1) {
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
      const log = await logOf(world, chat.id)
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
