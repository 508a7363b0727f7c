import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { findAgent } from '../../infra/admin/change-agent.ts'
import { readActiveChats } from '../../shared/table/chats.ts'
import { chatPk, logPrefix } from '../../shared/table/keys.ts'
import { readAgentSockets } from '../../shared/table/sockets.ts'
import type { Client } from '../support/client.ts'
import type { Fault } from '../support/engine-proxy.ts'
import { type License, startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterEach(() => world.proxy.setFault(undefined))

/** Spoils the next calls of this operation, and tells how many it has spoilt. */
const spoil = (operation: string, fault: Fault, times: number) => {
  let spoilt = 0
  world.proxy.setFault((call) => {
    if (call.operation !== operation || spoilt === times) return undefined
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
  ThrottlingException: { errorType: 'ThrottlingException' },
  RequestLimitExceeded: { errorType: 'RequestLimitExceeded' },
}
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

const message = (text: string) => ({ type: 'message', text })
const textsOf = async (chat: string): Promise<string[]> => {
  const log = await world.table.read.query({ pk: chatPk(chat), prefix: logPrefix, strong: true })
  return log.flatMap(({ sk, event }: any) => [
    `${Number(sk.split('#')[1])}.${Number(sk.split('#')[2])}${event === undefined ? '' : ` ${event.text}`}`,
  ])
}
const told = async (client: Client) => (await client.received()).map(({ action }) => action)

let license: License
let ann: Client
let ben: Client
beforeEach(async () => {
  license = await world.license({ ann: { permission: 'owner' }, ben: {}, lea: {} })
  ;[ann, ben] = [await license.login('ann'), await license.login('ben')]
})

const startChat = async (): Promise<string> => {
  const { chat } = await ann.ok('start_chat', { initial_events: [message('first')] })
  await told(ann)
  await told(ben)
  return chat.id
}

interface Case {
  prepare?(chat: string): Promise<unknown>
  /** Sends the request and checks its answer; resolves to what the log holds behind its first entry. */
  run(chat: string): Promise<string[]>
  pushes: string[]
}

const writes: Record<string, Case & { operation: string }> = {
  send_event: {
    operation: 'PutItem',
    run: async (chat_id) => {
      const answer = await ann.ok('send_event', { chat_id, event: message('hello') })
      expect(answer.event).toMatchObject({ id: `${chat_id}_1_2`, order: 2, text: 'hello' })
      return ['1.2 hello']
    },
    pushes: ['incoming_event'],
  },
  'send_event that starts a thread': {
    operation: 'TransactWriteItems',
    prepare: (chat_id) => ann.ok('close_thread', { chat_id }),
    run: async (chat_id) => {
      const answer = await ann.ok('send_event', { chat_id, event: message('hello') })
      expect(answer).toMatchObject({ thread_id: `${chat_id}_2`, event: { order: 1, text: 'hello' } })
      return ['1.2 ann archived the chat', '2.0', '2.1 hello']
    },
    pushes: ['incoming_chat_thread'],
  },
  'send_event of an annotation on a closed thread': {
    operation: 'TransactWriteItems',
    prepare: (chat_id) => ann.ok('close_thread', { chat_id }),
    run: async (chat_id) => {
      const event = { type: 'annotation', annotation_type: 'rating', text: 'good' }
      const answer = await ann.ok('send_event', { chat_id, event })
      expect(answer).toMatchObject({ thread_id: `${chat_id}_1`, event: { order: 3, text: 'good' } })
      return ['1.2 ann archived the chat', '1.3 good']
    },
    pushes: ['incoming_event'],
  },
  close_thread: {
    operation: 'TransactWriteItems',
    run: async (chat_id) => {
      await ann.ok('close_thread', { chat_id })
      expect(await readActiveChats(world.table.read, license.id)).toEqual([])
      return ['1.2 ann archived the chat']
    },
    pushes: ['incoming_event', 'thread_closed'],
  },
  join_chat: {
    operation: 'TransactWriteItems',
    run: async (chat_id) => {
      await ann.ok('join_chat', { chat_id, agent_ids: ['ben'] })
      return ['1.2 ben joined the chat']
    },
    pushes: ['incoming_event', 'chat_users_updated'],
  },
  'join_chat where no thread is active': {
    operation: 'TransactWriteItems',
    prepare: (chat_id) => ann.ok('close_thread', { chat_id }),
    run: async (chat_id) => {
      await ann.ok('join_chat', { chat_id, agent_ids: ['ben'] })
      const { chat } = await ann.ok('get_chat_threads', { chat_id })
      expect(chat.users).toContainEqual(expect.objectContaining({ id: 'ben', present: true }))
      return ['1.2 ann archived the chat']
    },
    pushes: ['chat_users_updated'],
  },
  remove_from_chat: {
    operation: 'TransactWriteItems',
    prepare: (chat_id) => ann.ok('join_chat', { chat_id, agent_ids: ['ben'] }),
    run: async (chat_id) => {
      await ann.ok('remove_from_chat', { chat_id, agent_ids: ['ben'] })
      return ['1.2 ben joined the chat', '1.3 ben left the chat']
    },
    pushes: ['incoming_event', 'chat_users_updated'],
  },
}

describe.each(Object.entries(writes))('%s', (_, { operation, prepare, run, pushes }) => {
  const faults = operation === 'PutItem' ? put : transaction
  test.each(Object.entries(faults))('writes once and answers rightly through %s', async (_, fault) => {
    for (const times of [1, 2]) {
      const chat = await startChat()
      await prepare?.(chat)
      await told(ann)
      await told(ben)
      const spoilt = spoil(operation, fault, times)
      const log = await run(chat)
      expect(spoilt()).toBe(times)
      expect(await textsOf(chat)).toEqual(['1.0', '1.1 first', ...log])
      expect(await told(ann)).toEqual(pushes)
      expect(await told(ben)).toEqual(pushes)
      world.proxy.setFault(undefined)
      if ((await readActiveChats(world.table.read, license.id)).length > 0)
        await ann.ok('close_thread', { chat_id: chat })
    }
  })
})

describe('start_chat', () => {
  test.each(Object.entries(transaction))('starts one chat and answers it through %s', async (_, fault) => {
    const spoilt = spoil('TransactWriteItems', fault, 1)
    const { chat } = await ann.ok('start_chat', { initial_events: [message('first')] })
    expect(spoilt()).toBe(1)
    expect((await readActiveChats(world.table.read, license.id)).map(({ id }) => id)).toEqual([chat.id])
    expect(await textsOf(chat.id)).toEqual(['1.0', '1.1 first'])
    expect(await told(ben)).toEqual(['incoming_chat_thread'])
    expect(await told(ann)).toEqual(['incoming_chat_thread'])
  })
})

describe('login', () => {
  test.each(Object.entries(transaction))('comes online once through %s', async (_, fault) => {
    await ben.caughtUp()
    ben.presence.splice(0)
    const lea = await world.open()
    const token = await license.token('lea')
    const spoilt = spoil('TransactWriteItems', fault, 1)
    const answer = await lea.ok('login', { token })
    expect(spoilt()).toBe(1)
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
  test.each(failing)('are repeated through %s', async (name) => {
    const chat_id = await startChat()
    for (const operation of ['GetItem', 'Query']) {
      const spoilt = spoil(operation, anywhere[name]!, 2)
      await ann.ok('send_event', { chat_id, event: message(operation) })
      expect(spoilt()).toBe(2)
    }
    expect(await textsOf(chat_id)).toEqual(['1.0', '1.1 first', '1.2 GetItem', '1.3 Query'])
    expect(await told(ben)).toEqual(['incoming_event', 'incoming_event'])
  })
})

describe('a table that is throttled for longer than the SDK tries', () => {
  const throttled = ['ProvisionedThroughputExceededException', 'ThrottlingException', 'RequestLimitExceeded']
  test.each(throttled)('takes the event in the end through %s', async (name) => {
    const chat_id = await startChat()
    const spoilt = spoil('PutItem', anywhere[name]!, 8)
    const { event } = await ann.ok('send_event', { chat_id, event: message('hello') })
    expect(spoilt()).toBe(8)
    expect(event.order).toBe(2)
    expect(await textsOf(chat_id)).toEqual(['1.0', '1.1 first', '1.2 hello'])
    expect(await told(ben)).toEqual(['incoming_event'])
  })
})
