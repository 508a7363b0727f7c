import { afterAll, beforeAll, expect, test } from 'vitest'
import { calm } from '../races/holding.ts'
import { mapAtOnce } from '../support/map-at-once.ts'
import { type DataWorld, message, openDataWorld } from '../infra/data-world.ts'

let data: DataWorld
beforeAll(async () => {
  data = await openDataWorld()
})
afterAll(() => data.close())

const chats = 12
const messages = 10
// each message has so many that no other one of its thread has
const words = 5

test(
  'a chat is erased for a write unit per item: its log, its place in the index, and five more',
  { tags: ['full'] },
  async () => {
    const { world } = data
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const initial_events = Array.from({ length: messages }, (_, m) =>
      message(Array.from({ length: words }, (_, w) => `word${m}x${w}`).join(' ')),
    )
    await mapAtOnce(Array.from({ length: chats }), () => ann.ok('start_chat', { initial_events }))
    await calm(world)
    await data.admin(['license', 'set', license.id, '--expires', '2026-01-31'])
    await calm(world)
    const { result, wru, rru } = await data.proxy.record(() =>
      data.admin(['license', 'erase', license.id, '--yes', '--json']),
    )
    // 50 of words; all threads, open to all, its user and who is in it; three such of the chat
    const postings = messages * words + 4 + 3
    expect(JSON.parse(result.out)).toMatchObject({
      chats,
      threads: chats,
      events: chats * messages,
      postings: chats * postings,
    })
    const log = 1 + messages
    // two manifests and a portion of words
    const books = 3
    // the chat and its row among the active ones, in a transaction, and that among all
    const own = 2 * 2 + 1
    expect(wru / chats).toBeGreaterThanOrEqual(postings + log + books + own)
    // with all that there is of a license once
    expect(wru / chats).toBeLessThan(postings + log + books + own + 1)
    expect(rru / chats).toBeLessThan(20)
  },
)
