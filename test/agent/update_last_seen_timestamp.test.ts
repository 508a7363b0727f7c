import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readChatRecord } from '../../shared/table/chat/read-chats.ts'
import { calm, testAtSteps } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import type { Fault } from '../support/engine-proxy.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(() => world.proxy.setFault(undefined))

const longAgo = 1_600_000_000
const nowS = () => Math.floor(Date.now() / 1000)

const openOffice = async () => {
  const license = await world.license({ ann: {}, ben: {}, cleo: {}, dora: { permission: 'owner' } })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  const [cleo, dora] = [await license.login('cleo'), await license.login('dora')]
  // a login is told later what it may have missed: of the chats of tests there is nothing
  await calm(world)
  return { license, ann, ben, cleo, dora }
}
let office: Awaited<ReturnType<typeof openOffice>>
beforeAll(async () => {
  office = await openOffice()
})
/** Ann's own chat with ben in it; an owner looks on, cleo may not. */
const openChat = async (where = office) => {
  const { ann, ben, cleo, dora } = where
  const { chat } = await ann.ok('start_chat', { chat: { scopes: { agents: ['ann'] } } })
  await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
  for (const client of [ann, ben, cleo, dora]) await client.received()
  return { ...where, chat_id: chat.id as string }
}
const seenBy = async (chat: string, user: string) =>
  (await readChatRecord(world.table.read, chat))?.seen.get(user)
/** The times that a client was told of. */
const timesTold = async (client: Client) =>
  (await client.received()).map((push) => {
    if (push.action !== 'last_seen_timestamp_updated') throw new Error(`Got ${push.action}`)
    return push.payload.timestamp
  })

describe('update_last_seen_timestamp', () => {
  test('answers the time in force and tells it to everyone with access', async () => {
    const { ann, ben, cleo, dora, chat_id } = await openChat()
    const answer = await ben.call('update_last_seen_timestamp', { chat_id, timestamp: longAgo })
    expect(answer).toEqual({
      request_id: answer.request_id,
      action: 'update_last_seen_timestamp',
      type: 'response',
      success: true,
      payload: { timestamp: longAgo },
    })
    for (const client of [ann, ben, dora]) {
      expect(await client.next('last_seen_timestamp_updated')).toEqual({
        user_id: 'ben',
        chat_id,
        timestamp: longAgo,
      })
      await client.receivesNothing()
    }
    await cleo.receivesNothing()
    expect(await seenBy(chat_id, 'ben')).toBe(longAgo)
    expect(await seenBy(chat_id, 'ann')).toBeUndefined()
  })

  test.each([
    ['no time', undefined],
    ['null', null],
    ['a time beyond now', nowS() + 86_400],
    ['a time in milliseconds', Date.now()],
    ['the largest integer', Number.MAX_SAFE_INTEGER],
  ])('with %s means now', async (_what, timestamp) => {
    const { ann, ben, chat_id } = await openChat()
    const before = nowS()
    const answer = await ben.ok('update_last_seen_timestamp', { chat_id, timestamp })
    expect(answer.timestamp).toBeGreaterThanOrEqual(before)
    expect(answer.timestamp).toBeLessThanOrEqual(nowS())
    expect(await timesTold(ann)).toEqual([answer.timestamp])
    expect(await seenBy(chat_id, 'ben')).toBe(answer.timestamp)
  })

  test('never moves back: the answer is the time in force, and nothing is pushed', async () => {
    const { ann, ben, chat_id } = await openChat()
    await ben.ok('update_last_seen_timestamp', { chat_id, timestamp: longAgo })
    await ann.received()
    for (const timestamp of [longAgo, longAgo - 1, 1, 0])
      expect(await ben.ok('update_last_seen_timestamp', { chat_id, timestamp })).toEqual({
        timestamp: longAgo,
      })
    await ann.receivesNothing()
    expect(await seenBy(chat_id, 'ben')).toBe(longAgo)
    expect(await ben.ok('update_last_seen_timestamp', { chat_id, timestamp: longAgo + 1 })).toEqual({
      timestamp: longAgo + 1,
    })
    expect(await timesTold(ann)).toEqual([longAgo + 1])
  })

  test('begins anywhere, at 0 too', async () => {
    const { ann, ben, chat_id } = await openChat()
    expect(await ben.ok('update_last_seen_timestamp', { chat_id, timestamp: 0 })).toEqual({ timestamp: 0 })
    expect(await timesTold(ann)).toEqual([0])
  })

  test('goes for a chat without an active thread and for supervisors, and writes no event', async () => {
    const { ann, cleo, chat_id } = await openChat()
    await ann.ok('supervise_chat', { chat_id, agent_ids: ['cleo'] })
    await ann.ok('close_thread', { chat_id })
    const { chat: before } = await ann.ok('get_chat_threads', { chat_id })
    await ann.received()
    await cleo.ok('update_last_seen_timestamp', { chat_id, timestamp: longAgo })
    expect(await timesTold(ann)).toEqual([longAgo])
    const { chat } = await ann.ok('get_chat_threads', { chat_id })
    expect(chat.threads).toEqual(before.threads)
    expect(chat.users).toMatchObject([
      { id: 'ann' },
      { id: 'ben' },
      { id: 'cleo', last_seen_timestamp: longAgo },
    ])
  })

  test('is shown to who logs in and to who gains access', async () => {
    const { license, ann, ben, cleo, chat_id } = await openChat(await openOffice())
    await ben.ok('update_last_seen_timestamp', { chat_id, timestamp: longAgo })
    const late = await world.open()
    const { chats_summary } = await late.ok('login', { token: await license.token('ann') })
    const users = [{ id: 'ann' }, { id: 'ben', last_seen_timestamp: longAgo }]
    expect(chats_summary[0].users).toMatchObject(users)
    await ann.ok('update_chat_scopes', { chat_id, add_scopes: { agents: ['cleo'] } })
    expect((await cleo.next('incoming_chat_thread')).chat.users).toMatchObject(users)
  })

  test('of 20 times at once ends with the highest: each answer is in force, each time told once', async () => {
    const { license, ann, ben, chat_id } = await openChat()
    const again = await license.login('ben')
    world.proxy.setDelay(5)
    try {
      const times = Array.from({ length: 20 }, (_, i) => longAgo + ((i * 7) % 20))
      const answers: number[] = await Promise.all(
        times.map(async (timestamp, i) => {
          const client = i % 2 === 0 ? ben : again
          return (await client.ok('update_last_seen_timestamp', { chat_id, timestamp })).timestamp
        }),
      )
      for (const [i, answer] of answers.entries()) expect(answer).toBeGreaterThanOrEqual(times[i]!)
      expect(await seenBy(chat_id, 'ben')).toBe(longAgo + 19)
      const told = await timesTold(ann)
      expect(Math.max(...told)).toBe(longAgo + 19)
      expect(new Set(told).size).toBe(told.length)
      for (const time of told) expect(times).toContain(time)
    } finally {
      world.proxy.setDelay(0)
    }
  })

  describe.each([
    ['a later one', 0, 1],
    ['an earlier one', 1, 0],
  ])('against %s', (_what, held, meanwhile) => {
    testAtSteps('ends with the later', async (hold) => {
      const { ann, ben, chat_id } = await openChat()
      let base = longAgo
      await hold(
        world,
        async () => {
          await ann.received()
          base += 10
          const at = base
          const update = (plus: number) =>
            ben.ok('update_last_seen_timestamp', { chat_id, timestamp: at + plus })
          let answer: { timestamp: number }
          return {
            held: async () => {
              answer = await update(held)
            },
            meanwhile: async () =>
              expect([{ timestamp: at + meanwhile }, { timestamp: at + held }]).toContainEqual(
                await update(meanwhile),
              ),
            check: async () => {
              expect(answer.timestamp).toBeGreaterThanOrEqual(at + held)
              expect(await seenBy(chat_id, 'ben')).toBe(at + 1)
              expect(Math.max(...(await timesTold(ann)))).toBe(at + 1)
            },
          }
        },
        3,
      )
    })
  })
})

describe('update_last_seen_timestamp whose write goes wrong', () => {
  test.each<[string, Fault]>([
    ['an InternalServerError', { errorType: 'InternalServerError' }],
    ['a connection that breaks', { reset: true }],
    ['an answer that is lost after the write was done', { reset: true, afterWrite: true }],
    ['an error after the write was done', { errorType: 'InternalServerError', afterWrite: true }],
    ['a conflict with a transaction', { errorType: 'TransactionConflictException' }],
    ['a throttled table', { errorType: 'ThrottlingException' }],
  ])('through %s moves once, answers what it moved to and tells it once', async (_, fault) => {
    const { ann, ben, chat_id } = await openChat()
    const left = [fault]
    world.proxy.setFault(({ operation, request }) =>
      operation === 'UpdateItem' && JSON.stringify(request).includes(chat_id) ? left.shift() : undefined,
    )
    expect(await ben.ok('update_last_seen_timestamp', { chat_id, timestamp: longAgo })).toEqual({
      timestamp: longAgo,
    })
    expect(left).toEqual([])
    expect(await timesTold(ann)).toEqual([longAgo])
    expect(await seenBy(chat_id, 'ben')).toBe(longAgo)
  })

  test('whose lost write was overtaken meanwhile answers the later time', async () => {
    const { ann, ben, chat_id } = await openChat()
    let spoilt = 0
    world.proxy.setFault(async ({ operation, request }): Promise<Fault | undefined> => {
      if (operation !== 'UpdateItem' || !JSON.stringify(request).includes(chat_id)) return undefined
      spoilt += 1
      if (spoilt === 1) return { reset: true, afterWrite: true }
      // the repeat waits until another request of the same user is through
      if (spoilt === 2) await ben.ok('update_last_seen_timestamp', { chat_id, timestamp: longAgo + 9 })
      return undefined
    })
    expect(await ben.ok('update_last_seen_timestamp', { chat_id, timestamp: longAgo })).toEqual({
      timestamp: longAgo + 9,
    })
    expect(spoilt).toBe(3)
    expect(await timesTold(ann)).toEqual([longAgo + 9])
  })
})
