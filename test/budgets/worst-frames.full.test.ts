import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type Cost,
  groups,
  measure,
  openScene,
  pageOf,
  type Scene,
  worstFrames,
} from '../bench/worst-frames.ts'
import { writePage } from '../support/pages.ts'
import { startWorld } from '../support/world.ts'

const measured: (Cost & { name: string; cpuMs: number })[] = []

const begin = async (): Promise<Scene> => {
  const world = await startWorld({ index: true })
  const agents = Array.from({ length: 60 }, (_, i) => `agent-${i}`)
  const license = await world.license(Object.fromEntries(agents.map((id) => [id, { max_chats: 1000 }])), {
    groups: Array.from({ length: groups }, (_, i) => `group ${i}`),
  })
  await license.login('agent-0')
  for (const name of ['RATE_START_CHAT', 'RATE_SEND_EVENT', 'RATE_OTHER']) world.settings[name] = '1000'
  world.settings['RATE_ADDRESS_FACTOR'] = '20'
  return openScene({ stack: world, license: license.id, agents })
}
// `npm run worst-frames`
afterAll(async () => {
  if (process.env['WORST_FRAMES'] === 'write')
    await writePage(join(import.meta.dirname, '../../docs/worst-frame.md'), pageOf(measured))
})

let scene: Scene
beforeAll(async () => {
  scene = await begin()
})

test.each(worstFrames)('$name costs no more than it may', async (frame) => {
  const { answer, cpuMs, ...cost } = await measure(scene, frame)
  measured.push({ name: frame.name, cpuMs, ...cost })
  // what is refused costs little: these are not, but where a stranger asks for what takes a login
  if (frame.name.startsWith('customer/')) expect(answer).toMatchObject({ success: true })
  for (const [unit, most] of Object.entries(frame.most))
    expect(cost[unit as keyof Cost], unit).toBeLessThanOrEqual(most)
})
