import { beforeAll, describe, expect, test } from 'vitest'
import { startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})

describe('send_event', () => {
  test('adds a message to the active thread, and every agent with access gets it', async () => {
    const license = await world.license({ ann: {}, ben: {}, cleo: {} })
    const [ann, ben] = [await license.login('ann'), await license.login('ben')]
    const { chat } = await ann.ok('start_chat')
    await ben.next('incoming_chat_thread')
    await ann.next('incoming_chat_thread')
    const answer = await ann.ok('send_event', { chat_id: chat.id, event: { type: 'message', text: 'hello' } })
    expect(answer).toMatchObject({
      thread_id: chat.thread.id,
      event: { id: `${chat.thread.id}_1`, order: 1, type: 'message', text: 'hello', author_id: 'ann', recipients: 'all' },
    })
    const expected = { chat_id: chat.id, thread_id: chat.thread.id, event: answer.event }
    expect(await ben.next('incoming_event')).toEqual(expected)
    expect(await ann.next('incoming_event')).toEqual(expected)
    await ben.receivesNothing()
    await ann.receivesNothing()
  })
})
