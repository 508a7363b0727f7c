import { beforeAll, describe, expect, test } from 'vitest'
import { changeAgent, findAgent } from '../../shared/provisioning/change-agent.ts'
import { readActiveChats } from '../../shared/table/chat/read-chats.ts'
import { chatPk, logPrefix } from '../../shared/table/keys.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import { readSocket } from '../../shared/table/sockets.ts'
import type { Client } from '../support/client.ts'
import type { Fault } from '../support/engine-proxy.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
  world.proxy.setFault(({ operation, request }) => {
    const text = JSON.stringify(request)
    for (const [id, spoiler] of spoilers) if (text.includes(id)) return spoiler(operation)
    return undefined
  })
})

// tests run side by side: each spoils the calls that name its own license or chat
const spoilers = new Map<string, (operation: string) => Fault | undefined>()

/** Spoils the next calls of this operation that name `id`, and tells how many it has spoilt. */
const spoil = (id: string, operation: string, fault: Fault, times: number) => {
  let spoilt = 0
  spoilers.set(id, (called) => {
    if (called !== operation || spoilt === times) return undefined
    spoilt += 1
    return fault
  })
  return () => spoilt
}

const cancelled = (...codes: string[]): Fault => ({
  errorType: 'TransactionCanceledException',
  body: { CancellationReasons: codes.map((Code) => ({ Code, Message: 'Injected' })) },
})

/** What any call may meet. */
const anywhere: Record<string, Fault> = {
  'an InternalServerError': { errorType: 'InternalServerError' },
  'an InternalServerError after the write was done': { errorType: 'InternalServerError', afterWrite: true },
  'a connection that breaks': { reset: true },
  'an answer that is lost after the write was done': { reset: true, afterWrite: true },
  ProvisionedThroughputExceededException: { errorType: 'ProvisionedThroughputExceededException' },
}
const throttled = ['ProvisionedThroughputExceededException', 'ThrottlingException', 'RequestLimitExceeded']
const put: Record<string, Fault> = {
  ...anywhere,
  TransactionConflictException: { errorType: 'TransactionConflictException' },
}
const transaction: Record<string, Fault> = {
  ...anywhere,
  TransactionInProgressException: { errorType: 'TransactionInProgressException' },
  'TransactionInProgressException after the write was done': {
    errorType: 'TransactionInProgressException',
    afterWrite: true,
  },
  TransactionConflict: cancelled('TransactionConflict', 'None'),
  'TransactionConflict of a later item': cancelled('None', 'TransactionConflict'),
  ThrottlingError: cancelled('ThrottlingError', 'None'),
  ProvisionedThroughputExceeded: cancelled('None', 'ProvisionedThroughputExceeded'),
}

/** Twice, or once where the SDK waits for long before it tries again. */
const timesOf = ({ errorType = '' }: Fault): number => (/Throughput|InProgress/.test(errorType) ? 1 : 2)

const message = (text: string) => ({ type: 'message', text })
const textsOf = async (chat: string): Promise<string[]> => {
  const log = await world.table.read.query({ pk: chatPk(chat), prefix: logPrefix, strong: true })
  return log.flatMap(({ sk, event }: any) => [
    `${Number(sk.split('#')[1])}.${Number(sk.split('#')[2])}${event === undefined ? '' : ` ${event.text}`}`,
  ])
}
/** The pushes about a chat that a client has received, by name. */
const told = async (client: Client, chat: string): Promise<string[]> => {
  await client.caughtUp()
  const about = ({ payload }: any) => (payload.chat_id ?? payload.chat?.id) === chat
  return client.pushes.filter(about).map(({ action }) => action)
}

interface Office {
  license: License
  ann: Client
  ben: Client
}

const openOffice = async (): Promise<Office> => {
  const license = await world.license({ ann: { permission: 'owner' }, ben: {}, lea: {} })
  return { license, ann: await license.login('ann'), ben: await license.login('ben') }
}

let shared: Office
beforeAll(async () => {
  shared = await openOffice()
})

const startChat = async (): Promise<string> => {
  const { chat } = await shared.ann.ok('start_chat', { initial_events: [message('first')] })
  return chat.id
}

interface Case {
  operation: string
  prepare?(ann: Client, chat: string): Promise<unknown>
  /** Sends the request and checks its answer. */
  run(ann: Client, chat: string): Promise<unknown>
  /** What the log then holds behind its first entry. */
  log: string[]
  pushes: string[]
}

const close = (ann: Client, chat_id: string) => ann.ok('close_thread', { chat_id })
const ben = (chat_id: string) => ({ chat_id, agent_ids: ['ben'] })

const writes: Record<string, Case> = {
  send_event: {
    operation: 'PutItem',
    run: async (ann, chat_id) => {
      const answer = await ann.ok('send_event', { chat_id, event: message('hello') })
      expect(answer.event).toMatchObject({ id: `${chat_id}_1_2`, order: 2, text: 'hello' })
    },
    log: ['1.2 hello'],
    pushes: ['incoming_event'],
  },
  'send_event that starts a thread': {
    operation: 'TransactWriteItems',
    prepare: close,
    run: async (ann, chat_id) => {
      const answer = await ann.ok('send_event', { chat_id, event: message('hello') })
      expect(answer).toMatchObject({ thread_id: `${chat_id}_2`, event: { order: 1, text: 'hello' } })
    },
    log: ['1.2 ann archived the chat', '2.0', '2.1 hello'],
    pushes: ['incoming_chat_thread'],
  },
  'send_event of an annotation on a closed thread': {
    operation: 'TransactWriteItems',
    prepare: close,
    run: async (ann, chat_id) => {
      const event = { type: 'annotation', annotation_type: 'rating', text: 'good' }
      const answer = await ann.ok('send_event', { chat_id, event })
      expect(answer).toMatchObject({ thread_id: `${chat_id}_1`, event: { order: 3, text: 'good' } })
    },
    log: ['1.2 ann archived the chat', '1.3 good'],
    pushes: ['incoming_event'],
  },
  close_thread: {
    operation: 'TransactWriteItems',
    run: async (ann, chat_id) => {
      await ann.ok('close_thread', { chat_id })
      expect(await ann.refused('close_thread', { chat_id })).toMatchObject({ type: 'chat_inactive' })
    },
    log: ['1.2 ann archived the chat'],
    pushes: ['incoming_event', 'thread_closed'],
  },
  join_chat: {
    operation: 'TransactWriteItems',
    run: (ann, chat_id) => ann.ok('join_chat', ben(chat_id)),
    log: ['1.2 ben joined the chat'],
    pushes: ['incoming_event', 'chat_users_updated'],
  },
  'join_chat where no thread is active': {
    operation: 'TransactWriteItems',
    prepare: close,
    run: async (ann, chat_id) => {
      await ann.ok('join_chat', ben(chat_id))
      const { chat } = await ann.ok('get_chat_threads', { chat_id })
      expect(chat.users).toContainEqual(expect.objectContaining({ id: 'ben', present: true }))
    },
    log: ['1.2 ann archived the chat'],
    pushes: ['chat_users_updated'],
  },
  remove_from_chat: {
    operation: 'TransactWriteItems',
    prepare: (ann, chat_id) => ann.ok('join_chat', ben(chat_id)),
    run: (ann, chat_id) => ann.ok('remove_from_chat', ben(chat_id)),
    log: ['1.2 ben joined the chat', '1.3 ben left the chat'],
    pushes: ['incoming_event', 'chat_users_updated'],
  },
}

describe.each(Object.entries(writes))('%s', (_, { operation, prepare, run, log, pushes }) => {
  const faults = operation === 'PutItem' ? put : transaction
  test.concurrent.each(Object.entries(faults))(
    'writes once and answers rightly through %s',
    async (_, fault) => {
      const { ann, ben } = shared
      const chat = await startChat()
      await prepare?.(ann, chat)
      const before = await told(ben, chat)
      const spoilt = spoil(chat, operation, fault, timesOf(fault))
      await run(ann, chat)
      expect(spoilt()).toBe(timesOf(fault))
      expect(await textsOf(chat)).toEqual(['1.0', '1.1 first', ...log])
      for (const client of [ann, ben]) expect(await told(client, chat)).toEqual([...before, ...pushes])
    },
  )
})

describe('start_chat', () => {
  test.concurrent.each(Object.entries(transaction))(
    'starts one chat and answers it through %s',
    async (_, fault) => {
      const { license, ann, ben } = await openOffice()
      const spoilt = spoil(license.id, 'TransactWriteItems', fault, timesOf(fault))
      const { chat } = await ann.ok('start_chat', { initial_events: [message('first')] })
      expect(spoilt()).toBe(timesOf(fault))
      expect((await readActiveChats(world.table.read, license.id)).map(({ id }) => id)).toEqual([chat.id])
      expect(await textsOf(chat.id)).toEqual(['1.0', '1.1 first'])
      for (const client of [ann, ben]) expect(await told(client, chat.id)).toEqual(['incoming_chat_thread'])
    },
  )
})

describe('login', () => {
  test.concurrent.each(Object.entries(transaction))('comes online once through %s', async (_, fault) => {
    const { license, ben } = await openOffice()
    await ben.caughtUp()
    ben.presence.splice(0)
    const lea = await world.open()
    const token = await license.token('lea')
    const spoilt = spoil(license.id, 'TransactWriteItems', fault, timesOf(fault))
    const answer = await lea.ok('login', { token })
    expect(spoilt()).toBe(timesOf(fault))
    expect(answer.my_profile.routing_status).toBe('accepting_chats')
    await ben.caughtUp()
    expect(ben.presence.map(({ payload }) => payload)).toEqual([
      { agent_id: 'lea', routing_status: 'accepting_chats' },
    ])
    expect(await readAgentSockets(world.table.read, license.id, 'lea')).toHaveLength(1)
    expect(await findAgent(world.table, license.id, 'lea')).toMatchObject({ online: true, seq: 1 })
  })
})

describe('reads', () => {
  const failing = [
    'an InternalServerError',
    'a connection that breaks',
    'ProvisionedThroughputExceededException',
  ]
  const reads = ['GetItem', 'Query'].flatMap((operation) => failing.map((name) => [operation, name] as const))
  test.concurrent.each(reads)('by %s are repeated through %s', async (operation, name) => {
    const fault = anywhere[name]!
    const chat_id = await startChat()
    const spoilt = spoil(chat_id, operation, fault, timesOf(fault))
    await shared.ann.ok('send_event', { chat_id, event: message('hello') })
    expect(spoilt()).toBe(timesOf(fault))
    expect(await textsOf(chat_id)).toEqual(['1.0', '1.1 first', '1.2 hello'])
    expect(await told(shared.ben, chat_id)).toEqual(['incoming_chat_thread', 'incoming_event'])
  })
})

test('a login over connections that all turn out dead shows every chat', async () => {
  const license = await world.license({ ann: {}, ben: {} })
  const ann = await license.login('ann')
  const chats: string[] = []
  for (let i = 0; i < 50; i += 1) chats.push((await ann.ok('start_chat')).chat.id)
  // more broken connections than the SDK has retries for
  let broken = 0
  for (const chat of chats) {
    let met = 0
    spoilers.set(chat, (operation) => {
      if (operation !== 'Query' || met === 3) return undefined
      met += 1
      broken += 1
      return anywhere['a connection that breaks']
    })
  }
  const client = await world.open()
  const { chats_summary } = await client.ok('login', { token: await license.token('ben') })
  for (const chat of chats) spoilers.delete(chat)
  expect(broken).toBeGreaterThan(100)
  expect(chats_summary.map(({ id }: any) => id).toSorted()).toEqual(chats.toSorted())
})

describe('a table that is throttled for longer than the SDK tries', () => {
  test.concurrent.each(throttled)('takes the event in the end through %s', async (name) => {
    const chat_id = await startChat()
    const spoilt = spoil(chat_id, 'PutItem', { errorType: name }, 5)
    const { event } = await shared.ann.ok('send_event', { chat_id, event: message('hello') })
    expect(spoilt()).toBe(5)
    expect(event.order).toBe(2)
    expect(await textsOf(chat_id)).toEqual(['1.0', '1.1 first', '1.2 hello'])
    expect(await told(shared.ben, chat_id)).toEqual(['incoming_chat_thread', 'incoming_event'])
  })

  test.concurrent('takes an event once that was placed by an attempt which seemed to fail', async () => {
    const chat_id = await startChat()
    let puts = 0
    spoilers.set(chat_id, (operation) => {
      if (operation !== 'PutItem') return undefined
      puts += 1
      // placed by the first attempt of the SDK, which then meets a throttled table until it gives up
      return puts === 1 ? { reset: true, afterWrite: true } : { errorType: 'ThrottlingException' }
    })
    const { event } = await shared.ann.ok('send_event', { chat_id, event: message('hello') })
    expect(puts).toBeGreaterThan(1)
    expect(event).toMatchObject({ order: 2, text: 'hello' })
    expect(await textsOf(chat_id)).toEqual(['1.0', '1.1 first', '1.2 hello'])
    expect(await told(shared.ben, chat_id)).toEqual(['incoming_chat_thread', 'incoming_event'])
  })
})

describe('a write of the workers that meets a transaction on the same item', () => {
  test.concurrent('still brings a session up to date with its account', async () => {
    const { license } = await openOffice()
    const lea = await license.login('lea')
    await world.settled()
    // the agent itself is written by one, too
    const conflict = cancelled('TransactionConflict', 'None', 'None')
    await changeAgent(world.table, license.id, 'lea', { permission: 'administrator' })
    const spoilt = spoil(license.id, 'TransactWriteItems', conflict, 3)
    await world.settled()
    expect(spoilt()).toBe(3)
    const rows = await readAgentSockets(world.table.read, license.id, 'lea')
    expect(rows.map(({ permission }) => permission)).toEqual(['administrator'])
    for (const { connection } of rows)
      expect((await readSocket(world.table.read, connection, Date.now()))?.session).toMatchObject({
        permission: 'administrator',
      })
    await lea.receivesNothing()
  })

  test.concurrent('still takes an agent offline', async () => {
    const { license, ben } = await openOffice()
    await (await license.login('lea')).close()
    await world.settled()
    await ben.caughtUp()
    ben.presence.splice(0)
    const spoilt = spoil(license.id, 'UpdateItem', { errorType: 'TransactionConflictException' }, 3)
    await world.queue.flush()
    expect(spoilt()).toBe(3)
    await ben.eventually('agent_updated', ({ routing_status }) => routing_status === 'offline')
    expect(await findAgent(world.table, license.id, 'lea')).toMatchObject({ online: false })
  })
})
