import { expect, test } from 'vitest'
import { searcher } from './generated.ts'
import { openLists, others, owner, thread } from './long-lists.ts'
import type { PropertyAsked } from './naive.ts'
import { isUsualSeed, seed, seeded } from './seeded.ts'

const { put, expectFound } = openLists()
const searches = 80

test(
  `${searches} searches that read long lists find what is found by looking at all threads (ARCHIVES_SEED=${seed})`,
  { timeout: 240_000 },
  async () => {
    const random = seeded(seed)
    const rare = ['rare-1', 'rare-2', 'rare-3', 'rare-4']
    const chats = Array.from({ length: 800 }, (_, i) =>
      thread(i, random.below(2), {
        users: [random.one(['ann', 'ben']), ...rare.filter((_, k) => random.chance(0.004 * 3 ** k))],
        groups: random.one([[], [1], [2]]),
        stars: random.below(2),
      }),
    )
    await put('many', chats)
    const searchers = [owner, owner, searcher('ben'), searcher('cara', { groups: [1] })]
    const filter = (): PropertyAsked => {
      const values = random.shuffled([
        ...[0, 1].filter(() => random.chance(0.7)),
        ...others(random.below(60)),
      ])
      return random.chance(0.7) ? { exclude_values: values } : { values }
    }
    const totals = new Set<number>()
    for (let i = 0; i < searches; i += 1) {
      const { total } = await expectFound('many', chats, random.one(searchers), {
        ...(random.chance(0.8) ? { agent_ids: random.shuffled(rare).slice(0, 1 + random.below(2)) } : {}),
        ...(random.chance(0.2) ? { team_ids: [1] } : {}),
        properties: {
          'order.score': filter(),
          ...(random.chance(0.6) ? { 'rating.stars': filter() } : {}),
        },
      })
      totals.add(total)
    }
    if (isUsualSeed) expect(totals.size).toBe(24)
  },
)

test('the page behind the first thousand of a month is found once more', async () => {
  const chats = Array.from({ length: 1050 }, (_, i) => thread(i, 1))
  await put('all', chats)
  const { total, ways } = await expectFound('all', chats, owner, {}, { page: 52, limit: 20 })
  expect(total).toBe(1050)
  expect(ways).toContain('finds once more what it does not hold')
})
