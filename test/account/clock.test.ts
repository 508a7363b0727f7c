import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { inTurn } from '../../functions/worker/clock.ts'
import { type Key, keys } from '../../shared/table/keys.ts'
import type { Op } from '../../shared/table/ops.ts'
import { readAgentSockets, readAudienceList } from '../../shared/table/socket-lists.ts'
import { rowKeys } from '../../shared/table/sockets.ts'
import { startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterEach(() => {
  vi.useRealTimers()
  world.proxy.setFault(undefined)
})

const sideBySide = 16
const secondsPass = (seconds: number) =>
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 })

/** So that only the clock is at work then: whatever the logins put off is done. */
const allIsQuiet = async (): Promise<void> => {
  await world.settled()
  await world.queue.flush()
  await world.settled()
}
/** Holds the calls that fit; each stays under way until it is let go. */
const hold = (fits: (operation: string, request: string) => boolean) => {
  const held: (() => void)[] = []
  let [let_go, most] = [0, 0]
  world.proxy.setFault(async ({ operation, request }) => {
    if (!fits(operation, JSON.stringify(request))) return undefined
    const released = Promise.withResolvers<void>()
    held.push(released.resolve)
    most = Math.max(most, held.length - let_go)
    await released.promise
    return undefined
  })
  return {
    /** Resolves once `count` have come in all. */
    came: (count: number) =>
      vi.waitFor(() => expect(held.length).toBeGreaterThanOrEqual(count), { interval: 1, timeout: 60_000 }),
    letGo: () => held[let_go++]?.(),
    all: () => held.length,
    most: () => most,
  }
}
/**
 * Lets one call after the other go, so that any that do not wait for their turn have come long before the
 * last.
 */
const oneByOne = async (calls: ReturnType<typeof hold>, count: number) => {
  for (let gone = 0; gone < count; gone += 1) {
    await calls.came(Math.min(count, gone + sideBySide))
    calls.letGo()
  }
}

describe('a run of the clock', () => {
  test(
    'ends no more than 16 connections side by side, however many of one license are due',
    { tags: ['full'] },
    async () => {
      const license = await world.license({ ann: {}, ben: {} })
      const clients = []
      for (let i = 0; i < 20; i += 1)
        clients.push(await license.login(i % 2 === 0 ? 'ann' : 'ben', {}, { expiresInS: 60 }))
      await allIsQuiet()
      secondsPass(61)
      const seen = new Set<string>()
      // the first read of each connection
      const reads = hold((operation, request) => {
        const [, connection] = /SOCKET#([^"#]+)"/.exec(request) ?? []
        if (operation !== 'GetItem' || connection === undefined || seen.has(connection)) return false
        seen.add(connection)
        return true
      })
      const run = world.tick()
      await oneByOne(reads, clients.length)
      await run
      expect(reads.most()).toBe(sideBySide)
      for (const client of clients) {
        expect(await client.next('agent_disconnected')).toEqual({ reason: 'access_token_expired' })
        await client.closing()
      }
      expect(await readAgentSockets(world.table.read, license.id)).toEqual([])
    },
  )

  test(
    'reads no more than 16 licenses side by side, and ends what is due in any',
    { tags: ['full'] },
    async () => {
      const licenses = await Promise.all(Array.from({ length: 18 }, () => world.license({ ann: {} })))
      const clients = await Promise.all(licenses.map((one) => one.login('ann', {}, { expiresInS: 60 })))
      await allIsQuiet()
      secondsPass(61)
      const unread = new Set(licenses.map(({ id }) => `LICENSE#${id}#SOCKETS`))
      const reads = hold((operation, request) => {
        const list = operation === 'Query' && [...unread].find((pk) => request.includes(`"${pk}"`))
        return list !== false && list !== undefined && unread.delete(list)
      })
      const run = world.tick()
      await oneByOne(reads, licenses.length)
      await run
      expect(reads.most()).toBe(sideBySide)
      for (const client of clients) await client.closing()
    },
  )

  test('goes on where one connection cannot be ended, and fails in the end', async () => {
    const license = await world.license({ ann: {}, ben: {} })
    const [ann, ben] = [
      await license.login('ann', {}, { expiresInS: 60 }),
      await license.login('ben', {}, { expiresInS: 60 }),
    ]
    const [row] = await readAgentSockets(world.table.read, license.id, 'ann')
    secondsPass(61)
    world.proxy.setFault(({ operation, request }) =>
      operation === 'GetItem' && JSON.stringify(request).includes(`SOCKET#${row!.connection}"`)
        ? { errorType: 'ValidationException' }
        : undefined,
    )
    await expect(world.tick()).rejects.toThrow('Licenses not swept')
    await ben.closing()
    world.proxy.setFault(undefined)
    await world.tick()
    await ann.closing()
  })

  test('has 50 s of the 60 of its Lambda, after which its calls are aborted', async () => {
    const license = await world.license({ ann: {} })
    // the others' deadlines would pass too
    await allIsQuiet()
    const reads = hold((operation, request) => operation === 'Query' && request.includes(`#${license.id}#`))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    let outcome: unknown
    const run = world.tick().then(
      () => (outcome = 'done'),
      (error: unknown) => (outcome = error),
    )
    while (reads.all() === 0) await new Promise(setImmediate)
    await vi.advanceTimersByTimeAsync(49_000)
    expect(outcome).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1000)
    await run
    // as Lambda logs it: an error leaves a function with nothing but what the log may hold
    expect(outcome).toMatchObject({ name: 'ProtocolError', message: 'ProtocolError: request_timeout' })
    reads.letGo()
  })
})

describe('where a run begins', () => {
  const at = (minute: number) =>
    inTurn(
      Array.from({ length: 1000 }, (_, i) => i),
      minute * 60_000,
    )

  test('it comes to each license once', () => {
    for (const minute of [0, 1, 29_737_000])
      expect(at(minute).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
    expect(inTurn([], 60_000)).toEqual([])
    expect(inTurn(['one'], 29_737_001 * 60_000)).toEqual(['one'])
  })

  test('runs that come to a tenth of the licenses only have come to each within 16 minutes', () => {
    for (const first of [0, 7, 29_737_000, 29_737_123]) {
      const reached = new Set<number>()
      for (let minute = first; minute < first + 16; minute += 1)
        for (const license of at(minute).slice(0, 100)) reached.add(license)
      expect(reached.size).toBe(1000)
    }
  })

  test('it is the same within a minute', () => {
    expect(inTurn([1, 2, 3], 60_000)).toEqual(inTurn([1, 2, 3], 119_999))
  })
})

describe('the rows of a connection in the lists of audiences', () => {
  const listed = async (license: string) =>
    (await readAudienceList(world.table.read, license, 'OPEN')).map(({ connection }) => connection)
  test('are written by the next run for a session of a version that had no such lists', async () => {
    const license = await world.license({ ben: { groups: [1] } }, { groups: ['one'] })
    await license.login('ben')
    await allIsQuiet()
    const [row] = await readAgentSockets(world.table.read, license.id, 'ben')
    const { connection } = row!
    const [own, ...others] = rowKeys(row!, connection)
    expect(others).toHaveLength(2)
    const asBefore = (key: Key): Op => ({
      Update: {
        Key: key,
        UpdateExpression: 'REMOVE places',
        ConditionExpression: 'attribute_exists(pk)',
      },
    })
    await world.table.write.write(asBefore(own!))
    await world.table.write.write({
      Update: {
        Key: keys.socket(connection),
        UpdateExpression: 'REMOVE #session.places',
        ConditionExpression: 'attribute_exists(pk)',
        ExpressionAttributeNames: { '#session': 'session' },
      },
    })
    for (const Key of others) await world.table.write.write({ Delete: { Key } })
    expect(await listed(license.id)).toEqual([])
    await world.tick(Date.now())
    expect(await listed(license.id)).toEqual([connection])
    const [now] = await readAgentSockets(world.table.read, license.id, 'ben')
    expect(now).toEqual(row)
  })

  test('go within ten minutes where they were left behind', async () => {
    const license = await world.license({ ann: {} })
    await license.login('ann')
    const [row] = await readAgentSockets(world.table.read, license.id, 'ann')
    const stray = { ...row!, connection: 'gone=' }
    const [, key] = rowKeys(stray, stray.connection)
    await world.table.write.write({ Put: { Item: { ...key!, ...stray } } })
    for (let minute = 0; minute < 10; minute += 1) await world.tick(Date.now() + minute * 60_000)
    expect(await listed(license.id)).toEqual([row!.connection])
  })
})
