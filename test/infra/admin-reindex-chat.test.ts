import { describe, expect, test } from 'vitest'
import { changeLicense } from '../../infra/admin/change-license.ts'
import { indexChat } from '../../shared/chat/indexing.ts'
import { type Chat, chatListed, chatStarted } from '../../shared/table/chats.ts'
import { entryPut, headPut, newHead, nextEntry } from '../../shared/table/log.ts'
import type { Op } from '../../shared/table/ops.ts'
import { type License } from '../support/world.ts'
import { reindex, indexOf, wordsOf, booksOf, forgetAll, reindexOne, world } from './reindexing.ts'

describe('admin reindex of a chat', () => {
  /** A chat with as many threads of a message each, of which nothing is indexed. */
  const withThreads = async (
    threads: number,
    text = (n: number) => `thread ${n}`,
  ): Promise<[License, Chat]> => {
    const license = await world.license({ ann: {} })
    const at = Date.now()
    const nonce = 'x'
    const chat: Chat = {
      id: `big${license.id.replaceAll('-', '')}`,
      license_id: license.id,
      users: [{ id: 'ann', type: 'agent', present: true, met: true }],
      scopes: { groups: [], agents: [] },
      version: 1,
      thread: threads,
      active: false,
      changed_at: at,
      started_at: at,
    }
    const logs = Array.from({ length: threads }, (_, i) => {
      const head = newHead({ n: i + 1, nonce, version: 1, at: at + i, userIds: ['ann'] })
      const event = { type: 'message' as const, text: text(i + 1), author_id: 'ann' }
      const entry = nextEntry({ n: head.n, m: 0, last: head }, event, { nonce, version: 1, at: at + i })
      return [headPut(chat.id, head), entryPut(chat.id, entry)]
    })
    await world.table.write.batch(logs.flat().map(unconditional))
    await world.table.write.transact([chatStarted(chat), chatListed(chat)])
    await world.settled()
    await forgetAll(license)
    return [license, chat]
  }
  const unconditional = (op: Op): Op => ('Put' in op ? { Put: { Item: op.Put.Item } } : op)

  test('takes its threads some at a time, however many there are', async () => {
    const [license, chat] = await withThreads(220)
    expect(await reindexOne(chat.id)).toEqual([100, 100, 20])
    const index = await indexOf(license)
    expect(index.filter((posting) => posting.startsWith('T.all#'))).toHaveLength(220)
    expect(index.filter((posting) => posting.startsWith('T.word:thread#'))).toHaveLength(220)
    expect(index.filter((posting) => posting.startsWith('C.all#'))).toEqual([
      expect.stringMatching(new RegExp(`#${chat.id}_220$`)),
    ])
  })

  test('takes fewer of its threads at a time where so many take too long', async () => {
    const [license, chat] = await withThreads(12)
    await reindex(license)
    const index = await indexOf(license)
    await forgetAll(license)
    // as many threads at once as there are manifests asked for in one go
    world.proxy.setFault(({ operation, request }) => {
      const wanted = (request as any).RequestItems?.[world.tableName]?.Keys ?? []
      return operation === 'BatchGetItem' && wanted.length > 5 ? { delayMs: 5000 } : undefined
    })
    expect(await reindexOne(chat.id, 4000)).toEqual([3, 3, 3, 3])
    expect(await indexOf(license)).toEqual(index)
  })

  test('waits until the table takes more where it is throttled', async () => {
    const [license, chat] = await withThreads(3)
    await reindex(license)
    const index = await indexOf(license)
    await forgetAll(license)
    let refusals = 0
    world.proxy.setFault(({ operation }) =>
      operation === 'BatchWriteItem' && (refusals += 1) <= 16
        ? { errorType: 'ProvisionedThroughputExceededException' }
        : undefined,
    )
    expect(await reindexOne(chat.id)).toEqual([3])
    expect(refusals).toBeGreaterThan(16)
    expect(await indexOf(license)).toEqual(index)
  })

  test('has words in any number of portions', async () => {
    const [license, chat] = await withThreads(1, () => 'first')
    // leaves them to this test
    await changeLicense(world.table, license.id, { index_texts: false })
    const word = (n: number) => `${'ж'.repeat(37)}${n.toString(36).padStart(3, '0')}`
    const ctx = {
      ...world.table,
      now: () => Date.now(),
      endsAt: Date.now() + 60_000,
      pause: async () => {},
      indexesTexts: async () => true,
    }
    let last = nextEntry(
      { n: 1, m: 0, last: newHead({ n: 1, nonce: 'x', version: 1, at: chat.started_at, userIds: [] }) },
      { type: 'message', text: 'first' },
      { nonce: 'x', version: 1, at: chat.started_at },
    )
    const stale = { chat: true, access: false, threads: new Set([1]) }
    // each message's words fill a portion
    for (let i = 0; i < 105; i += 1) {
      const text = Array.from({ length: 12 }, (_, n) => word(i * 12 + n)).join(' ')
      const before = { n: 1, m: last.m, last }
      last = nextEntry(before, { type: 'message', text }, { nonce: 'x', version: 1, at: last.at })
      await world.table.write.write(entryPut(chat.id, last))
      await indexChat(ctx, chat.id, stale)
    }
    await world.settled()
    expect((await booksOf(chat.id)).filter(({ sk }) => sk.startsWith('WORDS#')).length).toBeGreaterThan(100)
    const index = await indexOf(license)
    expect(await wordsOf(license)).toHaveLength(1261)
    await changeLicense(world.table, license.id, { index_texts: true })
    expect(await reindex(license)).toMatchObject({ code: 0 })
    expect(await indexOf(license)).toEqual(index)
  })
})
