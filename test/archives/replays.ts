import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { marshall } from '@aws-sdk/util-dynamodb'
import type { DynamoDBRecord } from 'aws-lambda'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { matchesPattern } from '../../infra/local/stream/stream-records.ts'
import { indexed } from '../../infra/stack/stream-filters.ts'
import { keys } from '../../shared/table/keys.ts'
import type { Fault } from '../support/engine-proxy.ts'
import type { Client } from '../support/client.ts'
import { startWorld, type World } from '../support/world.ts'
import { chatOf, indexWorker, keyOf, recordStream, type Replay, replay, sequenceOf } from './history.ts'
import { chatOps } from './generated.ts'
import { type ChatModel, indexOf } from './naive.ts'
import { putAll } from './put.ts'
import { type Random, seed, seeded } from './seeded.ts'
import { clientOf, endStream, expectSame, storedIndex } from './stored.ts'
import { writing } from './texts.ts'
import { act, type Walkers } from './walk.ts'

/** A chat with everything in its history that is indexed, and a second thread; resolves to its id. */
const beginChat = async (client: Client): Promise<string> => {
  const message = (text: string) => ({ type: 'message', text })
  const { chat } = await client.ok('start_chat', { initial_events: [message('the order')] })
  const chat_id = chat.id
  await client.ok('update_chat_properties', { chat_id, properties: { order: { score: 1 } } })
  const rated = { thread_id: `${chat_id}_1`, properties: { rating: { score: 2 } } }
  await client.ok('update_chat_thread_properties', { chat_id, ...rated })
  await client.ok('join_chat', { chat_id, agent_ids: ['ben'] })
  await client.ok('close_thread', { chat_id })
  await client.ok('send_event', { chat_id, event: message('my refund') })
  return chat_id
}

/** In another order, but those of each item. */
const reordered = (random: Random, batch: readonly DynamoDBRecord[]): DynamoDBRecord[] => {
  const waiting = [...Map.groupBy(batch, keyOf).values()].map((some) => [...some])
  const order: DynamoDBRecord[] = []
  while (order.length < batch.length) {
    const item = random.one(waiting.filter(({ length }) => length > 0))
    order.push(item.shift()!)
  }
  return order
}

/**
 * `steps`: how many things happen at random behind what is in every history; `full`: all ways that it may
 * come.
 */
export const describeReplays = ({ steps, full }: { steps: number; full: boolean }): void =>
  void describe(`the index's worker over a history of ${steps} actions and more (ARCHIVES_SEED=${seed})`, () => {
    let world: World
    let client: DynamoDBClient
    let license: string
    let records: DynamoDBRecord[]

    beforeAll(async () => {
      world = await startWorld()
      // what is made to fail here is logged
      world.settings['POWERTOOLS_LOG_LEVEL'] = 'SILENT'
      const made = await world.license(
        {
          ann: { permission: 'owner' },
          ben: { permission: 'owner', groups: [1] },
          cleo: { permission: 'owner', groups: [2] },
        },
        { groups: ['A', 'B'] },
      )
      license = made.id
      const random = seeded(seed)
      const write = writing(random, seeded(seed))
      records = await recordStream(world, async () => {
        const agents = []
        for (const id of ['ann', 'ben', 'cleo']) agents.push({ id, client: await made.login(id) })
        const visitors = [await made.visit(), await made.visit()]
        const { client: ann } = agents[0]!
        const chats = [await beginChat(ann), await beginChat(ann), await beginChat(ann)]
        const walkers: Walkers = { agents, visitors, groups: [1, 2], chats }
        for (let i = 0; i < steps; i += 1) await act(random, write, walkers)
      })
      client = clientOf(world)
      await endStream(client, world)
    })
    /** Each test goes by numbers of its own, whichever others run. */
    let random: Random
    beforeEach(() => {
      random = seeded(seed)
    })
    afterEach(() => world.proxy.setFault(undefined))
    afterAll(() => client.destroy())

    const begun = () => replay(world, client, license, records)

    /** The records in batches, each some time after the table has moved on. */
    const inBatches = async (
      { records: all, moveTo }: Replay,
      size: () => number,
      hand: (batch: DynamoDBRecord[], done: number) => Promise<unknown>,
      { lag = 40 }: { lag?: number } = {},
    ): Promise<void> => {
      for (let done = 0; done < all.length;) {
        const end = Math.min(all.length, done + size())
        await moveTo(Math.min(all.length, end + random.below(lag)))
        await hand(all.slice(done, end), done)
        done = end
      }
    }

    test('there are chats with a history, and threads after the first', () => {
      const items = new Set(records.map(keyOf))
      expect(new Set(records.map(chatOf)).size).toBeGreaterThanOrEqual(3)
      expect([...items].filter((key) => /LOG#0*[2-9]#0{8}$/.test(key)).length).toBeGreaterThanOrEqual(3)
    })

    test.runIf(full)('makes it right from records in order', async () => {
      const run = await begun()
      await inBatches(run, () => 1 + random.below(40), run.handle)
      await run.expectRight()
    })

    test.runIf(full)('makes it right from batches of one', async () => {
      const run = await begun()
      await inBatches(run, () => 1, run.handle, { lag: 5 })
      await run.expectRight()
    })

    test('makes it right from batches of a hundred', async () => {
      const run = await begun()
      await inBatches(run, () => 100, run.handle)
      await run.expectRight()
    })

    test.runIf(full)('makes it right where every record comes twice', async () => {
      const run = await begun()
      await inBatches(
        run,
        () => 20,
        (batch) => run.handle(batch.flatMap((record) => [record, record])),
      )
      await run.expectRight()
    })

    test.runIf(full)('makes it right where whole batches come again, also after later ones', async () => {
      const run = await begun()
      await inBatches(
        run,
        () => 30,
        async (batch, done) => {
          await run.handle(batch)
          await run.handle(random.chance(0.5) ? batch : records.slice(Math.max(0, done - 60), done))
        },
      )
      await run.expectRight()
    })

    test('makes it right where records of different items come in any order', async () => {
      const run = await begun()
      for (let done = 0; done < records.length; done += 80) {
        await run.moveTo(Math.min(records.length, done + 80))
        const order = reordered(random, records.slice(done, done + 80))
        for (let i = 0; i < order.length; i += 15) await run.handle(order.slice(i, i + 15))
      }
      await run.expectRight()
    })

    test.runIf(full)(
      'makes it right where all of them come in any order, once the table is as it is in the end',
      async () => {
        const run = await begun()
        await run.moveTo(records.length)
        const order = reordered(random, records)
        for (let i = 0; i < order.length; i += 50) await run.handle(order.slice(i, i + 50))
        await run.expectRight()
      },
    )

    test.runIf(full)('leaves it right where everything comes again from the start', async () => {
      const run = await begun()
      await inBatches(run, () => 60, run.handle)
      await run.expectRight()
      await inBatches(run, () => 100, run.handle)
      await run.expectRight()
    })

    test.runIf(full)(
      'makes it right where two of it are at the same records, and the table moves on meanwhile',
      async () => {
        const run = await begun()
        await Promise.all([
          inBatches(run, () => 7, run.handle),
          inBatches(run, () => 1 + random.below(30), run.handle),
        ])
        await run.expectRight()
      },
    )

    const faults: ((operation: string, request: any) => Fault)[] = [
      () => ({ errorType: 'ProvisionedThroughputExceededException' }),
      () => ({ errorType: 'InternalServerError' }),
      () => ({ errorType: 'InternalServerError', afterWrite: true }),
      () => ({ reset: true }),
      () => ({ reset: true, afterWrite: true }),
      // throttled in part: of a batch
      (operation, { RequestItems }) =>
        operation === 'BatchWriteItem'
          ? { status: 200, body: { UnprocessedItems: RequestItems } }
          : operation === 'BatchGetItem'
            ? { status: 200, body: { Responses: {}, UnprocessedKeys: RequestItems } }
            : { errorType: 'InternalServerError' },
    ]

    test('makes it right where one call in ten goes wrong', async () => {
      const run = await begun()
      // whichever calls come side by side, as many go wrong, in each way and some of them again
      const goesWrong = Array.from({ length: 10_000 }, () => random.chance(0.1))
      let [calls, spoilt] = [0, 0]
      await inBatches(
        run,
        () => 25,
        async (batch) => {
          world.proxy.setFault(({ operation, request }) => {
            calls += 1
            if (!goesWrong[calls % goesWrong.length]) return undefined
            spoilt += 1
            return faults[spoilt % faults.length]!(operation, request)
          })
          await run.handle(batch)
          world.proxy.setFault(undefined)
        },
      )
      expect(spoilt).toBeGreaterThanOrEqual(faults.length)
      await run.expectRight()
    })

    test.runIf(full)(
      'makes it right where runs break down at any call, and two are at the same records',
      async () => {
        const run = await begun()
        let [calls, spoilt, unheard] = [0, 0, 0]
        world.proxy.setFault(({ operation }) => {
          calls += 1
          // what nobody tries again by itself ends a run
          if (calls % 47 > 0) return undefined
          spoilt += 1
          if (operation === 'PutItem') unheard += 1
          // a claim that stands unknown to whoever made it is waited for until its time is up: once is enough
          return { errorType: 'ValidationException', afterWrite: operation !== 'PutItem' || unheard === 3 }
        })
        await Promise.all([inBatches(run, () => 20, run.handle), inBatches(run, () => 35, run.handle)])
        world.proxy.setFault(undefined)
        expect(spoilt).toBeGreaterThan(0)
        await run.expectRight()
      },
    )

    /** The beginning of the histories of three chats, in turn, as the worker gets it. */
    const ofThree = () => {
      const known = records.filter((record) => indexed.some((pattern) => matchesPattern(pattern, record)))
      const [first, second, third] = [...Map.groupBy(known, chatOf)].filter(([, some]) => some.length > 5)
      const batch = [0, 1, 2, 3, 4].flatMap((i) => [first, second, third].map((some) => some![1][i]!))
      return { batch, ids: [first![0], second![0], third![0]] as [string, string, string] }
    }
    const spoil = (...chats: string[]) =>
      world.proxy.setFault(({ request }) => {
        const text = JSON.stringify(request)
        return chats.some((chat) => text.includes(chat)) ? { errorType: 'ValidationException' } : undefined
      })

    test('reports the first record of a chat that fails, and the other chats are done', async () => {
      const run = await begun()
      const work = indexWorker(world)
      const { batch, ids } = ofThree()
      const [one, two, three] = ids
      await run.moveTo(records.length)
      const firstOf = (id: string) => sequenceOf(batch.find((record) => chatOf(record) === id)!)
      const indexedChats = async () => {
        const found = await storedIndex(client, world, license)
        return ids.filter((id) => found.some((key) => key.includes(`#${id}_`)))
      }
      for (const [failing, reported, done] of [
        [[three], three, [one, two]],
        [[two], two, [one, three]],
        [[two, three], two, [one]],
        [[one, two, three], one, []],
      ] as const) {
        await run.empty()
        spoil(...failing)
        expect(await work(batch)).toEqual({ batchItemFailures: [{ itemIdentifier: firstOf(reported) }] })
        expect(await indexedChats()).toEqual(done)
      }
      world.proxy.setFault(undefined)
      expect(await work(batch)).toEqual({ batchItemFailures: [] })
      expect(await indexedChats()).toEqual(ids)
      await run.handle(records)
      await run.expectRight()
    })

    test('lets nothing of a run that failed be written behind what the next run writes', async () => {
      const run = await begun()
      const work = indexWorker(world)
      const id = 'straggler0'
      const properties = {
        many: Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`n${i}`, { value: i }])),
      }
      const event = { type: 'message', author_id: 'ann', text: 'hello' } as const
      const with40 = (is: boolean): ChatModel => ({
        id,
        users: [{ id: 'ann', type: 'agent', present: true, met: true }],
        scopes: { groups: [], agents: [] },
        properties: {},
        active: false,
        threads: [
          {
            n: 1,
            at: 1_790_000_000_000,
            userIds: new Set(['ann']),
            properties: is ? properties : {},
            events: [event],
          },
        ],
      })
      const put = (is: boolean) => putAll(world.table, chatOps(license, with40(is)))
      await put(true)
      const spoken = keys.event(id, 1, 1)
      const image = marshall(await world.table.read.get(spoken), { removeUndefinedValues: true })
      const changed = [keys.chatProperties(id), keys.thread(id, 1), spoken].map(
        ({ pk, sk }, i) =>
          ({
            dynamodb: {
              Keys: { pk: { S: pk }, sk: { S: sk } },
              ...(sk === spoken.sk && { NewImage: image }),
              SequenceNumber: String(i + 1),
            },
          }) as DynamoDBRecord,
      )
      const head = changed[1]!

      expect(await work(changed)).toEqual({ batchItemFailures: [] })
      await put(false)

      // of a first run one write fails while another is under way
      const held = Promise.withResolvers<void>()
      const waits = Promise.withResolvers<void>()
      const released = Promise.withResolvers<void>()
      let [writes, looks] = [0, 0]
      let underWay: unknown
      world.proxy.setFault(async (call) => {
        if (call.operation === 'BatchGetItem' && JSON.stringify(call.request).includes('INDEX#')) looks += 1
        if (looks === 8) waits.resolve()
        if (call.operation !== 'BatchWriteItem') return undefined
        writes += 1
        if (writes === 1) {
          await held.promise
          return { errorType: 'ValidationException' }
        }
        if (writes > 2) return undefined
        underWay = call
        held.resolve()
        await released.promise
        return undefined
      })
      const first = work([head])
      await held.promise
      // as it was before: a second run puts what the first one deletes, or waits for its end
      await put(true)
      const second = work([head])
      await Promise.race([second, waits.promise])
      released.resolve()
      await vi.waitFor(() => expect(world.proxy.calls).toContain(underWay), 10_000)
      await Promise.all([first, second])
      world.proxy.setFault(undefined)
      // had it waited in vain, it would come again
      if ((await second).batchItemFailures.length > 0) await run.handle([head])
      expectSame(await storedIndex(client, world, license), indexOf(license, [with40(true)]))
    })

    test.runIf(full)('does not wait for itself where the last write of a run was throttled', async () => {
      const run = await begun()
      await run.moveTo(records.length)
      let left = 5
      world.proxy.setFault(({ operation, request }) => {
        const text = JSON.stringify(request)
        if (left === 0 || operation !== 'PutItem' || !text.includes('INDEX#') || text.includes('doubtful'))
          return undefined
        left -= 1
        return { errorType: 'ProvisionedThroughputExceededException' }
      })
      // of a chat that has just begun
      expect(await indexWorker(world)(records.slice(0, 1))).toEqual({ batchItemFailures: [] })
      expect(left).toBe(0)
    })
  })
