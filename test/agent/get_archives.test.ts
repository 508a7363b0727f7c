import { beforeAll, expect, test } from 'vitest'
import { startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld({ index: true })
})

test('finds a thread by a word of a message, once the index has caught up', async () => {
  const license = await world.license({ ann: {} })
  const ann = await license.login('ann')
  const { chat } = await ann.ok('start_chat', {
    initial_events: [{ type: 'message', text: 'Grüße aus Köln' }],
  })
  await world.settled()
  const { chats, pagination } = await ann.ok('get_archives', { filters: { query: 'GRUSSE koln' } })
  expect(pagination).toEqual({ page: 1, total: 1 })
  expect(chats).toMatchObject([{ chat: { id: chat.id, thread: { id: `${chat.id}_1` } } }])
})
