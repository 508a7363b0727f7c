import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { isBanned } from '../../shared/table/customers.ts'
import { atEachStep, calm, testAtSteps } from '../races/holding.ts'
import { errorOf, logOf, message } from '../races/stored.ts'
import type { Client, Response } from '../support/client.ts'
import { addCustomer, customerItem, startCustomerChat } from '../support/customers.ts'
import type { Fault } from '../support/engine-proxy.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(() => world.proxy.setFault(undefined))

const dayS = 24 * 3600
const nowS = () => Math.floor(Date.now() / 1000)
const notFound = { type: 'not_found', code: 404, message: 'Not found' }
const agent = (id: string) => ({ id, type: 'agent', present: true, met: true }) as const

const ban = (client: Client, customer_id: string, days = 5) =>
  client.ok('ban_customer', { customer_id, ban: { days } })
const names = async (client: Client) => (await client.received()).map(({ action }) => action)
/** The chat as its last thread shows it. */
const shown = async (client: Client, chat_id: string) =>
  (await client.ok('get_chat_threads', { chat_id })).chat

/** A license that tests share, in which each has customers of its own. */
const openOffice = async () => {
  const license = await world.license({ ann: {}, ben: {} })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  // a login is told later what it may have missed: of the chats of tests there is nothing
  await calm(world)
  return { license, ann, ben }
}
let office: Awaited<ReturnType<typeof openOffice>>
beforeAll(async () => {
  office = await openOffice()
})
let customers = 0
/** The shared license, its pushes forgotten, and a new customer. */
const withCustomer = async () => {
  const customer_id = `cus-${(customers += 1)}`
  await addCustomer(world, office.license.id, customer_id)
  for (const client of [office.ann, office.ben]) await client.received()
  return { ...office, customer_id }
}

describe('ban_customer', () => {
  test('closes the chat and tells so: its last event, its closing, then the ban, which is kept with its end', async () => {
    const license = await world.license({ ann: { name: 'Ann Doe' }, ben: { permission: 'owner' } })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    await addCustomer(world, license.id, 'cus', { name: 'Cus' })
    const chat_id = await startCustomerChat(world, license.id, 'cus', { users: [agent('ann')] })
    const before = nowS()
    const answer = await ann.call('ban_customer', { customer_id: 'cus', ban: { days: 5 } })
    expect(answer).toEqual({
      request_id: answer.request_id,
      action: 'ban_customer',
      type: 'response',
      success: true,
    })
    const after = nowS()

    const event = {
      ...{ id: `${chat_id}_1_2`, order: 2, type: 'system_message', system_message_type: 'customer_banned' },
      text: 'Chat archived because customer was banned by Ann Doe for 5 days',
      ...{ recipients: 'all', timestamp: expect.any(Number) },
    }
    for (const client of [ann, ben]) {
      expect(await client.next('incoming_event')).toEqual({ chat_id, thread_id: `${chat_id}_1`, event })
      expect(await client.next('thread_closed')).toEqual({
        chat_id,
        thread_id: `${chat_id}_1`,
        user_id: 'ann',
      })
      expect(await client.next('customer_banned')).toEqual({ customer_id: 'cus', ban: { days: 5 } })
      await client.receivesNothing()
    }
    const { users, threads } = await shown(ann, chat_id)
    expect(threads).toMatchObject([{ active: false, events: [{ text: 'hello' }, event] }])
    // closing keeps the users in the chat
    expect(users).toMatchObject([
      { id: 'cus', present: true },
      { id: 'ann', present: true },
    ])

    const stored = (await customerItem(world, license.id, 'cus'))!
    expect(stored).toMatchObject({ name: 'Cus', ban: { days: 5, by: 'ann' } })
    const { until } = stored.ban!
    expect(until).toBeGreaterThanOrEqual(before + 5 * dayS)
    expect(until).toBeLessThanOrEqual(after + 5 * dayS)
    // over by time alone
    expect(isBanned(stored, until * 1000 - 1)).toBe(true)
    expect(isBanned(stored, until * 1000)).toBe(false)
  })

  test('by an agent that never was in the chat is told to agents only', async () => {
    const license = await world.license({ ann: { permission: 'owner', name: 'Ann' }, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    await addCustomer(world, license.id, 'cus')
    const chat_id = await startCustomerChat(world, license.id, 'cus', { users: [agent('ben')] })
    await ban(ann, 'cus', 1)
    const text = 'Chat archived because customer was banned by Ann for 1 days'
    for (const client of [ann, ben])
      expect(await client.next('incoming_event')).toMatchObject({ event: { text, recipients: 'agents' } })
    const [last] = (await logOf(world, chat_id)).slice(-1)
    expect(last).toMatchObject({ visible: 1, event: { text, recipients: 'agents' } })
  })

  test.each([
    ['a supervisor that never was an agent of the chat', { type: 'supervisor', present: true }, 'agents'],
    ['a supervisor that once was', { type: 'supervisor', present: true, met: true }, 'all'],
    ['an agent that has left it', { type: 'agent', present: false, met: true }, 'all'],
  ] as const)('by %s has recipients as customers know it', async (_what, user, recipients) => {
    const { license, ann, customer_id } = await withCustomer()
    await startCustomerChat(world, license.id, customer_id, { users: [{ id: 'ann', ...user }] })
    await ban(ann, customer_id)
    expect(await ann.next('incoming_event')).toMatchObject({ event: { recipients } })
  })

  test('tells agents without access to the chat of the ban only; any agent may ban', async () => {
    const license = await world.license({ ann: { permission: 'owner' }, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const other = await (await world.license({ ann: {} })).login('ann')
    for (const id of ['cus', 'two']) {
      await addCustomer(world, license.id, id)
      await startCustomerChat(world, license.id, id, {
        scopes: { agents: ['ann'] },
        users: [agent('ann')],
      })
    }
    const all = ['incoming_event', 'thread_closed', 'customer_banned']
    await ban(ann, 'cus', 3)
    expect(await names(ann)).toEqual(all)
    expect(await ben.next('customer_banned')).toEqual({ customer_id: 'cus', ban: { days: 3 } })
    await ben.receivesNothing()

    await ban(ben, 'two', 3650)
    expect(await names(ann)).toEqual(all)
    expect(await ben.next('customer_banned')).toEqual({ customer_id: 'two', ban: { days: 3650 } })
    await ben.receivesNothing()
    await other.receivesNothing()
  })

  test('of a customer without a chat, or without an active thread, tells of the ban only', async () => {
    const { license, ann, customer_id: none } = await withCustomer()
    const { customer_id: idle } = await withCustomer()
    const chat_id = await startCustomerChat(world, license.id, idle, { users: [agent('ann')] })
    await ann.ok('close_thread', { chat_id })
    await ann.received()
    const before = await logOf(world, chat_id)
    for (const customer_id of [none, idle]) {
      await ban(ann, customer_id)
      expect(await ann.next('customer_banned')).toEqual({ customer_id, ban: { days: 5 } })
      await ann.receivesNothing()
      expect((await customerItem(world, license.id, customer_id))?.ban).toMatchObject({ days: 5 })
    }
    expect(await logOf(world, chat_id)).toEqual(before)
  })

  test('again replaces the ban, by a shorter one too, and closes nothing twice', async () => {
    const { license, ann, ben, customer_id } = await withCustomer()
    const chat_id = await startCustomerChat(world, license.id, customer_id)
    await ban(ann, customer_id, 100)
    await ann.received()
    await ban(ben, customer_id, 2)
    expect(await ann.next('customer_banned')).toEqual({ customer_id, ban: { days: 2 } })
    await ann.receivesNothing()
    const { ban: stored } = (await customerItem(world, license.id, customer_id))!
    expect(stored).toMatchObject({ days: 2, by: 'ben' })
    expect(Math.abs(stored!.until - (nowS() + 2 * dayS))).toBeLessThanOrEqual(60)
    expect(await logOf(world, chat_id)).toHaveLength(2)
  })

  test('takes the name that the agent has now', async () => {
    const license = await world.license({ ann: { name: 'Ann' } })
    const ann = await license.login('ann')
    await addCustomer(world, license.id, 'cus')
    await startCustomerChat(world, license.id, 'cus', {
      users: [{ id: 'ann', type: 'agent', present: true, met: true }],
    })
    await changeAgent(world.table, license.id, 'ann', { name: 'Anna' })
    await world.settled()
    await ban(ann, 'cus')
    expect(await ann.next('incoming_event')).toMatchObject({
      event: { text: 'Chat archived because customer was banned by Anna for 5 days' },
    })
  })

  test('takes the same customer id of another license for another customer', async () => {
    const [one, two] = [await world.license({ ann: {} }), await world.license({ ann: {} })]
    const [ann, other] = [await one.login('ann'), await two.login('ann')]
    const chats = await Promise.all(
      [one, two].map(async ({ id }) => {
        await addCustomer(world, id, 'cus')
        return startCustomerChat(world, id, 'cus')
      }),
    )
    await ban(ann, 'cus')
    expect(await names(ann)).toHaveLength(3)
    await other.receivesNothing()
    expect((await shown(other, chats[1]!)).threads[0].active).toBe(true)
    expect((await customerItem(world, two.id, 'cus'))?.ban).toBeUndefined()
  })
})

describe('ban_customer is refused', () => {
  test('with not_found for a customer that is unknown, or of another license', async () => {
    const license = await world.license({ ann: {} })
    const other = await world.license({ ann: {} })
    await addCustomer(world, other.id, 'cus')
    const [ann, theirs] = [await license.login('ann'), await other.login('ann')]
    const ids = ['cus', 'nosuch', 'ann', '#', `${other.id}#cus`, '../cus', 'constructor', 'x'.repeat(128)]
    for (const customer_id of ids)
      expect(await ann.refused('ban_customer', { customer_id, ban: { days: 1 } })).toEqual(notFound)
    for (const client of [ann, theirs]) await client.receivesNothing()
    expect((await customerItem(world, other.id, 'cus'))?.ban).toBeUndefined()
  })
})

const cancelled = (...codes: string[]): Fault => ({
  errorType: 'TransactionCanceledException',
  body: { CancellationReasons: codes.map((Code) => ({ Code, Message: 'Injected' })) },
})

/** Spoils the next transactions that name `id`, by one fault after the other. */
const spoil = (id: string, faults: Fault[]) => {
  const left = [...faults]
  world.proxy.setFault(({ operation, request }) =>
    operation === 'TransactWriteItems' && JSON.stringify(request).includes(id) ? left.shift() : undefined,
  )
  return () => left.length
}

describe('ban_customer bans once, and pushes once,', () => {
  const lost: Fault = { errorType: 'InternalServerError', afterWrite: true }
  const underWay: Fault = { errorType: 'TransactionInProgressException' }
  test.each<[string, Fault[]]>([
    ['through a connection that breaks', [{ reset: true }, { reset: true }]],
    ['through an answer that is lost', [{ reset: true, afterWrite: true }]],
    [
      'though its answer is lost, and repeats hear that a transaction is under way',
      [lost, underWay, underWay, underWay],
    ],
    ['through lost races', [cancelled('None', 'TransactionConflict'), cancelled('ThrottlingError')]],
  ])('%s', { tags: ['full'] }, async (_what, faults) => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    await addCustomer(world, license.id, 'cus')
    const chat_id = await startCustomerChat(world, license.id, 'cus')
    const left = spoil(license.id, faults)
    await ban(ann, 'cus', 7)
    expect(left()).toBe(0)
    for (const client of [ann, ben])
      expect(await names(client)).toEqual(['incoming_event', 'thread_closed', 'customer_banned'])
    expect((await logOf(world, chat_id)).map(({ event }) => event.system_message_type)).toEqual([
      undefined,
      'customer_banned',
    ])
    expect((await customerItem(world, license.id, 'cus'))?.ban).toMatchObject({ days: 7, by: 'ann' })
  })

  test(
    'though its answer is lost and another ban replaces it at once: its closing is told all the same',
    { tags: ['full'] },
    async () => {
      const license = await world.license({ ann: {}, ben: {} })
      const [ann, ben] = [await license.login('ann'), await license.login('ben')]
      await addCustomer(world, license.id, 'cus')
      const chat_id = await startCustomerChat(world, license.id, 'cus')
      let first: unknown
      let repeats = 0
      const other = Promise.withResolvers<unknown>()
      world.proxy.setFault(async ({ operation, request }): Promise<Fault | undefined> => {
        if (operation !== 'TransactWriteItems' || !JSON.stringify(request).includes(license.id))
          return undefined
        const { ClientRequestToken: token } = request
        first ??= token
        if (token !== first) return undefined
        repeats += 1
        if (repeats === 1) return lost
        // the other ban comes between the first attempt, whose answer is lost, and the SDK's repeats of it
        if (repeats === 2) other.resolve(ban(ben, 'cus', 9))
        await other.promise
        return underWay
      })
      await ban(ann, 'cus', 7)
      await other.promise
      expect(repeats).toBeGreaterThan(2)
      const pushed = await ben.received()
      const count = (name: string) => pushed.filter(({ action }) => action === name).length
      expect([count('incoming_event'), count('thread_closed'), count('customer_banned')]).toEqual([1, 1, 2])
      expect(await logOf(world, chat_id)).toHaveLength(2)
      expect((await customerItem(world, license.id, 'cus'))?.ban?.days).toBe(9)
    },
  )
})

describe('ban_customer, at each step of it', () => {
  /**
   * A customer's chat that `ann` is in, and what all races must leave: one closing, annotations behind it, a
   * ban.
   */
  const prepare = async () => {
    const license = await world.license({ ann: { permission: 'owner' } })
    const [ann, again] = [await license.login('ann'), await license.login('ann')]
    let n = 0
    const fresh = async () => {
      const customer_id = `cus-${(n += 1)}`
      await addCustomer(world, license.id, customer_id)
      const chat_id = await startCustomerChat(world, license.id, customer_id, { users: [agent('ann')] })
      await again.received()
      const check = async () => {
        const log = await logOf(world, chat_id)
        const ofFirst = log.filter((entry) => entry.n === 1)
        const closings = ofFirst.filter(
          ({ event }) =>
            event.system_message_type === 'customer_banned' ||
            event.system_message_type === 'manual_archived',
        )
        expect(closings).toHaveLength(1)
        const behind = ofFirst.slice(ofFirst.indexOf(closings[0]!) + 1)
        expect(behind.filter(({ event }) => event.type !== 'annotation')).toEqual([])
        const stored = (await customerItem(world, license.id, customer_id))!
        expect(isBanned(stored, Date.now())).toBe(true)
        const pushed = (await again.received()).filter(
          ({ action, payload }: any) => action === 'thread_closed' && payload.thread_id === `${chat_id}_1`,
        )
        expect(pushed).toHaveLength(1)
        return { log, stored, closing: closings[0]! }
      }
      return { customer_id, chat_id, check }
    }
    return { ann, again, fresh }
  }

  testAtSteps(
    "an agent's event is before the closing, or in a thread that starts behind it",
    async (hold) => {
      const { ann, again, fresh } = await prepare()
      const outcomes = new Set<string>()
      await hold(
        world,
        async () => {
          const { customer_id, chat_id, check } = await fresh()
          let sent: Response
          return {
            held: () => ban(ann, customer_id),
            meanwhile: async () => {
              sent = await again.call('send_event', { chat_id, event: message('hi') })
            },
            check: async () => {
              const { log, closing } = await check()
              const hi = log.find(({ event }) => event.text === 'hi')
              expect(sent === undefined || sent.success === (hi !== undefined)).toBe(true)
              expect(hi === undefined || hi.n === 2 || hi.m < closing.m).toBe(true)
              outcomes.add(hi === undefined ? 'none' : hi.n === 2 ? 'next thread' : 'before')
            },
          }
        },
        4,
      )
      expect(outcomes).toContain('before')
    },
  )

  testAtSteps(
    'of a send_event the thread is closed once, and the event never behind the closing',
    async (hold) => {
      const { ann, again, fresh } = await prepare()
      const outcomes = new Set<string>()
      await hold(
        world,
        async () => {
          const { customer_id, chat_id, check } = await fresh()
          let sent: Response
          return {
            held: async () => {
              sent = await ann.call('send_event', { chat_id, event: message('hi') })
            },
            meanwhile: () => ban(again, customer_id),
            check: async () => {
              // where nothing was left to hold there was no ban
              if ((await logOf(world, chat_id)).every(({ event }) => event.type === 'message')) return
              const { log, closing } = await check()
              const hi = log.find(({ event }) => event.text === 'hi')
              expect(sent.success).toBe(hi !== undefined)
              expect(hi === undefined || hi.n === 2 || hi.m < closing.m).toBe(true)
              outcomes.add(hi === undefined ? 'none' : hi.n === 2 ? 'next thread' : 'before')
            },
          }
        },
        3,
      )
      expect(outcomes.size).toBeGreaterThan(0)
    },
  )

  test('an annotation is in the log once, wherever it lands', { tags: ['full'] }, async () => {
    const { ann, again, fresh } = await prepare()
    const event = { type: 'annotation', annotation_type: 'note', text: 'noted' }
    const places = new Set<boolean>()
    await atEachStep(world, async () => {
      const { customer_id, chat_id, check } = await fresh()
      let noted = false
      return {
        held: () => ban(ann, customer_id),
        meanwhile: async () => {
          await again.ok('send_event', { chat_id, event })
          noted = true
        },
        check: async () => {
          const { log, closing } = await check()
          const notes = log.filter(({ event: { text } }) => text === 'noted')
          expect(notes).toHaveLength(noted ? 1 : 0)
          expect(notes.every(({ n }) => n === 1)).toBe(true)
          for (const { m } of notes) places.add(m < closing.m)
        },
      }
    })
    expect(places).toContain(true)
  })

  test('close_thread closes the thread, or the ban does', { tags: ['full'] }, async () => {
    const { ann, again, fresh } = await prepare()
    const closers = new Set<unknown>()
    await atEachStep(world, async () => {
      const { customer_id, chat_id, check } = await fresh()
      let closed: Response | undefined
      return {
        held: () => ban(ann, customer_id),
        meanwhile: async () => {
          closed = await again.call('close_thread', { chat_id })
        },
        check: async () => {
          const { closing } = await check()
          const by = closing.event.system_message_type
          if (closed !== undefined)
            expect(errorOf(closed)).toBe(by === 'manual_archived' ? undefined : 'chat_inactive')
          closers.add(by)
        },
      }
    })
    expect(closers).toEqual(new Set(['manual_archived', 'customer_banned']))
  })

  test('a second ban replaces it or is replaced by it, whole', { tags: ['full'] }, async () => {
    const { ann, again, fresh } = await prepare()
    const last = new Set<number>()
    await atEachStep(world, async () => {
      const { customer_id, check } = await fresh()
      return {
        held: () => ban(ann, customer_id, 5),
        meanwhile: () => ban(again, customer_id, 8),
        check: async () => {
          const { stored } = await check()
          const { days, until } = stored.ban!
          expect(Math.abs(until - nowS() - days * dayS)).toBeLessThanOrEqual(60)
          last.add(days)
        },
      }
    })
    expect(last).toContain(5)
  })

  test(
    'a first thread that starts meanwhile is closed with it, or starts behind it',
    { tags: ['full'] },
    async () => {
      const license = await world.license({ ann: {} })
      const ann = await license.login('ann')
      let n = 0
      let closed = 0
      await atEachStep(world, async () => {
        const customer_id = `cus-${(n += 1)}`
        await addCustomer(world, license.id, customer_id)
        let chat_id: string | undefined
        let isBannedBefore = false
        return {
          held: () => ban(ann, customer_id),
          meanwhile: async () => {
            chat_id = await startCustomerChat(world, license.id, customer_id)
            isBannedBefore = (await customerItem(world, license.id, customer_id))?.ban !== undefined
          },
          check: async () => {
            expect((await customerItem(world, license.id, customer_id))?.ban).toMatchObject({ days: 5 })
            // the maker of these tests does not look for a ban, as customers' start_chat does
            if (chat_id === undefined || isBannedBefore) return
            const last = (await logOf(world, chat_id)).at(-1)
            expect(last?.event.system_message_type).toBe('customer_banned')
            closed += 1
          },
        }
      })
      expect(closed).toBeGreaterThan(2)
    },
  )
})
