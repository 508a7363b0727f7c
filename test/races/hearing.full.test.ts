import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { audiencePk } from '../../shared/table/keys.ts'
import type { Client } from '../support/client.ts'
import { message } from '../support/events.ts'
import { endWorlds, sharedWorld, type World } from '../support/world.ts'
import { atEachStep, calm } from './holding.ts'

// What comes to hear of a chat, or no more, at each call of a send to it. The license has so many connections
// that audiences are read by their lists.

let world: World
beforeEach(async () => {
  world = await sharedWorld()
})
afterEach(endWorlds)

const others = 40

const openOffice = async (groups: number[]) => {
  const names = Array.from({ length: others }, (_, n) => `other${n}`)
  const license = await world.license(
    {
      ann: { permission: 'owner' },
      lea: { groups: [1] },
      ...Object.fromEntries(names.map((id) => [id, {}])),
    },
    { groups: ['one', 'two'] },
  )
  const ann = await license.login('ann')
  for (const name of names) await license.login(name)
  const { chat } = await ann.ok('start_chat', { chat: { scopes: { groups } } })
  // the long list is known to be long from here on
  await ann.ok('send_broadcast', { content: {} })
  await calm(world)
  return { license, ann, chat_id: chat.id as string }
}

type Office = Awaited<ReturnType<typeof openOffice>>

/** The texts of the chat's last events that a connection knows of, by a push of one or of its thread. */
const known = async (client: Client): Promise<string[]> =>
  (await client.received()).flatMap(({ action, payload }: any) => {
    if (action === 'incoming_event') return [payload.event.text]
    return action === 'incoming_chat_thread' ? payload.chat.thread.events.map(({ text }: any) => text) : []
  })

describe('at each step of a send', () => {
  test('who follows the chat has its event', async () => {
    const { license, ann, chat_id } = await openOffice([])
    const lea = await license.login('lea', { chats: 'my' })
    let n = 0
    await atEachStep(world, async () => {
      await lea.ok('unfollow_chat', { chat_id })
      await calm(world)
      await lea.received()
      const text = `event ${(n += 1)}`
      return {
        held: () => ann.ok('send_event', { chat_id, event: message(text) }),
        meanwhile: () => lea.ok('follow_chat', { chat_id }),
        check: async () => {
          await calm(world)
          expect(await known(lea)).toContain(text)
        },
      }
    }, ['alone'])
  })

  /** Has lea's groups change at each step; `check` is given what is said then. */
  const changesGroups = async (
    [before, after]: [before: number[], after: number[]],
    check: (office: Office, lea: Client, text: string) => Promise<void>,
  ) => {
    const office = await openOffice([2])
    const { license, ann, chat_id } = office
    const lea = await license.login('lea')
    let n = 0
    await atEachStep(world, async () => {
      await changeAgent(world.table, license.id, 'lea', { groups: before })
      await calm(world)
      await lea.received()
      const text = `event ${(n += 1)}`
      return {
        held: () => ann.ok('send_event', { chat_id, event: message(text) }),
        meanwhile: async () => {
          await changeAgent(world.table, license.id, 'lea', { groups: after })
          await world.stream.settled()
        },
        check: async () => {
          await calm(world)
          await check(office, lea, text)
        },
      }
    }, ['alone'])
  }

  test('who comes into the group of the chat has its event', () =>
    changesGroups([[1], [2]], async (_, lea, text) => {
      expect(await known(lea)).toContain(text)
    }))

  test('who has left its group hears nothing that comes after', () =>
    changesGroups([[2], [1]], async ({ ann, chat_id }, lea) => {
      await lea.received()
      await ann.ok('send_event', { chat_id, event: message('behind') })
      await calm(world)
      expect(await known(lea)).toEqual([])
    }))

  test('whose connection ends then is told nothing, and leaves no row behind', async () => {
    const { license, ann, chat_id } = await openOffice([1])
    let n = 0
    await atEachStep(world, async () => {
      const lea = await license.login('lea')
      await calm(world)
      const text = `event ${(n += 1)}`
      return {
        held: () => ann.ok('send_event', { chat_id, event: message(text) }),
        meanwhile: async () => {
          await lea.close()
          await world.stream.settled()
        },
        check: async () => {
          await calm(world)
          const rows = await world.table.read.query({ pk: audiencePk(license.id, 'GROUP1'), strong: true })
          expect(rows).toEqual([])
        },
      }
    }, ['alone'])
  })
})
