import { afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { keys } from '../../shared/table/keys.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import type { Client } from '../support/client.ts'
import { aged } from '../support/crowd.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(() => {
  vi.useRealTimers()
  world.gateway.setFaults({})
  world.proxy.setFault(undefined)
})

const timePasses = async (): Promise<void> => {
  await world.settled()
  await world.queue.flush()
  await world.settled()
}
const opened = async (): Promise<[Client, string]> => {
  const before = world.gateway.connections()
  const client = await world.open()
  const [connection] = world.gateway.connections().filter((id) => !before.includes(id))
  if (connection === undefined) throw new Error('The gateway has no new connection')
  return [client, connection]
}
const loggedIn = async (license: License, agent: string): Promise<[Client, string]> => {
  const [client, connection] = await opened()
  await client.ok('login', { token: await license.token(agent) })
  return [client, connection]
}
const socketOf = (connection: string) => world.table.read.get(keys.socket(connection), { strong: true })
const rowsOf = async (license: License, agent?: string): Promise<string[]> =>
  (await readAgentSockets(world.table.read, license.id, agent)).map(({ connection }) => connection).toSorted()

/** Resolves once the first call that `isIt` says is held, and lets it go on when told. */
const holdCall = (isIt: (operation: string, request: string) => boolean) => {
  const reached = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  let held = false
  world.proxy.setFault(async ({ operation, request }) => {
    if (held || !isIt(operation, JSON.stringify(request))) return undefined
    held = true
    reached.resolve()
    await released.promise
    return undefined
  })
  return { reached: reached.promise, release: released.resolve }
}

describe('a socket', () => {
  test('is kept from $connect on, with a time at which it is forgotten in any case', async () => {
    const [, connection] = await opened()
    const nowS = Date.now() / 1000
    const item = await socketOf(connection)
    expect(item).toMatchObject({ connection, ttl: expect.any(Number) })
    // the gateway closes a connection after two hours; nothing outlives it by much
    expect(item?.['ttl']).toBeGreaterThan(nowS + 2 * 3600)
    expect(item?.['ttl']).toBeLessThan(nowS + 3 * 3600)
    expect(item).not.toHaveProperty('session')
  })

  test('that never logs in is told agent_disconnected_by_server after half a minute and closed', async () => {
    const [client, connection] = await opened()
    await client.ok('ping')
    await client.refused('login', { token: 'x' })
    await timePasses()
    expect(await client.next('agent_disconnected')).toEqual({ reason: 'agent_disconnected_by_server' })
    await client.closing()
    await world.settled()
    expect(await socketOf(connection)).toBeUndefined()
  })

  test('that logged in is left alone by then', async () => {
    const license = await world.license({ ann: {} })
    const [client, connection] = await loggedIn(license, 'ann')
    await timePasses()
    await client.receivesNothing()
    await client.ok('start_chat')
    expect(await socketOf(connection)).toBeDefined()
  })

  test('that is gone by then costs nothing', async () => {
    const [client, connection] = await opened()
    await client.close()
    await timePasses()
    expect(await socketOf(connection)).toBeUndefined()
    expect(world.queue.deadLetters()).toEqual([])
  })

  test('that logs in just before it would be closed stays', async () => {
    const license = await world.license({ ann: {} })
    const [client, connection] = await opened()
    const claim = holdCall(
      (operation, request) => operation === 'UpdateItem' && request.includes('closing_at'),
    )
    const flushed = world.queue.flush()
    await claim.reached
    await client.ok('login', { token: await license.token('ann') })
    claim.release()
    await flushed
    await timePasses()
    await client.receivesNothing()
    await client.ok('start_chat')
    expect(await rowsOf(license)).toEqual([connection])
  })

  test('that logs in while it is being closed is told so by auth, and leaves no row behind', async () => {
    const license = await world.license({ ann: {} })
    const [client, connection] = await opened()
    const token = await license.token('ann')
    const posting = Promise.withResolvers<void>()
    const posted = Promise.withResolvers<void>()
    world.gateway.setFaults({
      post: async () => {
        posting.resolve()
        await posted.promise
        return undefined
      },
      disconnect: () => ({ lose: true }),
    })
    const flushed = world.queue.flush()
    await posting.promise
    expect(await client.refused('login', { token })).toMatchObject({ type: 'auth', code: 401 })
    posted.resolve()
    await flushed
    await client.closing()
    await world.settled()
    expect(await rowsOf(license)).toEqual([])
    expect(await socketOf(connection)).toBeUndefined()
  })

  test('that a transaction is under way on is closed all the same', async () => {
    const [client, connection] = await opened()
    let refused = 0
    world.proxy.setFault(({ operation, request }) => {
      const claims = operation === 'UpdateItem' && JSON.stringify(request).includes('closing_at')
      if (!claims || refused > 1) return undefined
      refused += 1
      return { errorType: 'TransactionConflictException' }
    })
    await timePasses()
    expect(refused).toBe(2)
    expect(await client.next('agent_disconnected')).toEqual({ reason: 'agent_disconnected_by_server' })
    await client.closing()
    expect(await socketOf(connection)).toBeUndefined()
  })

  test('that was closed before its login got through is told so by auth', async () => {
    const license = await world.license({ ann: {} })
    const [client, connection] = await opened()
    const transaction = holdCall((operation) => operation === 'TransactWriteItems')
    const answer = client.call('login', { token: await license.token('ann') })
    await transaction.reached
    await world.disconnect(connection)
    transaction.release()
    expect(await answer).toMatchObject({ success: false, payload: { error: { type: 'auth', code: 401 } } })
    expect(await rowsOf(license)).toEqual([])
    expect(await socketOf(connection)).toBeUndefined()
  })
})

describe('$disconnect', () => {
  test('forgets the socket and its row, and no other', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [first, firstId] = await loggedIn(license, 'ann')
    const [, secondId] = await loggedIn(license, 'ann')
    const [, benId] = await loggedIn(license, 'ben')
    await first.close()
    await world.settled()
    expect(await rowsOf(license)).toEqual([secondId, benId].toSorted())
    expect(await socketOf(firstId)).toBeUndefined()
    for (const id of [secondId, benId]) expect(await socketOf(id)).toBeDefined()
  })

  test('may come late, after the same agent is back on a new connection', async () => {
    const license = await world.license({ ann: {} })
    const [old, oldId] = await loggedIn(license, 'ann')
    world.gateway.setFaults({ disconnect: () => ({ lose: true }) })
    await old.close()
    await world.settled()
    world.gateway.setFaults({})
    const [client, id] = await loggedIn(license, 'ann')
    await world.disconnect(oldId)
    expect(await rowsOf(license)).toEqual([id])
    await client.ok('start_chat')
    await client.next('incoming_chat_thread')
  })

  test('may come twice, and at once', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ben = await license.login('ben')
    const [ann, connection] = await loggedIn(license, 'ann')
    world.gateway.setFaults({ disconnect: () => ({ times: 3 }) })
    await ann.close()
    await world.settled()
    world.gateway.setFaults({})
    await world.disconnect(connection)
    expect(await rowsOf(license, 'ann')).toEqual([])
    await timePasses()
    await ben.caughtUp()
    const heard = ben.presence.filter(({ payload }) => payload.routing_status === 'offline')
    expect(heard).toHaveLength(1)
  })

  test('that meets a login under way on its items goes through all the same', async () => {
    const license = await world.license({ ann: {} })
    const [ann, connection] = await loggedIn(license, 'ann')
    const refused: string[] = []
    world.proxy.setFault(({ operation, request }) => {
      const item = JSON.stringify(request['Key'])
      if (operation !== 'DeleteItem' || refused.includes(item)) return undefined
      refused.push(item)
      return { errorType: 'TransactionConflictException' }
    })
    await ann.close()
    await world.settled()
    // its socket, and its rows in two lists
    expect(refused).toHaveLength(3)
    expect(await rowsOf(license)).toEqual([])
    expect(await socketOf(connection)).toBeUndefined()
  })

  test('of a connection that is not known does nothing', async () => {
    const license = await world.license({ ann: {} })
    const [client, id] = await loggedIn(license, 'ann')
    for (const unknown of ['AAAAAAAAAAAAAAA=', 'never-was', '#'])
      await expect(world.disconnect(unknown)).resolves.toBeUndefined()
    expect(await rowsOf(license)).toEqual([id])
    await client.ok('start_chat')
  })

  test('of a connection that never logged in forgets it', async () => {
    const [client, connection] = await opened()
    expect(await socketOf(connection)).toBeDefined()
    await client.close()
    await world.settled()
    expect(await socketOf(connection)).toBeUndefined()
  })
})

describe('a push to a connection that is gone', () => {
  test('removes the rows of that connection only, and reaches everyone else', async () => {
    const license = await world.license({ ann: {}, ben: {}, cleo: {} })
    const [ann, annId] = await loggedIn(license, 'ann')
    const [, goneId] = await loggedIn(license, 'ben')
    const [ben, benId] = await loggedIn(license, 'ben')
    const [cleo, cleoId] = await loggedIn(license, 'cleo')
    await aged(world, license)
    world.gateway.drop(goneId, { clean: false })
    expect(await rowsOf(license)).toEqual([annId, goneId, benId, cleoId].toSorted())

    const { chat } = await ann.ok('start_chat')
    for (const client of [ann, ben, cleo])
      expect(await client.next('incoming_chat_thread')).toMatchObject({ chat: { id: chat.id } })
    expect(await rowsOf(license)).toEqual([annId, benId, cleoId].toSorted())
    expect(await socketOf(goneId)).toBeUndefined()
    for (const id of [annId, benId, cleoId]) expect(await socketOf(id)).toBeDefined()
    await ben.ok('get_chat_threads', { chat_id: chat.id })
  })

  test('never fails what caused it, even where all are gone', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ids = []
    for (const agent of ['ben', 'ben', 'ben']) ids.push((await loggedIn(license, agent))[1])
    const [ann, annId] = await loggedIn(license, 'ann')
    await aged(world, license)
    for (const id of ids) world.gateway.drop(id, { clean: false })
    const { chat } = await ann.ok('start_chat')
    await ann.ok('send_event', { chat_id: chat.id, event: { type: 'message', text: 'anyone?' } })
    expect(await rowsOf(license)).toEqual([annId])
  })

  test('within two seconds of its beginning is tried again: its gateway may not know it yet', async () => {
    // on a busy machine, too, these are the same two seconds
    vi.useFakeTimers({ toFake: ['Date'] })
    onTestFinished(() => void vi.useRealTimers())
    const license = await world.license({ ann: {}, ben: {} })
    const ann = await license.login('ann')
    const [ben, benId] = await loggedIn(license, 'ben')
    // what the logins set off is posted by then
    await world.settled()
    await world.queue.flush()
    let refused = 0
    world.gateway.setFaults({
      post: ({ connectionId }) =>
        connectionId === benId && (refused += 1) === 1
          ? { status: 410, errorType: 'GoneException' }
          : undefined,
    })
    const { chat } = await ann.ok('start_chat')
    expect(refused).toBe(1)
    expect(await socketOf(benId)).toBeDefined()
    expect(ben.pushes).toEqual([])
    await world.queue.flush()
    expect(await ben.next('incoming_chat_thread')).toMatchObject({ chat: { id: chat.id } })
    // and where it is gone in truth, once that time is over
    world.gateway.setFaults({})
    world.gateway.drop(benId, { clean: false })
    await ann.ok('send_event', { chat_id: chat.id, event: { type: 'message', text: 'ben?' } })
    expect(await rowsOf(license)).toContain(benId)
    await aged(world, license)
    await world.queue.flush()
    expect(await rowsOf(license)).not.toContain(benId)
    expect(await socketOf(benId)).toBeUndefined()
  })
})

describe('what a login may have missed', () => {
  /** ann and a chat that everyone sees; ben is about to log in on `late`. */
  const scene = async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ann = await license.login('ann')
    const { chat } = await ann.ok('start_chat')
    const late = await world.open()
    const login = async () => late.ok('login', { token: await license.token('ben') })
    const send = (text: string) =>
      ann.ok('send_event', { chat_id: chat.id, event: { type: 'message', text } })
    return { license, ann, late, login, send, chat }
  }
  const isEntry = (operation: string, request: string) => operation === 'PutItem' && request.includes('LOG#')
  /** Holds what is about to be written of an event, once it has read who listens. */
  const holdEvent = async <T>(send: () => Promise<T>) => {
    const { length: before } = world.proxy.calls
    const writing = holdCall(isEntry)
    const sent = send()
    await writing.reached
    await vi.waitFor(
      () => {
        // others' jobs may read who listens as well
        const ended = world.proxy.calls.slice(before).filter(({ lambda }) => lambda === 'agent/send_event')
        expect(ended.some(({ request }) => JSON.stringify(request).includes('#SOCKETS'))).toBe(true)
      },
      { interval: 1, timeout: 30_000 },
    )
    return { sent, release: writing.release }
  }

  test('an event written while it ran, of which its socket was not told, is pushed within seconds, once', async () => {
    const { late, login, send, chat } = await scene()
    // the login has begun, and waits to be written
    const starting = holdCall((operation) => operation === 'TransactWriteItems')
    const answer = login()
    await starting.reached
    const { sent, release } = await holdEvent(() => send('between'))
    starting.release()
    const { chats_summary } = await answer
    release()
    const { event } = await sent
    expect(chats_summary).toMatchObject([{ id: chat.id, last_thread_summary: { events_count: 0 } }])
    await late.receivesNothing()

    await timePasses()
    expect(await late.next('incoming_event')).toEqual({ chat_id: chat.id, thread_id: chat.thread.id, event })
    await late.receivesNothing()
    await timePasses()
    await late.receivesNothing()
  })

  test('an event that was under way before it began is pushed as well', async () => {
    const { late, login, send, chat } = await scene()
    const { sent, release } = await holdEvent(() => send('early'))
    const { chats_summary } = await login()
    release()
    const { event } = await sent
    expect(chats_summary).toMatchObject([{ last_thread_summary: { events_count: 0 } }])
    await late.receivesNothing()
    await timePasses()
    expect(await late.next('incoming_event')).toEqual({ chat_id: chat.id, thread_id: chat.thread.id, event })
    await late.receivesNothing()
  })

  test('what its answer has, and what was pushed to it, is not pushed again', async () => {
    const { late, login, send } = await scene()
    await send('before')
    const { chats_summary } = await login()
    expect(chats_summary).toMatchObject([{ last_thread_summary: { events_count: 1 } }])
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 1000 })
    await send('after')
    await late.next('incoming_event')
    await timePasses()
    await late.receivesNothing()
  })

  test('nothing is pushed to one that has lost its access since', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const ann = await license.login('ann')
    const { chat } = await ann.ok('start_chat', { chat: { scopes: { agents: ['ann'] } } })
    await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    const late = await world.open()
    const { sent, release } = await holdEvent(() =>
      ann.ok('send_event', { chat_id: chat.id, event: { type: 'message', text: 'secret' } }),
    )
    await late.ok('login', { token: await license.token('ben') })
    release()
    await sent
    await ann.ok('remove_from_chat', { chat_id: chat.id, agent_ids: ['ben'] })
    await late.next('chat_users_updated')
    await timePasses()
    await late.receivesNothing()
  })
})
