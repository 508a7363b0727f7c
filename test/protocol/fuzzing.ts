import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ActionSpec } from '../../shared/protocol/action.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import type { ErrorType } from '../../shared/protocol/errors.ts'
import { Client, type CustomerClient, type Response, type WireError } from '../support/client.ts'
import { addCustomer } from '../support/customers.ts'
import { type License, startWorld, type World } from '../support/world.ts'
import { anyFrame, idMark, readAny, type RealIds, rightRequest } from './any-frame.ts'

// Frames of all kinds, sent to both endpoints.

/** How much is sent, and how. */
export interface Load {
  seed: number
  /** What repeats it. */
  again: string
  /** Frames of any kind, to each endpoint. */
  frames: { agent: number; customer: number }
  /** Right requests before them: so many for each action, by each of those who are in a chat of their own. */
  ofEach: number
  /**
   * Of one connection; 1: of all connections, so that what becomes of the frames is the seed's to decide, and known: every
   * action is carried out.
   */
  inFlight: number
}

type StrictClient = Client | CustomerClient

interface Sent {
  /** By which of the connections. */
  by: number
  frame: string
  /** What its `request_id` is, if it can be read. */
  id: string
}

/** Connections to one endpoint, and ids that lead somewhere from there. */
interface Side {
  actions: readonly ActionSpec[]
  sockets: StrictClient[]
  ids: RealIds
  /** Of the connections, some that are in chats of their own, which are active, and ids that are good for each. */
  own: { by: number; ids: RealIds }[]
  idle(): Promise<void>
}

/** What ends what others need: the later, the more. */
const ending = ['close_thread', 'remove_from_chat', 'ban_customer', 'login']
const rankOf = ({ name }: ActionSpec): number => ending.indexOf(name)

/** Of which it is known what becomes of its frames. */
export const usualSeed = 20_261_127

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

export const describeFuzz = ({ seed, again, frames, ofEach, inFlight }: Load) =>
  describe(`any frame whatever (${again})`, { timeout: 180_000 }, () => {
    let world: World
    let license: License
    let agents: Side
    let customers: Side
    beforeAll(async () => {
      // sockets that never log in stay open for as long as this takes
      world = await startWorld({ delayScale: 100 })
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
      const chats: { id: string; thread: { id: string }; by: number }[] = []
      for (const [index, client] of [...loggedIn, ...loggedIn, ...loggedIn].entries()) {
        const scopes = index % 2 === 0 ? { groups: [1] } : {}
        const thread = { events: [{ type: 'message', text: 'hello' }] }
        const started = await client.call('start_chat', { chat: { scopes, thread } })
        if (started.success) chats.push({ ...(started.payload as any).chat, by: index % loggedIn.length })
      }
      chats.push({ ...(await stranger.ok('start_chat')).chat, by: -1 })
      const idsOf = (some: typeof chats): RealIds => ({
        chats: some.map(({ id }) => id),
        threads: some.flatMap(({ id, thread }) => [thread.id, `${id}_2`]),
        agents: ['ann', 'ben', 'cleo', 'dan', 'zoe'],
        customers: ['carl', 'nobody'],
      })
      return {
        actions: agentActions,
        sockets: [...loggedIn, await world.open()],
        ids: idsOf(chats),
        own: [0, 1].map((by) => ({ by, ids: idsOf(chats.filter((chat) => chat.by === by)) })),
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
      const chats: { id: string }[] = []
      for (const client of [tab, other])
        chats.push(
          (await client.ok('start_chat', { chat: { events: [{ type: 'message', text: 'hello' }] } })).chat,
        )
      const idsOf = (chatIds: string[]): RealIds => ({
        chats: chatIds,
        threads: chatIds.flatMap((id) => [`${id}_1`, `${id}_2`]),
        agents: agents.ids.agents,
        customers: [customer_id, neighbour],
      })
      return {
        actions: customerActions,
        sockets: [tab, otherTab, other, nobody],
        ids: idsOf([...chats.map(({ id }) => id), agents.ids.chats[0] ?? '']),
        own: [0, 2].map((by, index) => ({ by, ids: idsOf([chats[index]!.id]) })),
        idle: () => world.customers.idle(),
      }
    }

    /** What is sent, in this order. */
    const generate = ({ ids, own, actions, sockets }: Side, count: number): Sent[] => {
      // what others need comes first
      const inOrder = actions.toSorted((one, other) => rankOf(one) - rankOf(other))
      const right = own.map(({ by, ids: some }) =>
        inOrder.map((action) => ({
          by,
          requests: fc.sample(rightRequest(some, action), { numRuns: ofEach, seed: seed + by }),
        })),
      )
      const inTurn = Array.from({ length: ofEach }, (_, i) =>
        right.flat().map(({ by, requests }) => ({ by, frame: requests[i]! })),
      )
      const any = fc
        .sample(anyFrame(ids, actions), { numRuns: count, seed })
        .map((frame, index) => ({ by: index % sockets.length, frame }))
      return [...inTurn.flat(), ...any].map(({ by, frame }, index) => ({
        ...{ by, frame: frame.replaceAll(idMark, `f${index}`), id: `f${index}` },
      }))
    }

    test.each([
      // no token is right
      ['agent', () => agents, ['login'], ['validation', 'auth', 'authorization', 'not_found']],
      // what is not a customer's own is not there
      ['customer', () => customers, [], ['validation', 'auth', 'not_found']],
    ] as const)(
      'of an %s gets one well-formed answer, never internal, and the socket lives',
      async (kind, side, neverDone, errors) => {
        const { actions, sockets, idle } = side()
        const generated = generate(side(), frames[kind])
        expect(generated.every(({ frame }) => Buffer.byteLength(frame) <= 32 * 1024)).toBe(true)
        const before = sockets.map(responses)
        const succeeded = new Set<string | undefined>()
        const refused = new Set<ErrorType | undefined>()
        const send = async (client: StrictClient, some: readonly Sent[]) => {
          const answers = await answersOf(client, some)
          for (const answer of answers)
            if (answer.success) succeeded.add(answer.action)
            else refused.add(errorOf(answer))
          return answers
        }
        const mineOf = (index: number) => generated.filter(({ by }) => by === index)
        if (inFlight === 1)
          for (const sent of generated) {
            const [answer] = await send(sockets[sent.by]!, [sent])
            // what no contract takes is never carried out
            if (readAny(sent.frame, actions).faults.length > 0)
              expect(answer, sent.frame).toMatchObject({ success: false })
          }
        else
          await Promise.all(
            sockets.map(async (client, index) => {
              const mine = mineOf(index)
              for (let from = 0; from < mine.length; from += inFlight)
                await send(client, mine.slice(from, from + inFlight))
            }),
          )

        // nothing was answered twice
        await idle()
        for (const [index, client] of sockets.entries()) {
          await client.caughtUp()
          expect(responses(client) - (before[index] ?? 0)).toBe(mineOf(index).length)
          expect(await client.call('ping')).toMatchObject({ success: true })
          expect(client.closed).toBeUndefined()
        }
        if (inFlight > 1 || seed !== usualSeed) return
        const done = actions
          .map(({ name }) => name)
          .filter((name) => !neverDone.some((other) => other === name))
        expect([...succeeded].toSorted()).toEqual(done.toSorted())
        expect([...refused]).toEqual(expect.arrayContaining([...errors]))
      },
    )
  })
