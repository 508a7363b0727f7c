import { expect, test } from 'vitest'
import { openLists, others, owner, thread } from './long-lists.ts'

const { put, expectFound } = openLists()

test('a search leaves out what long lists exclude, also far behind what it found before', async () => {
  // two lists, of each of which two pages are read at first
  const between = 262
  const chats = [
    thread(0, 'neither', { users: ['rare'] }),
    ...Array.from({ length: between }, (_, i) => thread(i + 1, i % 2)),
    thread(between + 1, 1, { users: ['rare'] }),
    thread(between + 2, 'neither', { users: ['rare'] }),
  ]
  await put('two', chats)
  for (const count of [0, 5, 20, 98]) {
    const exclude_values = [0, 1, ...others(count)]
    const filters = { agent_ids: ['rare'], properties: { 'order.score': { exclude_values } } }
    const { total, ways } = await expectFound('two', chats, owner, filters)
    expect(total).toBe(2)
    if (count === 98) expect(ways).toContain('reads lists that exclude on')
  }
})
