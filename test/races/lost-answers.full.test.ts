import { beforeAll, describe, expect, test } from 'vitest'
import { findAgent } from '../../shared/provisioning/change-agent.ts'
import { readActiveChats, readChatRecord } from '../../shared/table/chat/read-chats.ts'
import { readCustomer } from '../../shared/table/customers.ts'
import { deviceHash, readAgentDevices, readDevice } from '../../shared/table/devices.ts'
import { customerChatId } from '../../shared/table/ids.ts'
import { readHead } from '../../shared/table/chat/thread-log.ts'
import { readAgentSockets, readCustomerSockets } from '../../shared/table/socket-lists.ts'
import { readSocket } from '../../shared/table/sockets.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import type { Call, Fault } from '../support/engine-proxy.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'
import { logOf, message } from './stored.ts'

// A write is done and its answer is lost: the request must find out that the write stands. All cases run side
// by side, since they wait for the end of their 12 s; a fault is for the calls that name its own license.

let world: World
const faults = new Map<string, (call: Pick<Call, 'operation' | 'request'>) => Fault | undefined>()
beforeAll(async () => {
  world = await sharedWorld({ delayScale: 1000, stream: false })
  world.proxy.setFault((call) => {
    const text = JSON.stringify(call.request)
    for (const [license, faultFor] of faults) if (text.includes(license)) return faultFor(call)
    return undefined
  })
})

const lost: Fault = { errorType: 'InternalServerError', afterWrite: true }
const conflict: Fault = {
  errorType: 'TransactionCanceledException',
  body: { CancellationReasons: [{ Code: 'TransactionConflict', Message: 'Injected' }] },
}
// no attempt begins later than 12 s after its request did
const tooLateMs = 12_100

/** What becomes of a transaction after its answer was lost, by the repeats that the SDK makes of it. */
const outcomes: Record<string, (sinceMs: () => number) => Fault> = {
  'whose repeat meets it under way': () => conflict,
  'whose repeat meets it under way, too late for another attempt': (sinceMs) => ({
    ...conflict,
    delayMs: tooLateMs - sinceMs(),
  }),
  'whose repeats are answered with errors too': () => lost,
}

interface Office {
  license: License
  /** Looks on. */
  ann: Client
}

interface Case {
  /** Sends the request, which must succeed. */
  ask(): Promise<unknown>
  /** What `ann` is told of it. */
  told: string[]
  /** Whether what is stored is what was asked for, once. */
  check(): Promise<unknown>
}

const customerOf = async (license: License) => {
  const { client, id } = await license.visit({ customer: { name: 'Carl' } })
  const { chat } = await client.ok('start_chat', { chat: { events: [message('hello')] } })
  return { carl: client as CustomerClient, id, chat_id: chat.id as string }
}
const properties = { a: { x: 1 } }
const stored = { a: { x: { value: 1 } } }
const application = { name: 'Desk' }

const cases: Record<string, (office: Office) => Promise<Case>> = {
  'login of an agent': async ({ license }) => {
    const token = await license.token('lea')
    const device = { firebase_token: `phone of ${license.id}`, platform: 'ios' } as const
    const lea = await world.open()
    const { read } = world.table
    return {
      ask: () => lea.ok('login', { token, application, push_notifications: device }),
      told: ['agent_updated'],
      check: async () => {
        const [row, ...more] = await readAgentSockets(read, license.id, 'lea')
        expect(more).toEqual([])
        expect((await readSocket(read, row!.connection, Date.now()))?.session).toMatchObject({
          agent_id: 'lea',
          application,
        })
        expect(await findAgent(world.table, license.id, 'lea')).toMatchObject({ online: true, seq: 1 })
        const hash = deviceHash(device.firebase_token)
        expect((await readAgentDevices(read, license.id, 'lea')).map((one) => one.hash)).toEqual([hash])
        await lea.ok('start_chat')
      },
    }
  },
  'login of a customer': async ({ license }) => {
    const client = await license.arrive()
    let id = ''
    return {
      ask: async () => {
        const answer = await client.ok('login', { customer: { name: 'Carla' } })
        id = answer.customer_id
      },
      told: [],
      check: async () => {
        expect(await readCustomerSockets(world.table.read, license.id, id)).toHaveLength(1)
        expect(await readCustomer(world.table.read, license.id, id)).toMatchObject({ name: 'Carla', seq: 1 })
        await client.ok('update_customer', { customer: { name: 'Carlotta' } })
      },
    }
  },
  'start_chat of an agent': async ({ license }) => {
    const lea = await license.login('lea')
    let id = ''
    return {
      ask: async () => {
        const { chat } = await lea.ok('start_chat', { initial_events: [message('hello')] })
        id = chat.id
      },
      told: ['incoming_chat_thread'],
      check: async () => {
        const active = await readActiveChats(world.table.read, license.id)
        expect(active.map((chat) => chat.id)).toEqual([id])
        expect((await logOf(world, id)).map(({ event }) => event.text)).toEqual(['hello'])
      },
    }
  },
  'start_chat that changes the properties of a thread alone': async ({ license }) => {
    const { carl, chat_id } = await customerOf(license)
    return {
      ask: () => carl.ok('start_chat', { chat: { thread: { properties } } }),
      told: ['chat_thread_properties_updated'],
      check: async () =>
        expect((await readHead(world.table.read, chat_id, 1))?.properties).toMatchObject(stored),
    }
  },
  'close_thread of a customer': async ({ license }) => {
    const { carl, chat_id } = await customerOf(license)
    return {
      ask: () => carl.ok('close_thread', { chat_id }),
      told: ['incoming_event', 'thread_closed'],
      check: async () => {
        const texts = (await logOf(world, chat_id)).map(({ event }) => event.text)
        expect(texts.filter((text) => text === 'Carl archived the chat')).toHaveLength(1)
      },
    }
  },
  'update_chat_properties of a customer': async ({ license }) => {
    const { carl, chat_id } = await customerOf(license)
    return {
      ask: () => carl.ok('update_chat_properties', { chat_id, properties }),
      told: ['chat_properties_updated'],
      check: async () =>
        expect((await readChatRecord(world.table.read, chat_id))?.properties).toMatchObject(stored),
    }
  },
  update_chat_scopes: async ({ license }) => {
    const lea = await license.login('lea')
    const { chat } = await lea.ok('start_chat')
    return {
      ask: () => lea.ok('update_chat_scopes', { chat_id: chat.id, add_scopes: { agents: ['ann'] } }),
      told: ['chat_scopes_updated'],
      check: async () =>
        expect((await readChatRecord(world.table.read, chat.id))?.chat.scopes.agents).toEqual(['ann']),
    }
  },
  change_push_notifications: async ({ license }) => {
    const lea = await license.login('lea')
    const firebase_token = `phone of ${license.id}`
    return {
      ask: () => lea.ok('change_push_notifications', { firebase_token, platform: 'ios', enabled: true }),
      told: [],
      check: async () =>
        expect(await readDevice(world.table.read, deviceHash(firebase_token))).toMatchObject({
          agent_id: 'lea',
          enabled: true,
        }),
    }
  },
  ban_customer: async ({ license }) => {
    const lea = await license.login('lea')
    const { id } = await customerOf(license)
    return {
      ask: () => lea.ok('ban_customer', { customer_id: id, ban: { days: 3 } }),
      told: ['incoming_event', 'thread_closed', 'customer_banned'],
      check: async () => {
        expect(await readCustomer(world.table.read, license.id, id)).toMatchObject({ ban: { days: 3 } })
        const record = await readChatRecord(world.table.read, customerChatId(license.id, id))
        expect(record?.chat.active).toBe(false)
      },
    }
  },
}

const openOffice = async (): Promise<Office> => {
  const license = await world.license({ ann: { permission: 'owner' }, lea: {} })
  return { license, ann: await license.login('ann') }
}

/** What a client was told since, by name; presence comes last. */
const heard = async (client: Client): Promise<string[]> => {
  await client.caughtUp()
  const all = [...client.pushes.splice(0), ...client.presence.splice(0)]
  return all.map(({ action }) => action)
}

describe.concurrent('a transaction whose answer is lost', () => {
  test.each(Object.entries(outcomes))('%s, is success, done once and told once', async (_, outcome) => {
    // all are set up before any asks: the time of each runs from then on
    const opened = await Promise.all(
      Object.entries(cases).map(async ([name, open]) => {
        const office = await openOffice()
        const made = await open(office)
        await heard(office.ann)
        return { name, ...office, ...made }
      }),
    )
    const each = opened.map(async ({ name, license, ann, ask, told, check }) => {
      const startedAt = performance.now()
      let transactions = 0
      faults.set(license.id, ({ operation }) => {
        if (operation !== 'TransactWriteItems') return undefined
        transactions += 1
        return transactions === 1 ? lost : outcome(() => performance.now() - startedAt)
      })
      await ask()
      faults.delete(license.id)
      expect(transactions, name).toBeGreaterThan(1)
      expect(await heard(ann), name).toEqual(told)
      await check()
    })
    await Promise.all(each)
  })
})

/** Logs lea in, the answer to one call lost; resolves to how many calls there were that name the license. */
const loginLosing = async (step: number, isLate: boolean): Promise<number> => {
  const { license, ann } = await openOffice()
  await heard(ann)
  const token = await license.token('lea')
  const lea = await world.open()
  const startedAt = performance.now()
  let calls = 0
  let transactions = 0
  faults.set(license.id, ({ operation }) => {
    calls += 1
    const delayMs = isLate ? Math.max(0, tooLateMs - (performance.now() - startedAt)) : 0
    if (operation === 'TransactWriteItems') transactions += 1
    // the repeat of the transaction does not succeed: it ends later, where the login is to be late
    if (operation === 'TransactWriteItems' && transactions === 2) return { ...conflict, delayMs }
    if (calls !== step) return undefined
    return operation === 'TransactWriteItems' ? lost : { reset: true, afterWrite: true, delayMs }
  })
  const answer = await lea.ok('login', { token })
  faults.delete(license.id)
  expect(answer.my_profile.routing_status, `call ${step}`).toBe('accepting_chats')
  expect(await heard(ann), `call ${step}`).toEqual(['agent_updated'])
  expect(await readAgentSockets(world.table.read, license.id, 'lea'), `call ${step}`).toHaveLength(1)
  const agent = await findAgent(world.table, license.id, 'lea')
  expect(agent, `call ${step}`).toMatchObject({ online: true, seq: 1 })
  return calls
}

describe.concurrent('a login of which the answer to any one call is lost', () => {
  test.each([
    ['is success, done once and told once', false],
    ['is so too where that ends too late for another attempt', true],
  ])('%s', async (_, isLate) => {
    const calls = await loginLosing(0, false)
    expect(calls).toBeGreaterThanOrEqual(8)
    const steps = Array.from({ length: calls }, (_, index) => index + 1)
    await Promise.all(steps.map((step) => loginLosing(step, isLate)))
  })
})
