import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ActionSpec } from '../../shared/protocol/action.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import type { ErrorType } from '../../shared/protocol/errors.ts'
import { Client, type CustomerClient, type Response, type WireError } from '../support/client.ts'
import { addCustomer } from '../support/customers.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'
import { anyFrame, idMark, type RealIds } from './any-frame.ts'

// Frames of all kinds, sent to both endpoints.

/** How many frames each endpoint is sent, from which seed, and what repeats them. */
interface Load {
  seed: number
  again: string
  frames: { agent: number; customer: number }
}

const inFlight = 25

type StrictClient = Client | CustomerClient

interface Sent {
  frame: string
  /** What its `request_id` is, if it can be read. */
  id: string
}

/** Connections to one endpoint, and ids that lead somewhere from there. */
interface Side {
  actions: readonly ActionSpec[]
  sockets: StrictClient[]
  ids: RealIds
  idle(): Promise<void>
}

/** The id that an answer to this frame repeats, where the frame lets it be read. */
const readableId = (frame: string, id: string): string | undefined => {
  try {
    return JSON.parse(frame)?.request_id === id ? id : undefined
  } catch {
    return undefined
  }
}

const errorOf = ({ success, payload }: Response): ErrorType | undefined =>
  success ? undefined : (payload as { error: WireError }).error.type

/** Sends frames, all at once, and fails unless each is answered once, under its own id where it has one. */
const answersOf = async (client: StrictClient, sent: readonly Sent[]): Promise<Response[]> => {
  const open = new Map<unknown, string>()
  for (const { frame, id } of sent) {
    if (readableId(frame, id) !== undefined) open.set(id, frame)
    client.send(frame)
  }
  const answers: Response[] = []
  for (const _ of sent) answers.push(await client.response())
  const wrong = answers.filter((answer) => errorOf(answer) === 'internal')
  expect(wrong.map((answer) => open.get(answer.request_id) ?? answer)).toEqual([])
  for (const { request_id } of answers) open.delete(request_id)
  expect([...open.values()], 'frames without an answer of their own').toEqual([])
  return answers
}

const responses = ({ frames }: StrictClient): number =>
  frames.filter((frame) => JSON.parse(frame).type === 'response').length

export const describeFuzz = ({ seed, again, frames }: Load): void =>
  void describe(`any frame whatever (${again})`, () => {
    let world: World
    let license: License
    let agents: Side
    let customers: Side
    beforeAll(async () => {
      // sockets that never log in stay open for as long as this takes
      world = await sharedWorld({ delayScale: 1000 })
      license = await world.license(
        { ann: { permission: 'owner' }, ben: {}, cleo: {}, dan: { permission: 'administrator' } },
        { groups: ['Support', 'Sales'] },
      )
      await addCustomer(world, license.id, 'carl')
      agents = await agentSide()
      customers = await customerSide()
    })
    const tabs: CustomerClient[] = []
    afterAll(() => Promise.all(tabs.map((tab) => tab.close())))

    const agentSide = async (): Promise<Side> => {
      const stranger = await (await world.license({ zoe: {} })).login('zoe')
      const loggedIn = [
        ...(await Promise.all(['ann', 'ben', 'ben'].map((agent) => license.login(agent)))),
        await license.login('cleo', {}, { scope: 'chats--my:read chats.conversation--my:write' }),
      ]
      const chats: { id: string; thread: { id: string } }[] = []
      for (const [index, client] of [...loggedIn, ...loggedIn, ...loggedIn].entries()) {
        const scopes = index % 2 === 0 ? { groups: [1] } : {}
        const thread = { events: [{ type: 'message', text: 'hello' }] }
        const started = await client.call('start_chat', { chat: { scopes, thread } })
        if (started.success) chats.push((started.payload as any).chat)
      }
      chats.push((await stranger.ok('start_chat')).chat)
      return {
        actions: agentActions,
        sockets: [...loggedIn, await world.open()],
        ids: {
          chats: chats.map(({ id }) => id),
          threads: chats.flatMap(({ id, thread }) => [thread.id, `${id}_2`]),
          agents: ['ann', 'ben', 'cleo', 'dan', 'zoe'],
          customers: ['carl', 'nobody'],
        },
        idle: () => world.gateway.idle(),
      }
    }

    /** Two tabs of a customer, one of another, and one that is nobody yet. */
    const customerSide = async (): Promise<Side> => {
      const open = async () => {
        const client = await Client.open(`${world.customerUrl}?license_id=${license.id}`, { as: 'customer' })
        tabs.push(client)
        return client
      }
      const [tab, otherTab, other, nobody] = [await open(), await open(), await open(), await open()]
      const { customer_id, token } = await tab.ok('login')
      await otherTab.ok('login', { token })
      const { customer_id: neighbour } = await other.ok('login', { customer: { name: 'Nell' } })
      const chats = []
      for (const client of [tab, other])
        chats.push(
          (await client.ok('start_chat', { chat: { events: [{ type: 'message', text: 'hello' }] } })).chat,
        )
      const chatIds = [...chats.map(({ id }) => id), agents.ids.chats[0] ?? '']
      return {
        actions: customerActions,
        sockets: [tab, otherTab, other, nobody],
        ids: {
          chats: chatIds,
          threads: chatIds.flatMap((id) => [`${id}_1`, `${id}_2`]),
          agents: agents.ids.agents,
          customers: [customer_id, neighbour],
        },
        idle: () => world.customers.idle(),
      }
    }

    test.each([
      ['an agent', () => agents, frames.agent],
      ['a customer', () => customers, frames.customer],
    ] as const)(
      'from %s gets one well-formed answer, never internal, and the socket lives',
      { timeout: 180_000 },
      async (_, side, count) => {
        const { actions, sockets, ids, idle } = side()
        const generated = fc
          .sample(anyFrame(ids, actions), { numRuns: count, seed })
          .map((frame, index): Sent => ({ frame: frame.replaceAll(idMark, `f${index}`), id: `f${index}` }))
        expect(generated.every(({ frame }) => Buffer.byteLength(frame) <= 32 * 1024)).toBe(true)
        const before = sockets.map(responses)

        await Promise.all(
          sockets.map(async (client, index) => {
            const mine = generated.filter((_, i) => i % sockets.length === index)
            for (let from = 0; from < mine.length; from += inFlight)
              await answersOf(client, mine.slice(from, from + inFlight))
          }),
        )

        // nothing was answered twice
        await idle()
        for (const [index, client] of sockets.entries()) {
          await client.caughtUp()
          const mine = generated.filter((_, i) => i % sockets.length === index)
          expect(responses(client) - (before[index] ?? 0)).toBe(mine.length)
          expect(await client.call('ping')).toMatchObject({ success: true })
          expect(client.closed).toBeUndefined()
        }
      },
    )
  })
