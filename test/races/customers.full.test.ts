import { beforeAll, describe, expect, test, vi } from 'vitest'
import { readActiveChats, readChatRecord } from '../../shared/table/chat/read-chats.ts'
import { readCustomer } from '../../shared/table/customers.ts'
import { customerChatId } from '../../shared/table/ids.ts'
import { readLoads } from '../../shared/table/chat/loads.ts'
import { readHead } from '../../shared/table/chat/thread-log.ts'
import { readCustomerSockets } from '../../shared/table/socket-lists.ts'
import type { Client, CustomerClient, Response } from '../support/client.ts'
import type { Fault } from '../support/engine-proxy.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'
import { atEachStep, calm } from './holding.ts'
import { errorOf, logOf, message } from './stored.ts'

let world: World
let license: License
let ann: Client
let gus: Client
beforeAll(async () => {
  // what is promised here is for actions to keep, without the stream's workers
  world = await sharedWorld({ delayScale: 1000, stream: false })
  license = await world.license(
    { ann: { groups: [1], max_chats: 1000 }, gus: { default_status: 'not_accepting_chats' } },
    { groups: ['Sales', 'Support'] },
  )
  ann = await license.login('ann')
  gus = await license.login('gus')
  await world.queue.flush()
})

interface Customer {
  carl: CustomerClient
  id: string
  token: string
  chat_id: string
}

/** A customer: without a chat, with an active thread, or with a closed one. */
const arrive = async (chat: 'none' | 'active' | 'closed', { stored = true } = {}): Promise<Customer> => {
  const details = stored ? { customer: { name: 'Carl' } } : {}
  const { client: carl, id, token } = await license.visit(details)
  const chat_id = customerChatId(license.id, id)
  if (chat !== 'none')
    await carl.ok('start_chat', { chat: { scopes: { groups: [1] }, events: [message('hello')] } })
  if (chat === 'closed') await carl.ok('close_thread', { chat_id })
  await world.settled()
  return { carl, id, token, chat_id }
}

/** The same on two tabs. */
const arriveOnTwoTabs = async (...args: Parameters<typeof arrive>) => {
  const customer = await arrive(...args)
  const { client: tab } = await license.visit({ token: customer.token })
  for (const client of [customer.carl, tab]) await client.received()
  return { ...customer, tab }
}

/** What is stored of a customer and its chat that requests of its own can change. */
const storedOf = async ({ id, chat_id }: Customer) => {
  const { read } = world.table
  const [record, customer] = await Promise.all([
    readChatRecord(read, chat_id),
    readCustomer(read, license.id, id),
  ])
  const { name, properties, visits, threads, visit } = customer ?? {}
  return {
    chat: record?.chat,
    properties: record?.properties,
    log: record === undefined ? [] : await logOf(world, chat_id),
    head: record === undefined ? undefined : await readHead(read, chat_id, record.chat.thread),
    customer: { name, properties, visits, threads, pages: visit?.pages },
  }
}

const ban = (customer: Customer) => ann.ok('ban_customer', { customer_id: customer.id, ban: { days: 5 } })

const annotation = { type: 'annotation', annotation_type: 'rating', text: 'good' }
const properties = { a: { x: 1 } }
const chats = { none: 'none', active: 'active', closed: 'closed' } as const

/** Requests of a customer against a ban; `refused`: with which errors, where the ban is first. */
const requests: Record<
  string,
  { chat: keyof typeof chats; stored?: false; ask(of: Customer): Promise<Response>; refused: string[] }
> = {
  'send_event to an active thread': {
    chat: 'active',
    ask: ({ carl, chat_id }) => carl.call('send_event', { chat_id, event: message('hi') }),
    refused: ['authorization', 'customer_banned'],
  },
  'send_event that starts a thread': {
    chat: 'closed',
    ask: ({ carl, chat_id }) => carl.call('send_event', { chat_id, event: message('hi') }),
    refused: ['authorization', 'customer_banned'],
  },
  'send_event of an annotation to a closed thread': {
    chat: 'closed',
    ask: ({ carl, chat_id }) => carl.call('send_event', { chat_id, event: annotation }),
    refused: ['authorization'],
  },
  'start_chat of a first chat': {
    chat: 'none',
    ask: ({ carl }) => carl.call('start_chat', { chat: { events: [message('hi')] } }),
    refused: ['customer_banned'],
  },
  'start_chat that starts the next thread': {
    chat: 'closed',
    ask: ({ carl }) => carl.call('start_chat', { chat: { events: [message('hi')], properties } }),
    refused: ['customer_banned'],
  },
  'start_chat that adds to an active thread': {
    chat: 'active',
    ask: ({ carl }) => carl.call('start_chat', { chat: { events: [message('hi')], properties } }),
    refused: ['customer_banned'],
  },
  'start_chat that changes nothing but properties': {
    chat: 'active',
    ask: ({ carl }) => carl.call('start_chat', { chat: { properties, thread: { properties } } }),
    refused: ['customer_banned'],
  },
  update_chat_properties: {
    chat: 'active',
    ask: ({ carl, chat_id }) => carl.call('update_chat_properties', { chat_id, properties }),
    refused: ['authorization'],
  },
  update_chat_thread_properties: {
    chat: 'active',
    ask: ({ carl, chat_id }) =>
      carl.call('update_chat_thread_properties', { chat_id, thread_id: `${chat_id}_1`, properties }),
    refused: ['authorization'],
  },
  'update_chat_scopes where no thread is active': {
    chat: 'closed',
    ask: ({ carl, chat_id }) => carl.call('update_chat_scopes', { chat_id, add_scopes: { groups: [2] } }),
    refused: ['authorization'],
  },
  close_thread: {
    chat: 'active',
    ask: ({ carl, chat_id }) => carl.call('close_thread', { chat_id }),
    refused: ['authorization', 'chat_inactive'],
  },
  update_customer: {
    chat: 'none',
    ask: ({ carl }) => carl.call('update_customer', { customer: { name: 'Carla' } }),
    refused: ['authorization'],
  },
}

const isAdding = (name: string) => /^(send_event|start_chat)/.test(name) && !name.includes('nothing but')

describe('nothing lands behind the answer to a ban', () => {
  test.each(Object.entries(requests))('of %s that is under way', async (_, { chat, ask, refused }) => {
    const outcomes = new Set<string | undefined>()
    const prepare = async () => {
      const customer = await arrive(chat)
      let answer: Response | undefined
      let atAnswer: unknown
      return {
        held: async () => {
          answer = await ask(customer)
        },
        meanwhile: async () => {
          await ban(customer)
          atAnswer = await storedOf(customer)
        },
        check: async () => {
          if (atAnswer === undefined) throw new Error('There was no ban')
          const atEnd = await storedOf(customer)
          expect(atEnd).toEqual(atAnswer)
          const error = errorOf(answer!)
          outcomes.add(error)
          if (error !== undefined) expect(refused).toContain(error)
          const { chat: stored, log } = atEnd
          expect(stored?.active ?? false).toBe(false)
          // refused: nothing of it is stored
          if (error !== undefined) expect(log.some(({ event }) => event.text === 'hi')).toBe(false)
          await world.settled()
          expect(await readCustomerSockets(world.table.read, license.id, customer.id)).toEqual([])
        },
      }
    }
    const steps = await atEachStep(world, prepare, ['alone'])
    expect(steps).toBeGreaterThan(2)
    expect([...outcomes].some((error) => error !== undefined)).toBe(true)
  })

  const adding = Object.entries(requests).filter(([name]) => isAdding(name))
  test.each(adding)('of %s that comes in the middle of it', async (_, { chat, ask }) => {
    await atEachStep(world, async () => {
      const customer = await arrive(chat)
      let answer: Response | undefined
      return {
        held: () => ban(customer),
        meanwhile: async () => {
          answer = await ask(customer)
        },
        check: async () => {
          const { chat: stored, log } = await storedOf(customer)
          expect(stored?.active ?? false).toBe(false)
          const said = log.filter(({ event }) => event.text === 'hi' || event.type === 'annotation')
          if (answer?.success === true && 'event' in ((answer.payload as object | undefined) ?? {}))
            expect(said).toHaveLength(1)
          if (answer?.success === false) expect(said).toEqual([])
          // whatever thread is the last, a ban that closed it is the last of it, but for annotations
          const closing = log.findLast(({ closed }) => closed === true)
          for (const { m, n, event } of said)
            if (event.type !== 'annotation')
              expect(closing !== undefined && (n < closing.n || m < closing.m)).toBe(true)
          expect(errorOf(await customer.carl.call('login', { token: customer.token }).catch(closed))).toBe(
            'customer_banned',
          )
        },
      }
    }, ['alone'])
  })
})

/** The answer of a connection that was closed meanwhile: as good as that it was banned. */
const closed = (): Response => ({
  ...{ type: 'response', success: false },
  payload: { error: { type: 'customer_banned' } },
})

describe('a login against a ban', () => {
  test.each([
    ['with something to tell', { customer: { name: 'Carla' } }],
    ['with nothing to tell', {}],
  ])('%s, under way: refused, or felt by the ban', async (_, payload) => {
    const outcomes = new Set<string | undefined>()
    await atEachStep(world, async () => {
      const customer = await arrive('active')
      const late = await license.arrive()
      let answer: Response | undefined
      let atAnswer: unknown
      return {
        held: async () => {
          answer = await late.call('login', { token: customer.token, ...payload })
        },
        meanwhile: async () => {
          await ban(customer)
          atAnswer = await storedOf(customer)
        },
        check: async () => {
          if (atAnswer === undefined) throw new Error('There was no ban')
          expect(await storedOf(customer)).toEqual(atAnswer)
          const error = errorOf(answer!)
          outcomes.add(error)
          await world.settled()
          expect(await readCustomerSockets(world.table.read, license.id, customer.id)).toEqual([])
          if (error === undefined) {
            expect(await late.eventually('customer_disconnected')).toEqual({ reason: 'customer_banned' })
            await late.closing()
          } else {
            expect(error).toBe('customer_banned')
            await late.close()
          }
        },
      }
    }, ['alone'])
    expect(outcomes).toEqual(new Set([undefined, 'customer_banned']))
  })

  test('in the middle of it: refused, or felt by it', async () => {
    const outcomes = new Set<string | undefined>()
    await atEachStep(world, async () => {
      const customer = await arrive('active')
      const late = await license.arrive()
      let answer: Response | undefined
      return {
        held: () => ban(customer),
        meanwhile: async () => {
          answer = await late.call('login', { token: customer.token })
        },
        check: async () => {
          if (answer === undefined) return
          const error = errorOf(answer)
          outcomes.add(error)
          await world.settled()
          expect(await readCustomerSockets(world.table.read, license.id, customer.id)).toEqual([])
          if (error === undefined) await late.closing()
          else expect(error).toBe('customer_banned')
        },
      }
    }, ['alone'])
    expect(outcomes).toEqual(new Set([undefined, 'customer_banned']))
  })
})

describe('two tabs that start at once', () => {
  test.each([
    ['a first chat', 'none', false],
    ['a first chat of one that has told its name', 'none', true],
    ['the next thread', 'closed', true],
  ] as const)('%s start one, with the events of both', async (_, chat, stored) => {
    const steps = await atEachStep(world, async () => {
      const customer = await arriveOnTwoTabs(chat, { stored })
      const { carl, tab, id, chat_id } = customer
      // what a slow post left to the queue is of before
      await calm(world)
      for (const client of [ann, carl, tab]) await client.received()
      const n = chat === 'none' ? 1 : 2
      const start = (client: CustomerClient, text: string) =>
        client.ok('start_chat', { chat: { events: [message(text)], properties: { from: { [text]: true } } } })
      const threads = new Set<string>()
      return {
        held: async () => threads.add((await start(carl, 'one')).chat.thread.id),
        meanwhile: async () => threads.add((await start(tab, 'two')).chat.thread.id),
        check: async () => {
          expect([...threads]).toEqual([`${chat_id}_${n}`])
          const last = (await logOf(world, chat_id)).filter((entry) => entry.n === n)
          const texts = last.flatMap(({ event }) => (event.type === 'message' ? event.text : []))
          expect(texts.toSorted()).toEqual(['one', 'two'])
          const { chat: held, customer: known, properties: all } = await storedOf(customer)
          expect(held).toMatchObject({ active: true, thread: n })
          expect(held?.users.map((user) => user.id).toSorted()).toEqual([id, 'ann'].toSorted())
          expect(Object.keys(all!['from']!).toSorted()).toEqual(['one', 'two'])
          expect(known.threads).toBe(n)
          for (const client of [ann, carl, tab]) {
            const pushes = await client.received()
            const shown = pushes.filter(({ action }) => action === 'incoming_chat_thread')
            expect(shown).toHaveLength(1)
            // what is not in the thread as it was shown first is pushed by itself
            const said = pushes.filter(({ action }) => action === 'incoming_event')
            expect(said).toHaveLength(1)
          }
        },
      }
    }, ['alone'])
    expect(steps).toBeGreaterThan(3)
    const loads = await readLoads(world.table.read, license.id, { strong: true })
    const active = await readActiveChats(world.table.read, license.id)
    const anns = active.filter(({ users }) => users.some(({ id, present }) => id === 'ann' && present))
    expect(loads.find(({ agent }) => agent === 'ann')?.active).toBe(anns.length)
  })

  test('ten tabs start one chat', async () => {
    const { client, token, id } = await license.visit()
    const tabs = [client]
    while (tabs.length < 10) tabs.push((await license.visit({ token })).client)
    const answers = await Promise.all(
      tabs.map((tab, i) => tab.ok('start_chat', { chat: { events: [message(`${i}`)] } })),
    )
    const chat_id = customerChatId(license.id, id)
    expect(new Set(answers.map(({ chat }) => chat.thread.id))).toEqual(new Set([`${chat_id}_1`]))
    const texts = (await logOf(world, chat_id)).flatMap(({ event }) =>
      event.type === 'message' ? event.text! : [],
    )
    expect(texts.toSorted()).toEqual(tabs.map((_, i) => `${i}`))
    await world.settled()
    for (const agent of [ann, gus]) await agent.received()
  })
})

const lost: Fault = { errorType: 'InternalServerError', afterWrite: true }
const underWay: Fault = { errorType: 'TransactionInProgressException' }
const conflict: Fault = {
  errorType: 'TransactionCanceledException',
  body: { CancellationReasons: [{ Code: 'None' }, { Code: 'TransactionConflict', Message: 'Injected' }] },
}
/** One after the other, of the same write. */
const mishaps: Record<string, Fault[]> = {
  'an answer that is lost': [{ reset: true, afterWrite: true }],
  'an answer that is an error after the write was done': [lost, lost],
  'a connection that breaks': [{ reset: true }],
}
const ofTransactions: Record<string, Fault[]> = {
  ...mishaps,
  'an answer that is lost, and repeats that hear of a transaction under way': [
    lost,
    underWay,
    underWay,
    underWay,
  ],
  'a conflict of one of its items': [conflict],
}

interface Write {
  chat: keyof typeof chats
  operation: 'TransactWriteItems' | 'PutItem' | 'UpdateItem'
  ask(of: Customer): Promise<unknown>
  /** What a second tab is told. */
  told: string[]
  /** What there is then of what was asked. */
  check(stored: Awaited<ReturnType<typeof storedOf>>): void
}
const texts = (log: { event: { text?: string | undefined } }[], text: string) =>
  log.filter(({ event }) => event.text === text)

const writes: Record<string, Write> = {
  'start_chat of a first chat': {
    ...{ chat: 'none', operation: 'TransactWriteItems', told: ['incoming_chat_thread'] },
    ask: ({ carl }) => carl.ok('start_chat', { chat: { events: [message('hi')], properties } }),
    check: ({ log, chat, customer }) => {
      expect(texts(log, 'hi')).toHaveLength(1)
      expect([chat?.thread, customer.threads]).toEqual([1, 1])
    },
  },
  'start_chat of the next thread': {
    ...{ chat: 'closed', operation: 'TransactWriteItems' },
    told: ['incoming_chat_thread', 'chat_properties_updated'],
    ask: ({ carl }) => carl.ok('start_chat', { chat: { events: [message('hi')], properties } }),
    check: ({ log, chat, customer }) => {
      expect(texts(log, 'hi')).toHaveLength(1)
      expect([chat?.thread, customer.threads]).toEqual([2, 2])
    },
  },
  'start_chat that adds to an active thread': {
    ...{ chat: 'active', operation: 'TransactWriteItems' },
    told: ['incoming_event', 'chat_properties_updated'],
    ask: ({ carl }) => carl.ok('start_chat', { chat: { events: [message('hi')], properties } }),
    check: ({ log, chat }) => {
      expect(texts(log, 'hi')).toHaveLength(1)
      expect(chat?.thread).toBe(1)
    },
  },
  'start_chat that changes properties alone': {
    ...{ chat: 'active', operation: 'TransactWriteItems', told: ['chat_properties_updated'] },
    ask: ({ carl }) => carl.ok('start_chat', { chat: { properties } }),
    check: (stored) => expect(stored.properties).toMatchObject({ a: { x: { value: 1 } } }),
  },
  send_event: {
    ...{ chat: 'active', operation: 'PutItem', told: ['incoming_event'] },
    ask: ({ carl, chat_id }) => carl.ok('send_event', { chat_id, event: message('hi') }),
    check: ({ log }) => expect(texts(log, 'hi')).toHaveLength(1),
  },
  'send_event that starts a thread': {
    ...{ chat: 'closed', operation: 'TransactWriteItems', told: ['incoming_chat_thread'] },
    ask: ({ carl, chat_id }) => carl.ok('send_event', { chat_id, event: message('hi') }),
    check: ({ log, chat, customer }) => {
      expect(texts(log, 'hi')).toHaveLength(1)
      expect([chat?.thread, customer.threads]).toEqual([2, 2])
    },
  },
  'send_event of an annotation to a closed thread': {
    ...{ chat: 'closed', operation: 'TransactWriteItems', told: ['incoming_event'] },
    ask: ({ carl, chat_id }) => carl.ok('send_event', { chat_id, event: annotation }),
    check: ({ log, chat }) => {
      expect(texts(log, 'good')).toHaveLength(1)
      expect(chat?.active).toBe(false)
    },
  },
  close_thread: {
    ...{ chat: 'active', operation: 'TransactWriteItems', told: ['incoming_event', 'thread_closed'] },
    ask: ({ carl, chat_id }) => carl.ok('close_thread', { chat_id }),
    check: ({ log, chat }) => {
      expect(texts(log, 'Carl archived the chat')).toHaveLength(1)
      expect(chat?.active).toBe(false)
    },
  },
  update_chat_properties: {
    ...{ chat: 'active', operation: 'TransactWriteItems', told: ['chat_properties_updated'] },
    ask: ({ carl, chat_id }) => carl.ok('update_chat_properties', { chat_id, properties }),
    check: (stored) => expect(stored.properties).toMatchObject({ a: { x: { value: 1 } } }),
  },
  update_chat_thread_properties: {
    ...{ chat: 'active', operation: 'TransactWriteItems', told: ['chat_thread_properties_updated'] },
    ask: ({ carl, chat_id }) =>
      carl.ok('update_chat_thread_properties', { chat_id, thread_id: `${chat_id}_1`, properties }),
    check: ({ head }) => expect(head?.properties).toMatchObject({ a: { x: { value: 1 } } }),
  },
  update_chat_scopes: {
    ...{ chat: 'active', operation: 'TransactWriteItems', told: ['chat_scopes_updated'] },
    ask: ({ carl, chat_id }) => carl.ok('update_chat_scopes', { chat_id, add_scopes: { groups: [2] } }),
    check: ({ chat }) => expect(chat?.scopes.groups).toEqual([1, 2]),
  },
  update_last_seen_timestamp: {
    ...{ chat: 'active', operation: 'UpdateItem', told: ['last_seen_timestamp_updated'] },
    // who sends has seen the chat up to it: only a later second moves
    ask: async ({ carl }) => {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2000 })
      await carl.ok('update_last_seen_timestamp').finally(() => vi.useRealTimers())
    },
    check: () => undefined,
  },
}

/** The mishaps that a write is to meet, by what its calls name. */
const mishapsOf = new Map<string, { operations: readonly string[]; left: Fault[] }>()
/** Gives the calls that name this their mishaps; resolves once `ask` has met all of them. */
const meeting = async <T>(
  named: string,
  operations: readonly string[],
  faults: readonly Fault[],
  ask: () => Promise<T>,
): Promise<T> => {
  const left = [...faults]
  mishapsOf.set(named, { operations, left })
  const answer = await ask()
  expect(left).toEqual([])
  mishapsOf.delete(named)
  return answer
}
const names = (pushes: readonly { action: string }[]) => pushes.map(({ action }) => action)
/** The pushes that a watcher got which name a customer or its chat, by name; it leaves then. */
const toldTo = async (watcher: Client, named: string): Promise<string[]> => {
  const pushes = await watcher.received()
  await watcher.close()
  return names(pushes.filter((push) => JSON.stringify(push).includes(named)))
}

describe('through a mishap', () => {
  beforeAll(() => {
    world.proxy.setFault(({ operation, request }) => {
      const text = JSON.stringify(request)
      for (const [named, { operations, left }] of mishapsOf)
        if (operations.includes(operation) && text.includes(named)) return left.shift()
      return undefined
    })
  })

  const isDoneOnce = async (
    { chat, operation, ask, told, check }: Write,
    faults: readonly Fault[],
  ): Promise<void> => {
    const customer = await arriveOnTwoTabs(chat)
    const { carl, tab, chat_id } = customer
    const watcher = await license.login('ann')
    await meeting(chat_id, [operation], faults, () => ask(customer))
    for (const client of [tab, carl]) expect(names(await client.received())).toEqual(told)
    expect(await toldTo(watcher, chat_id)).toEqual(told)
    check(await storedOf(customer))
  }
  const { update_last_seen_timestamp: ofTheClock, ...atAnyTime } = writes
  const cases = Object.entries(atAnyTime).flatMap(([name, write]) => {
    const met = write.operation === 'TransactWriteItems' ? ofTransactions : mishaps
    return Object.entries(met).map(([mishap, faults]) => [name, mishap, write, faults] as const)
  })

  // seconds each: side by side
  const waits = (mishap: string) => mishap.includes('under way')
  test.concurrent.each(cases.filter(([, mishap]) => waits(mishap)))(
    '%s is done once, and told once: %s',
    async (_, _mishap, write, faults) => isDoneOnce(write, faults),
  )
  test.each(cases.filter(([, mishap]) => !waits(mishap)))(
    '%s is done once, and told once: %s',
    async (_, _mishap, write, faults) => isDoneOnce(write, faults),
  )

  test.each(Object.entries(ofTransactions))('login is done once: %s', async (_, faults) => {
    const { id, token } = await arriveOnTwoTabs('active')
    const watcher = await license.login('ann')
    const client = await license.arrive()
    const page = { url: 'https://example.com/prices', title: 'Prices' }
    const answer = await meeting(id, ['TransactWriteItems'], faults, () =>
      client.ok('login', { token, customer: { name: 'Carla', monitoring: { page } } }),
    )
    expect(answer).toMatchObject({ customer_id: id, total_chats: 1 })
    expect(await readCustomerSockets(world.table.read, license.id, id)).toHaveLength(3)
    const customer = await readCustomer(world.table.read, license.id, id)
    expect(customer).toMatchObject({ name: 'Carla', visits: 1, visit: { pages: [{ title: 'Prices' }] } })
    const told = await toldTo(watcher, id)
    expect(told.filter((name) => name === 'customer_updated')).toHaveLength(1)
  })

  test.each(Object.entries(mishaps))('update_customer is done once, and told once: %s', async (_, faults) => {
    const { carl, id } = await arrive('active')
    const watcher = await license.login('ann')
    const { customer } = await meeting(
      `CUSTOMER#${license.id}#${id}"`,
      ['TransactWriteItems', 'UpdateItem'],
      faults,
      () => carl.ok('update_customer', { customer: { name: 'Carla' } }),
    )
    expect(customer).toMatchObject({ name: 'Carla' })
    const told = await toldTo(watcher, id)
    expect(told.filter((name) => name === 'customer_updated')).toHaveLength(1)
  })

  // it moves the clock of all
  test.each(Object.entries(mishaps))(
    'update_last_seen_timestamp is done once, and told once: %s',
    (_, faults) => isDoneOnce(ofTheClock!, faults),
  )
})
