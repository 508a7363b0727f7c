import { beforeAll, describe, expect } from 'vitest'
import { readChat } from '../../shared/table/chat/chats.ts'
import { startWorld, type Visitor, type World } from '../support/world.ts'
import { expectLoads } from '../customer/loads.ts'
import { calm, testAtSteps } from './holding.ts'
import { logOf, message } from './stored.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})

const start = async ({ client }: Visitor): Promise<string> =>
  (await client.ok('start_chat', { chat: { thread: { events: [message('hi')] } } })).chat.id

describe('a message that comes while the clock looks after its chat', () => {
  const minuteMs = 60_000

  testAtSteps('is in an active thread, before it is idle or after', async (hold) => {
    const license = await world.license({ ann: {} }, { settings: { unseen_minutes: 60 } })
    await license.login('ann')
    await hold(
      world,
      async () => {
        const carl = await license.visit()
        const chat = await start(carl)
        await calm(world)
        const at = Date.now() + 10.2 * minuteMs
        return {
          held: () => world.tick(at),
          by: /^worker\/clock$/,
          meanwhile: () => carl.client.ok('send_event', { chat_id: chat, event: message('still here') }),
          check: async () => {
            const { chat: shown } = await carl.client.ok('get_chat_threads', { chat_id: chat })
            const { idle } = shown.properties.routing
            const log = await logOf(world, chat)
            const last = log.filter(({ event }) => event.system_message_type !== 'routing.assigned').at(-1)!
            const isIdle = last.event.system_message_type === 'routing.idle'
            // what was said before it was due at that run leaves it as it was
            expect(isIdle).toBe(idle?.value === true)
            expect(last.idle === true).toBe(isIdle)
            expect(shown.threads[0].properties.routing.idle?.value === true).toBe(isIdle)
            await carl.client.ok('close_thread', { chat_id: chat })
          },
        }
      },
      5,
    )
  })

  testAtSteps('is in an active thread, the one that was not archived or the next', async (hold) => {
    const license = await world.license({ ann: {} })
    await license.login('ann')
    await hold(
      world,
      async () => {
        const carl = await license.visit()
        const chat = await start(carl)
        await calm(world)
        const at = Date.now() + 30.2 * minuteMs
        return {
          held: () => world.tick(at),
          by: /^worker\/clock$/,
          meanwhile: () => carl.client.ok('send_event', { chat_id: chat, event: message('still here') }),
          check: async () => {
            await world.settled()
            const log = await logOf(world, chat)
            const closings = log.filter(({ event }) => event.system_message_type === 'routing.archived')
            const said = log.find(({ event }) => event.text === 'still here')!
            expect(closings.length).toBeLessThanOrEqual(1)
            // nothing is ever added behind a closing
            for (const { n, m } of closings) expect(log.filter((one) => one.n === n && one.m > m)).toEqual([])
            const { active, thread } = (await readChat(world.table.read, chat))!
            expect(active).toBe(closings.every(({ n }) => n !== thread))
            expect(said.n).toBeLessThanOrEqual(thread)
            await expectLoads(world, license.id)
            if (active) await carl.client.ok('close_thread', { chat_id: chat })
          },
        }
      },
      5,
    )
  })
})
