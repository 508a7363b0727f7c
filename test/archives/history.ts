import type { AttributeValue, DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { unmarshall } from '@aws-sdk/util-dynamodb'
import type { DynamoDBRecord } from 'aws-lambda'
import { expect, inject } from 'vitest'
import { openHandlers } from '../../infra/local/handlers.ts'
import { matchesPattern } from '../../infra/local/stream/stream-records.ts'
import { startStream } from '../../infra/local/stream/streams.ts'
import { indexed } from '../../infra/stack/stream-filters.ts'
import { chatPk, type Key } from '../../shared/table/keys.ts'
import type { Attributes, Op } from '../../shared/table/ops.ts'
import { functionsIn } from '../support/functions.ts'
import type { World } from '../support/world.ts'
import { type ChatModel, indexOf, listsOfChat, listsOfThread, readModels, wordsOf } from './naive.ts'
import { expectSame, scan, storedIndex } from './stored.ts'

/** The records of chats that the table's stream has while `run` runs, with what follows from it. */
export const recordStream = async (world: World, run: () => Promise<void>): Promise<DynamoDBRecord[]> => {
  const records: DynamoDBRecord[] = []
  const stream = await startStream({
    endpoint: world.proxy.endpoint,
    tableName: world.tableName,
    workers: [{ name: 'recorder', handler: async ({ Records }) => void records.push(...Records) }],
  })
  await run()
  await world.settled()
  await stream.settled()
  await stream.stop()
  return records.filter((record) => keyOf(record).startsWith(chatPk('')))
}

const image = (of: Record<string, unknown> | undefined) =>
  of === undefined ? undefined : unmarshall(of as Record<string, AttributeValue>)

/** The key of the record's item, as `<pk> <sk>`. */
export const keyOf = ({ dynamodb }: DynamoDBRecord): string =>
  `${dynamodb?.Keys?.['pk']?.S} ${dynamodb?.Keys?.['sk']?.S}`
export const chatOf = (record: DynamoDBRecord): string =>
  keyOf(record).split(' ')[0]!.slice(chatPk('').length)
export const sequenceOf = ({ dynamodb }: DynamoDBRecord): string => dynamodb!.SequenceNumber!

interface Answer {
  batchItemFailures: { itemIdentifier: string }[]
}
/** The index's worker, as bundled. */
export const indexWorker = ({
  settings,
}: World): ((records: readonly DynamoDBRecord[]) => Promise<Answer>) => {
  const handler = openHandlers(functionsIn(inject('functions'))(settings)).handler('worker/index')
  // a copy, since Lambda's workers never share an event
  return async (records) => (await handler({ Records: structuredClone(records) })) as Answer
}

export interface Replay {
  records: readonly DynamoDBRecord[]
  /** Brings the table to where it was behind the first `count` records; never back. */
  moveTo(count: number): Promise<void>
  /**
   * Hands a batch to the worker, again from what it reports as failed until nothing is; resolves to how
   * often.
   */
  handle(batch: readonly DynamoDBRecord[]): Promise<number>
  /** Makes the index empty, and leaves chats as they are. */
  empty(): Promise<void>
  /** Fails where the index is not what it must be by the table, or anything about it is in doubt. */
  expectRight(): Promise<void>
}

// each may wait for a writer that died
const mostAttempts = 60

/** Begins the history of a license's chats anew: without any of their items, and with an empty index. */
export const replay = async (
  world: World,
  client: DynamoDBClient,
  license: string,
  records: readonly DynamoDBRecord[],
): Promise<Replay> => {
  const { table } = world
  const ofIndex = ({ pk, sk }: Key) =>
    pk.startsWith(`INDEX#${license}#`) || (pk.startsWith(chatPk('')) && /^(INDEX|WORDS)#/.test(sk))
  const remove = async (which: (key: Key) => boolean) => {
    const all = (await scan(client, world, 'pk, sk')).map((key) => unmarshall(key) as Key)
    await table.write.batch(all.filter(which).map((Key): Op => ({ Delete: { Key } })))
  }
  await remove((key) => ofIndex(key) || key.pk.startsWith(chatPk('')))
  const work = indexWorker(world)

  let at = 0
  let moving = Promise.resolve()
  const move = async (to: number) => {
    if (to <= at) return
    const latest = new Map(records.slice(at, to).map((record) => [keyOf(record), record]))
    at = to
    await table.write.batch(
      [...latest.values()].map(({ dynamodb }): Op => {
        const [Key, Item] = [image(dynamodb?.Keys), image(dynamodb?.NewImage)] as (Key & Attributes)[]
        return Item === undefined ? { Delete: { Key: Key! } } : { Put: { Item } }
      }),
    )
  }

  return {
    records,
    moveTo: (count) => (moving = moving.then(() => move(count))),
    handle: async (batch) => {
      let left = batch.filter((record) => indexed.some((pattern) => matchesPattern(pattern, record)))
      for (let attempts = 1; left.length > 0; attempts += 1) {
        expect(attempts).toBeLessThan(mostAttempts)
        const failed = await work(left).then(
          ({ batchItemFailures: [first] }) => first,
          () => ({ itemIdentifier: sequenceOf(left[0]!) }),
        )
        if (failed === undefined) return attempts
        const from = left.findIndex((record) => sequenceOf(record) === failed.itemIdentifier)
        expect(from).toBeGreaterThanOrEqual(0)
        left = left.slice(from)
      }
      return 0
    },
    empty: () => remove(ofIndex),
    expectRight: async () => {
      const chats = await readModels(table.read, license)
      expectSame(await storedIndex(client, world, license), indexOf(license, chats))
      for (const chat of chats) await expectManifests(world, chat)
    },
  }
}

const numberIn = (sk: unknown, part: number): number => Number(String(sk).split('#')[part])

/** What stands beside a chat says of it what stands in the index, and is in no doubt. */
const expectManifests = async ({ table }: World, chat: ChatModel): Promise<void> => {
  const pk = chatPk(chat.id)
  const [manifests, words] = await Promise.all(
    ['INDEX#', 'WORDS#'].map((prefix) => table.read.query({ pk, prefix, strong: true })),
  )
  const last = chat.threads.at(-1)!
  const standing = (n: number, at: number, id: number, lists: string[]) => ({
    ...{ n, at, id: `${chat.id}_${id}`, lists: lists.toSorted() },
  })
  expect(
    manifests!
      .map(({ sk, standing: { at, id, lists }, doubtful }: any) => ({
        ...{ n: numberIn(sk, 1), at, id, lists: lists.toSorted() },
        ...(doubtful === undefined ? {} : { doubtful }),
      }))
      .toSorted((one, other) => one.n - other.n),
  ).toEqual([
    standing(0, last.at, last.n, listsOfChat(chat)),
    ...chat.threads.map((thread) => standing(thread.n, thread.at, thread.n, listsOfThread(chat, thread))),
  ])
  for (const thread of chat.threads) {
    const ofThread = words!.filter(({ sk }) => numberIn(sk, 1) === thread.n)
    expect(ofThread.flatMap((portion: any) => portion.words).toSorted()).toEqual(
      [...wordsOf(thread)].toSorted(),
    )
  }
}
