import * as fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import type { ErrorType } from '../../shared/protocol/errors.ts'
import type { Client, Response, WireError } from '../support/client.ts'
import { addCustomer } from '../support/customers.ts'
import { startWorld, type World } from '../support/world.ts'
import { anyFrame, idMark, type RealIds } from './any-frame.ts'

const count = 10_000
const inFlight = 25
const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

interface Sent {
  frame: string
  /** What its `request_id` is, if it can be read. */
  id: string
}

let world: World
let sockets: Client[]
let ids: RealIds
beforeAll(async () => {
  // sockets that never log in stay open for as long as this takes
  world = await startWorld({ delayScale: 100 })
  const license = await world.license(
    { ann: { permission: 'owner' }, ben: {}, cleo: {}, dan: { permission: 'administrator' } },
    { groups: ['Support', 'Sales'] },
  )
  await addCustomer(world, license.id, 'carl')
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
  ids = {
    chats: chats.map(({ id }) => id),
    threads: chats.flatMap(({ id, thread }) => [thread.id, `${id}_2`]),
    agents: ['ann', 'ben', 'cleo', 'dan', 'zoe'],
    customers: ['carl', 'nobody'],
  }
  sockets = [...loggedIn, await world.open()]
})

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
const answersOf = async (client: Client, sent: readonly Sent[]): Promise<Response[]> => {
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

const responses = ({ frames }: Client): number =>
  frames.filter((frame) => JSON.parse(frame).type === 'response').length

describe('any frame whatever', () => {
  test(
    'gets one well-formed answer, never internal, and the socket lives',
    { timeout: 180_000 },
    async () => {
      process.stdout.write(`FUZZ_SEED=${seed} gives these ${count} frames again\n`)
      const generated = fc
        .sample(anyFrame(ids), { numRuns: count, seed })
        .map((frame, index): Sent => ({ frame: frame.replaceAll(idMark, `f${index}`), id: `f${index}` }))
      expect(generated.every(({ frame }) => Buffer.byteLength(frame) <= 32 * 1024)).toBe(true)
      const before = sockets.map(responses)

      const succeeded = new Set<string | undefined>()
      const refused = new Set<ErrorType | undefined>()
      await Promise.all(
        sockets.map(async (client, index) => {
          const mine = generated.filter((_, i) => i % sockets.length === index)
          for (let from = 0; from < mine.length; from += inFlight)
            for (const answer of await answersOf(client, mine.slice(from, from + inFlight)))
              if (answer.success) succeeded.add(answer.action)
              else refused.add(errorOf(answer))
        }),
      )

      // nothing was answered twice
      await world.gateway.idle()
      for (const [index, client] of sockets.entries()) {
        await client.caughtUp()
        const mine = generated.filter((_, i) => i % sockets.length === index)
        expect(responses(client) - (before[index] ?? 0)).toBe(mine.length)
        expect(await client.call('ping')).toMatchObject({ success: true })
        expect(client.closed).toBeUndefined()
      }
      // the frames went deep enough: every action was carried out, but login, for which no token was right
      expect([...succeeded].toSorted()).toEqual(
        agentActions
          .map(({ name }) => name)
          .filter((name) => name !== 'login')
          .toSorted(),
      )
      expect([...refused]).toEqual(
        expect.arrayContaining(['validation', 'auth', 'authorization', 'not_found']),
      )
    },
  )
})
