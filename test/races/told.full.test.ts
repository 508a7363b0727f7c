import { beforeAll, expect, test } from 'vitest'
import { sharedWorld, type World } from '../support/world.ts'
import { calm } from './holding.ts'
import { expectTold, type Told, toldActions } from './told.ts'

const frozenMs = 16_000
// behind these every request has told what it wrote
const mostSteps = 8

let world: World
beforeAll(async () => {
  world = await sharedWorld({ stream: false })
})

/** The table of one request: its calls, and those of nobody else, hang from the one of this number on. */
interface Frozen {
  told: Told
  at: number
  calls: number
  until: Promise<void> | undefined
}

// a hundred scenes in one process: a slow machine takes minutes
const timeout = 240_000

test(
  'whatever is stored by a request whose table freezes for 16 s, at any of its calls, is told once it is back',
  { timeout },
  async () => {
    const all: Frozen[] = []
    for (const [, prepare] of toldActions)
      for (let at = 1; at <= mostSteps; at += 1)
        all.push({ told: await prepare(world), at, calls: 0, until: undefined })
    await calm(world)
    for (const { told } of all) await told.zoe.received()
    world.proxy.setFault(async ({ request }) => {
      const text = JSON.stringify(request)
      const frozen = all.find(({ told }) => told.marks.some((mark) => text.includes(mark)))
      if (frozen === undefined) return undefined
      frozen.calls += 1
      if (frozen.calls === frozen.at)
        frozen.until = new Promise((resolve) => {
          setTimeout(resolve, frozenMs)
        })
      await frozen.until
      return undefined
    })
    const answers = await Promise.all(all.map(({ told }) => told.ask()))
    for (const { until } of all) await until
    world.proxy.setFault(undefined)
    // a hundred jobs at once: a push of one that takes long goes by the queue once more
    for (let tries = 0; tries < 3; tries += 1) await calm(world)
    const lost = answers.filter(({ success }) => !success).length
    let stored = 0
    for (const [index, { told, at }] of all.entries()) {
      const where = `${toldActions[Math.floor(index / mostSteps)]?.[0]} frozen at call ${at}`
      if ((await expectTold(told, where)) && answers[index]?.success === false) stored += 1
    }
    // of those that froze some had written, and some came through
    expect(lost).toBeGreaterThan(toldActions.length)
    expect(stored).toBeGreaterThan(toldActions.length)
  },
)
