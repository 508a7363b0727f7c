import { beforeAll, expect, test } from 'vitest'
import { listWaitingChat, readWaitingChats } from '../../shared/table/chat/waiting-chats.ts'
import { calm } from '../races/holding.ts'
import { message } from '../support/events.ts'
import { mapAtOnce } from '../support/map-at-once.ts'
import { startWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})

test(
  'of 500 chats that wait the positions are written once, and what each run writes is a unit',
  { tags: ['full'] },
  async () => {
    const license = await world.license({
      boss: { permission: 'owner', default_status: 'not_accepting_chats' },
    })
    const boss = await license.login('boss')
    const start = async () => {
      const { client } = await license.visit({ customer: { name: 'Kim' } })
      const { chat } = await client.ok('start_chat', { chat: { thread: { events: [message('hello')] } } })
      await calm(world)
      return chat.id as string
    }
    // how long one waits is known
    await boss.ok('join_chat', { chat_id: await start(), agent_ids: ['boss'] })
    await calm(world)
    const first = await start()
    const [row] = await readWaitingChats(world.table.read, license.id)
    await mapAtOnce(
      Array.from({ length: 499 }, (_, n) => n),
      (n) => {
        const id = `${first.slice(0, -4)}-${n + 1000}`
        return world.table.write.write(
          listWaitingChat(license.id, { ...row!, id, waiting_since: Date.now() }, undefined),
        )
      },
    )
    await start()
    await boss.received()
    const { calls } = await world.proxy.record(async () => {
      await boss.ok('join_chat', { chat_id: first, agent_ids: ['boss'] })
      await calm(world)
    })
    const of = (name: string) => calls.filter(({ request }: any) => (request.Key?.sk?.S ?? '') === name)
    const writes = (name: string) => of(name).flatMap(({ wru }) => (wru > 0 ? [wru] : []))
    const [positions, times] = [writes('QUEUE'), writes('QUEUE#TIMES')]
    // all of them have come nearer
    expect(positions).toHaveLength(1)
    expect(positions[0]).toBeGreaterThan(20)
    expect(positions[0]).toBeLessThanOrEqual(50)
    // the wait that ended, the run that tells them, and the job that was put off to it
    expect(times.length).toBeGreaterThan(0)
    expect(times.length).toBeLessThanOrEqual(3)
    expect(times.filter((wru) => wru > 1)).toEqual([])
    // read once for what changed, and not to find that it is too early
    expect(of('QUEUE').filter(({ rru }) => rru > 0)).toHaveLength(1)
  },
)
