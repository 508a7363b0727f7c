import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import { calm } from '../races/holding.ts'
import { logOf } from '../races/stored.ts'
import { aged } from '../support/crowd.ts'
import { isOverHttp, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(() => world.proxy.setDelay(0))

const openOffice = async () => {
  const license = await world.license({ ann: {}, ben: {}, sue: {}, cleo: {}, dora: { permission: 'owner' } })
  const [ann, second] = [await license.login('ann'), await license.login('ann')]
  const [ben, sue] = [await license.login('ben'), await license.login('sue')]
  const [cleo, dora] = [await license.login('cleo'), await license.login('dora')]
  // a login is told later what it may have missed: of the chats of tests there is nothing
  await calm(world)
  return { license, ann, second, ben, sue, cleo, dora, all: [ann, second, ben, sue, cleo, dora] }
}
let office: Awaited<ReturnType<typeof openOffice>>
let shared: Awaited<ReturnType<typeof openChat>>
beforeAll(async () => {
  office = await openOffice()
  shared = await openChat()
})
/** A chat open to all with the agents ann and ben and the supervisor sue; cleo and an owner only see it. */
const openChat = async (where = office) => {
  const { ann, all } = where
  const { chat } = await ann.ok('start_chat')
  await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
  await ann.ok('supervise_chat', { chat_id: chat.id, agent_ids: ['sue'] })
  for (const client of all) await client.received()
  return { ...where, chat_id: chat.id as string }
}
/** The chat of the tests that leave it as it is. */
const sameChat = async () => {
  for (const client of shared.all) await client.received()
  return shared
}

describe('send_typing_indicator', () => {
  test('tells the others in the chat, on no connection of the author’s, and nobody who only sees it', async () => {
    const { license, ann, second, ben, sue, cleo, dora, chat_id } = await sameChat()
    const other = await license.login('ben')
    const before = Math.floor(Date.now() / 1000)
    const answer = await ann.call('send_typing_indicator', { chat_id, is_typing: true })
    expect(answer).toEqual({
      request_id: answer.request_id,
      action: 'send_typing_indicator',
      type: 'response',
      success: true,
    })
    for (const client of [ben, other, sue]) {
      const pushed = await client.next('incoming_typing_indicator')
      expect(pushed).toEqual({
        chat_id,
        typing_indicator: {
          author_id: 'ann',
          recipients: 'all',
          timestamp: expect.any(Number),
          is_typing: true,
        },
      })
      expect(pushed.typing_indicator.timestamp).toBeGreaterThanOrEqual(before)
      expect(pushed.typing_indicator.timestamp).toBeLessThanOrEqual(Math.floor(Date.now() / 1000))
      await client.receivesNothing()
    }
    for (const client of [ann, second, cleo, dora]) await client.receivesNothing()
  })

  test.each([
    [true, true],
    [false, false],
    ['true', true],
    ['false', false],
  ])('takes %j as a flag', async (is_typing, told) => {
    const { ann, ben, chat_id } = await sameChat()
    await ann.ok('send_typing_indicator', { chat_id, is_typing })
    expect((await ben.next('incoming_typing_indicator')).typing_indicator.is_typing).toBe(told)
  })

  test.each([
    [undefined, 'all'],
    [null, 'all'],
    ['all', 'all'],
    ['agents', 'agents'],
  ])('for recipients %j of an agent goes to %s; agents get either', async (recipients, told) => {
    const { ann, ben, sue, chat_id } = await sameChat()
    await ann.ok('send_typing_indicator', { chat_id, is_typing: true, recipients })
    for (const client of [ben, sue])
      expect((await client.next('incoming_typing_indicator')).typing_indicator.recipients).toBe(told)
  })

  test.each([[undefined], ['all'], ['agents']])(
    'of a supervisor goes to agents, also where it asks for %j',
    async (recipients) => {
      const { ann, second, ben, sue, cleo, chat_id } = await sameChat()
      await sue.ok('send_typing_indicator', { chat_id, is_typing: true, recipients })
      for (const client of [ann, second, ben])
        expect((await client.next('incoming_typing_indicator')).typing_indicator).toMatchObject({
          author_id: 'sue',
          recipients: 'agents',
        })
      for (const client of [sue, cleo]) await client.receivesNothing()
    },
  )

  test('follows who is in the chat: one who joins gets it, one who left does not', async () => {
    const { ann, ben, cleo, all, chat_id } = await openChat()
    await ann.ok('join_chat', { chat_id, agent_ids: ['cleo'] })
    await ann.ok('remove_from_chat', { chat_id, agent_ids: ['ben'] })
    for (const client of all) await client.received()
    await ann.ok('send_typing_indicator', { chat_id, is_typing: true })
    await cleo.next('incoming_typing_indicator')
    await ben.receivesNothing()
  })

  test('reaches a member who has just logged in', async () => {
    const { license, ann, chat_id } = await sameChat()
    const late = await license.login('ben')
    await ann.ok('send_typing_indicator', { chat_id, is_typing: true })
    await late.next('incoming_typing_indicator')
  })

  test('goes for a chat without an active thread', async () => {
    const { ann, ben, all, chat_id } = await openChat()
    await ann.ok('close_thread', { chat_id })
    for (const client of all) await client.received()
    await ann.ok('send_typing_indicator', { chat_id, is_typing: true })
    await ben.next('incoming_typing_indicator')
  })

  // over HTTP a token takes two more
  test.skipIf(isOverHttp)(
    'is told each time, and not stored: the table is read only, in two rounds',
    async () => {
      const { license, ann, ben, chat_id } = await sameChat()
      await calm(world)
      await world.settled()
      const log = await logOf(world, chat_id)
      const before = await ann.ok('get_chat_threads', { chat_id })
      // so that calls made side by side do overlap
      world.proxy.setDelay(50)
      for (const is_typing of [true, true, false]) {
        const { calls, sequentialDepth, rru, wru } = await world.proxy.record(() =>
          ann.ok('send_typing_indicator', { chat_id, is_typing }),
        )
        expect(new Set(calls.map(({ operation }) => operation))).toEqual(new Set(['GetItem', 'Query']))
        expect(sequentialDepth).toBe(2)
        expect(rru).toBeLessThanOrEqual(5)
        expect(wru).toBe(0)
        await ben.next('incoming_typing_indicator')
      }
      world.proxy.setDelay(0)
      expect(await logOf(world, chat_id)).toEqual(log)
      expect(await ann.ok('get_chat_threads', { chat_id })).toEqual(before)
      // nobody is shown it later
      const late = await world.open()
      await late.ok('login', { token: await license.token('ben') })
      await calm(world)
      expect((await late.received()).map(({ action }) => action)).not.toContain('incoming_typing_indicator')
    },
  )

  test('does not fail for a member whose connection is gone, which is forgotten', async () => {
    const { license, ann, ben, sue, chat_id } = await openChat(await openOffice())
    const [row] = await readAgentSockets(world.table.read, license.id, 'ben')
    await aged(world, license)
    world.gateway.drop(row!.connection, { clean: false })
    await ben.closing()
    await ann.ok('send_typing_indicator', { chat_id, is_typing: true })
    await sue.next('incoming_typing_indicator')
    expect(await readAgentSockets(world.table.read, license.id, 'ben')).toEqual([])
  })
})
