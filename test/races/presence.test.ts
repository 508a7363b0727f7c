import { beforeAll, describe, expect } from 'vitest'
import { findAgent } from '../../shared/provisioning/change-agent.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import type { Client } from '../support/client.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'
import { calm, testAtSteps } from './holding.ts'

let world: World
// an agent without a socket is offline at once
beforeAll(async () => {
  world = await sharedWorld({ presenceGraceS: 0 })
})

const openOffice = async () => {
  const license = await world.license({ ann: { permission: 'owner' }, lea: {} })
  return { license, ann: await license.login('ann') }
}

const connectionsOf = async (license: License, agent: string): Promise<string[]> =>
  (await readAgentSockets(world.table.read, license.id, agent)).map(({ connection }) => connection)

const isOnline = async (license: License): Promise<boolean | undefined> =>
  (await findAgent(world.table, license.id, 'lea'))?.online

/** What was pushed of lea's presence since this was asked last. */
const presenceOfLea = async (watcher: Client) => {
  await watcher.caughtUp()
  const pushes = watcher.presence.splice(0)
  return pushes
    .filter(({ payload }) => payload.agent_id === 'lea')
    .map(({ payload }) => payload.routing_status)
}

describe('a login against the loss of the older socket', () => {
  const orders = ['where the login is held', 'where the loss is held'] as const
  describe.each(orders)('%s', (order) => {
    testAtSteps('leaves the agent online, and its status is the last that is pushed', async (hold) => {
      const { license, ann } = await openOffice()
      let older = await license.login('lea')
      world.gateway.setFaults({ disconnect: () => ({ lose: true }) })
      await hold(
        world,
        async () => {
          await calm(world)
          const [connection] = await connectionsOf(license, 'lea')
          await older.close()
          await presenceOfLea(ann)
          const token = await license.token('lea')
          const client = await world.open()
          const login = () => client.ok('login', { token })
          // what follows from it runs to its end: the stream's worker, then the check of the delay queue
          const loss = async () => {
            await world.disconnect(connection!)
            await world.stream.settled()
            await world.queue.settled()
          }
          return {
            ...(order === orders[0]
              ? { held: login, meanwhile: loss }
              : { held: loss, by: /^(socket|worker)\//, meanwhile: login }),
            check: async () => {
              older = client
              await world.settled()
              expect(await isOnline(license)).toBe(true)
              expect(await connectionsOf(license, 'lea')).toHaveLength(1)
              const presence = await presenceOfLea(ann)
              expect([undefined, 'accepting_chats']).toContain(presence.at(-1))
            },
          }
        },
        7,
        ['alone'],
      )
      world.gateway.setFaults({})
    })
  })
})
