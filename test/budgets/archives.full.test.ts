import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mintToken } from '../../infra/local/secrets/token-key.ts'
import { fillArchive } from '../support/archive.ts'
import type { Client } from '../support/client.ts'
import { audience, issuer, startWorld, type World } from '../support/world.ts'

// Longer than a call takes by itself, so that calls made side by side overlap and the depth counts round
// trips.
const callMs = 400
// some eighty a month: more than a first look reads
const size = 3000
const license = 'archive'

let world: World
const figures: string[] = []
const clients: Record<string, Client> = {}
beforeAll(async () => {
  // three thousand threads are written before the first test
  world = await startWorld({ stream: false })
  await fillArchive(world.table, { license, size, issuer, nowMs: Date.now() })
  for (const agent of ['owner', 'normal']) {
    const subject = `${license}/${agent}`
    const token = await mintToken({ key: world.key, issuer, audience, subject, expiresInS: 3600 })
    const client = await world.open()
    await client.ok('login', { token })
    clients[agent] = client
  }
}, 120_000)
afterAll(() => void process.stdout.write(`\n${figures.join('\n')}\n`))

const costOf = async (agent: string, filters: object, delayMs = callMs) => {
  const release = world.queue.hold()
  world.proxy.setDelay(delayMs)
  const ask = () => clients[agent]!.ok('get_archives', { filters })
  const { result, sequentialDepth: trips, rru } = await world.proxy.record(ask).finally(release)
  world.proxy.setDelay(0)
  figures.push(`get_archives of ${agent} by ${JSON.stringify(filters)}: ${trips} round trips, ${rru} RRU`)
  return { result, trips, rru }
}

describe.each(['owner', 'normal'])('of %s, get_archives', (agent) => {
  test('with a rare word takes four round trips', async () => {
    const { result, trips, rru } = await costOf(agent, { query: 'zeppelin' })
    expect(result.pagination).toEqual({ page: 1, total: 10 })
    expect(result.chats).toHaveLength(10)
    expect(trips).toBeLessThanOrEqual(4)
    expect(rru).toBeLessThanOrEqual(120)
  })

  test('without a filter takes four round trips once months that are over are counted', async () => {
    // how many round trips does not matter yet
    const first = await costOf(agent, {}, 0)
    expect(first.result.pagination).toEqual({ page: 1, total: size })
    await world.queue.flush()
    await world.settled()
    const { result, trips, rru } = await costOf(agent, {})
    expect(result.pagination).toEqual({ page: 1, total: size })
    expect(result.chats).toHaveLength(25)
    expect(trips).toBeLessThanOrEqual(4)
    expect(rru).toBeLessThan(first.rru)
    expect(rru).toBeLessThanOrEqual(250)
  })
})
