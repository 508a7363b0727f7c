import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Faults } from '../../infra/local/gateway/settings.ts'
import { pushed } from '../../shared/protocol/envelope.ts'
import { connections } from '../../shared/access/audience.ts'
import { retryPush } from '../../shared/delivery/retry-push.ts'
import { deliver } from '../../shared/delivery/deliver.ts'
import { targetOf } from '../../shared/delivery/deferred-push.ts'
import type { Job } from '../../shared/jobs/job-queue.ts'
import { runWork } from '../../shared/delivery/worker-context.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import type { Client } from '../support/client.ts'
import { crowd } from '../support/crowd.ts'
import { type License, startWorld, useSettings, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
  useSettings(world)
})
afterEach(() => world.gateway.setFaults({}))

const post = (fault: NonNullable<Faults['post']>) => world.gateway.setFaults({ post: fault })
const frame = (text: string) => pushed('thread_closed', { chat_id: 'c', thread_id: text })
const frames = (count: number) => Array.from({ length: count }, (_, n) => frame(`${n}`))
const rows = ({ id }: License) => readAgentSockets(world.table.read, id)

const send = async (license: License, frames: readonly string[], postingMs = 1000): Promise<void> =>
  deliver({
    rows: await rows(license),
    pushes: frames.map((frame) => ({ to: () => true, frame })),
    write: world.table.write,
    signal: new AbortController().signal,
    postingMs,
    nowMs: Date.now(),
  })

const isSlow = async (license: License) =>
  (await rows(license)).map(({ slow_until }) => slow_until !== undefined)
/** What a client has got of these frames, each once, in the order of its first arrival. */
const got = async (client: Client): Promise<string[]> => {
  await client.caughtUp()
  return [...new Set(client.frames.filter((frame) => frame.includes('thread_closed')))]
}

describe('one connection with many pushes', () => {
  test(
    'is not slow where each takes its time but gets through; the rest comes later',
    { tags: ['full'] },
    async () => {
      const license = await world.license({ ann: {} })
      const ann = await license.login('ann')
      post(() => ({ delayMs: 60 }))
      const sent = frames(30)
      await send(license, sent)
      expect(await isSlow(license)).toEqual([false])
      const first = await got(ann)
      expect(first.length).toBeLessThan(30)
      expect(first).toEqual(sent.slice(0, first.length))
      world.gateway.setFaults({})
      await world.queue.flush()
      expect((await got(ann)).toSorted()).toEqual(sent.toSorted())
    },
  )

  test('is slow where nothing gets through in the whole second', { tags: ['full'] }, async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    post(() => ({ hang: true }))
    await send(license, frames(3))
    expect(await isSlow(license)).toEqual([true])
    world.gateway.setFaults({})
    await world.queue.flush()
    expect(await got(ann)).toEqual(frames(3))
  })

  test('that hangs when there is no time left is not slow, and gets them later', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    post(() => ({ hang: true }))
    for (const postingMs of [-500, 0, 200]) await send(license, [frame(`${postingMs}`)], postingMs)
    expect(await isSlow(license)).toEqual([false])
    world.gateway.setFaults({})
    await world.queue.flush()
    expect((await got(ann)).toSorted()).toEqual([-500, 0, 200].map((ms) => frame(`${ms}`)).toSorted())
  })

  test(
    'that hangs while the time of the work runs out gets them later: there is time to put them off',
    { tags: ['full'] },
    async () => {
      const license = await world.license({ ann: {} })
      const ann = await license.login('ann')
      post(() => ({ hang: true }))
      const to = connections(
        license.id,
        'ann',
        (await rows(license)).map(({ connection }) => connection),
      )
      const payload = { chat_id: 'c', thread_id: 'late' }
      await runWork(async ({ push }) => push(to, 'thread_closed', payload), { deadlineMs: 1500 })
      world.gateway.setFaults({})
      await world.queue.flush()
      expect(await got(ann)).toEqual([pushed('thread_closed', payload)])
    },
  )

  test(
    'is slow where one push is open for a second, whatever got through before',
    { tags: ['full'] },
    async () => {
      const license = await world.license({ ann: {} })
      const ann = await license.login('ann')
      post(({ body }) => (String(body) === frame('1') ? { hang: true } : undefined))
      await send(license, frames(3), 1500)
      expect(await isSlow(license)).toEqual([true])
      expect(await got(ann)).toEqual([frame('0')])
      world.gateway.setFaults({})
      await world.queue.flush()
      expect(await got(ann)).toEqual(frames(3))
    },
  )

  test(
    'gets from a worker, which no client waits for, at once what takes over a second',
    { tags: ['full'] },
    async () => {
      const license = await world.license({ ann: {} })
      const ann = await license.login('ann')
      await world.settled()
      await world.queue.flush()
      const [row] = await rows(license)
      post(() => ({ delayMs: 60 }))
      await runWork(async (ctx) => {
        for (let n = 0; n < 25; n += 1)
          ctx.push(connections(license.id, 'ann', [row!.connection]), 'thread_closed', {
            chat_id: 'c',
            thread_id: `${n}`,
          })
      })
      expect(await got(ann)).toEqual(frames(25))
      expect(world.queue.pending()).toBe(0)
      expect(await isSlow(license)).toEqual([false])
    },
  )
})

describe('what does not get through', () => {
  test(
    'comes later however large it is in all, to each connection what it missed',
    { tags: ['full'] },
    async () => {
      const license = await world.license({ ann: {}, ben: {} })
      const [ann, ben] = [await license.login('ann'), await license.login('ben')]
      // 1.4 MB as they are, more in the queue's JSON: SQS takes 1 MiB
      const sent = Array.from({ length: 24 }, (_, n) => frame(`${n} `.padEnd(25_000, '"\uffff')))
      post(() => ({ status: 429, errorType: 'LimitExceededException' }))
      await send(license, sent)
      expect(await isSlow(license)).toEqual([false, false])
      world.gateway.setFaults({})
      await world.queue.flush()
      for (const client of [ann, ben]) expect((await got(client)).toSorted()).toEqual(sent.toSorted())
      expect(world.queue.deadLetters()).toEqual([])
    },
  )
})

describe('many connections', () => {
  const hanging = async (count: number) => {
    const license = await world.license({ ben: {} })
    const { listeners, connections } = await crowd(world, license, 'ben', 40)
    const hung = new Set(connections.slice(0, count))
    post(({ connectionId }) => (hung.has(connectionId) ? { hang: true } : undefined))
    await send(license, [frame('one')])
    world.gateway.setFaults({})
    const slow = (await rows(license)).filter(({ slow_until }) => slow_until !== undefined)
    await world.queue.flush()
    // beside it each may hear how the license's groups stand
    const isTold = ({ frames }: (typeof listeners)[number]) =>
      frames.filter((one) => one === frame('one')).length === 1
    await vi.waitFor(() => expect(listeners.every(isTold)).toBe(true), 60_000)
    return slow.map(({ connection }) => connection).toSorted()
  }

  test('of which some hang: these are slow', async () => {
    const slow = await hanging(15)
    expect(slow).toHaveLength(15)
  })

  test(
    'of which most hang: it is not they who are slow, and all are told later',
    { tags: ['full'] },
    async () => {
      expect(await hanging(25)).toEqual([])
    },
  )
})

describe('pushes that are tried again', () => {
  test(
    'reach those whose turn does not come since too many before them hang',
    { tags: ['full'] },
    async () => {
      const license = await world.license({ ann: {} })
      const { listeners } = await crowd(world, license, 'ann', 300)
      const all = await rows(license)
      // more than there are sockets for, and the last ones of all are well
      const hanging = new Set(all.slice(0, 270).map(({ connection }) => connection))
      post(({ connectionId }) => (hanging.has(connectionId) ? { hang: true } : undefined))
      const jobs: Job[] = []
      const tryAll = (tries: number, targets: readonly { connection: string }[]) =>
        retryPush(
          {
            ...{ read: world.table.read, write: world.table.write, signal: new AbortController().signal },
            now: () => Date.now(),
            enqueue: async (job) => void jobs.push(job),
          },
          {
            job: 'push',
            targets: all
              .filter((row) => targets.some(({ connection }) => connection === row.connection))
              .map(targetOf),
            frames: [frame('again')],
            tries,
          },
        )
      await tryAll(0, all)
      const tried = jobs.splice(0) as Extract<Job, { job: 'push' }>[]
      expect(tried.map(({ tries }) => tries)).toEqual([0, 1])
      expect(tried[1]!.targets.every(({ connection }) => hanging.has(connection))).toBe(true)

      await tryAll(0, tried[0]!.targets)
      const well = () => listeners.filter(({ frames }) => frames.includes(frame('again'))).length
      await expect.poll(well).toBe(30)
      // those who hang are given up in their turn
      await tryAll(1, tried[1]!.targets)
      expect(jobs.map((job) => job.job === 'push' && job.tries)).toEqual([1])
      for (const { socket } of listeners) socket.terminate()
    },
  )
})
