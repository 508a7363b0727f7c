import { beforeAll, describe, expect, test } from 'vitest'
import { changeAgent, findAgent } from '../../shared/provisioning/change-agent.ts'
import type { Faults } from '../../infra/local/gateway/settings.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import type { Client } from '../support/client.ts'
import { aged } from '../support/crowd.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'
import { calm, type HoldSteps } from './holding.ts'

// Logins at once, and beside a $disconnect.

/** `full`: what is held at steps, alone. */
export const describeLateDisconnects = ({ full, hold }: { full: boolean; hold: HoldSteps }) => {
  let world: World
  beforeAll(async () => {
    world = await sharedWorld()
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

  test('of two first logins at once one sets the status, pushes it once, and both answer it', async () => {
    const { license, ann } = await openOffice()
    // lea is known as accepting chats from here on, but has another default
    await (await license.login('lea')).close()
    await changeAgent(world.table, license.id, 'lea', { default_status: 'not_accepting_chats' })
    let before: Client[] = []
    const statuses = new Set<string>()
    await hold(
      world,
      async () => {
        for (const client of before) await client.close()
        await calm(world)
        expect(await isOnline(license)).toBe(false)
        await presenceOfLea(ann)
        const token = await license.token('lea')
        before = [await world.open(), await world.open()]
        const [one, two] = before as [Client, Client]
        const answers: any[] = []
        return {
          held: async () => answers.push(await one.ok('login', { token, reconnect: true })),
          meanwhile: async () => answers.push(await two.ok('login', { token })),
          check: async () => {
            const [status, ...more] = await presenceOfLea(ann)
            expect(more).toEqual([])
            expect(answers.map(({ my_profile }) => my_profile.routing_status)).toEqual([status, status])
            expect(await isOnline(license)).toBe(true)
            expect(await connectionsOf(license, 'lea')).toHaveLength(2)
            statuses.add(status!)
            // the next run begins with the last known status again
            await changeAgent(world.table, license.id, 'lea', { default_status: 'accepting_chats' })
            for (const client of before) await client.close()
            await calm(world)
            await (await license.login('lea')).close()
            await changeAgent(world.table, license.id, 'lea', { default_status: 'not_accepting_chats' })
          },
        }
      },
      3,
      ['alone'],
    )
    expect([...statuses].toSorted()).toEqual(['accepting_chats', 'not_accepting_chats'])
  })

  describe.runIf(!full)('a login against a $disconnect', () => {
    const losing = async (fault: Faults['disconnect'], run: () => Promise<void>) => {
      world.gateway.setFaults(fault === undefined ? {} : { disconnect: fault })
      await run()
      world.gateway.setFaults({})
    }

    test('whose $disconnect comes after it changes nothing', async () => {
      const { license, ann } = await openOffice()
      const older = await license.login('lea')
      const { promise: late, resolve: comes } = Promise.withResolvers<undefined>()
      await presenceOfLea(ann)
      await losing(
        () => late,
        async () => {
          await older.close()
          await license.login('lea')
        },
      )
      comes(undefined)
      await calm(world)
      await calm(world)
      expect(await isOnline(license)).toBe(true)
      expect(await connectionsOf(license, 'lea')).toHaveLength(1)
      expect(await presenceOfLea(ann)).toEqual([])
    })

    test('whose $disconnect is repeated leads to one push that the agent is offline', async () => {
      const { license, ann } = await openOffice()
      const older = await license.login('lea')
      await presenceOfLea(ann)
      await losing(
        () => ({ times: 3 }),
        async () => {
          await older.close()
          await calm(world)
          await calm(world)
        },
      )
      expect(await isOnline(license)).toBe(false)
      expect(await presenceOfLea(ann)).toEqual(['offline'])
    })

    test('whose $disconnect never comes is noticed by the next push to it', async () => {
      const { license, ann } = await openOffice()
      const older = await license.login('lea')
      await presenceOfLea(ann)
      await losing(
        () => ({ lose: true }),
        async () => {
          await older.close()
        },
      )
      await calm(world)
      expect(await isOnline(license)).toBe(true)
      await aged(world, license)
      await ann.ok('start_chat')
      await calm(world)
      await calm(world)
      expect(await isOnline(license)).toBe(false)
      expect(await connectionsOf(license, 'lea')).toEqual([])
      expect(await presenceOfLea(ann)).toEqual(['offline'])
    })
  })
}
