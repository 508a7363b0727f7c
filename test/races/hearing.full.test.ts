import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { audiencePk } from '../../shared/table/keys.ts'
import type { Client } from '../support/client.ts'
import { message } from '../support/events.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'
import { atEachStep, calm } from './holding.ts'

// What comes to hear of a chat, or no more, at each call of a send to it. The license has so many connections
// that audiences are read by their lists.

const others = 40

let world: World
let license: License
let ann: Client
beforeAll(async () => {
  world = await sharedWorld()
  const names = Array.from({ length: others }, (_, n) => `other${n}`)
  license = await world.license(
    { ann: { permission: 'owner' }, lea: {}, ...Object.fromEntries(names.map((id) => [id, {}])) },
    { groups: ['one', 'two'] },
  )
  ann = await license.login('ann')
  for (const name of names) await license.login(name)
})

/** A chat of these groups, and a new connection of lea, who is in the first. */
const openChat = async (groups: number[], login: object = {}) => {
  const { chat } = await ann.ok('start_chat', { chat: { scopes: { groups } } })
  // the long list is known to be long from here on
  await ann.ok('send_broadcast', { content: {} })
  await changeAgent(world.table, license.id, 'lea', { groups: [1] })
  await calm(world)
  const lea = await license.login('lea', login)
  onTestFinished(() => lea.close())
  return { chat_id: chat.id as string, lea }
}

/** The texts of the chat's last events that a connection knows of, by a push of one or of its thread. */
const known = async (client: Client): Promise<string[]> =>
  (await client.received()).flatMap(({ action, payload }: any) => {
    if (action === 'incoming_event') return [payload.event.text]
    return action === 'incoming_chat_thread' ? payload.chat.thread.events.map(({ text }: any) => text) : []
  })

describe('at each step of a send', () => {
  test('who follows the chat has its event', async () => {
    const { chat_id, lea } = await openChat([], { chats: 'my' })
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
    check: (lea: Client, text: string, chat_id: string) => Promise<void>,
  ) => {
    const { chat_id, lea } = await openChat([2])
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
          await check(lea, text, chat_id)
        },
      }
    }, ['alone'])
  }

  test('who gains access by the scopes of the chat has its event', async () => {
    const { chat_id, lea } = await openChat([2])
    const scopes = { groups: [1] }
    let n = 0
    await atEachStep(world, async () => {
      await ann.ok('update_chat_scopes', { chat_id, remove_scopes: scopes })
      await calm(world)
      await lea.received()
      const text = `event ${(n += 1)}`
      return {
        held: () => ann.ok('send_event', { chat_id, event: message(text) }),
        meanwhile: () => ann.ok('update_chat_scopes', { chat_id, add_scopes: scopes }),
        check: async () => {
          await calm(world)
          expect(await known(lea)).toContain(text)
        },
      }
    }, ['alone'])
  })

  test('who comes into the group of the chat has its event', () =>
    changesGroups([[1], [2]], async (lea, text) => {
      expect(await known(lea)).toContain(text)
    }))

  test('who has left its group hears nothing that comes after', () =>
    changesGroups([[2], [1]], async (lea, _, chat_id) => {
      await lea.received()
      await ann.ok('send_event', { chat_id, event: message('behind') })
      await calm(world)
      expect(await known(lea)).toEqual([])
    }))

  test('whose connection ends then is told nothing, and leaves no row behind', async () => {
    const { chat_id, lea: first } = await openChat([1])
    await first.close()
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
