import { beforeAll, describe, expect, test, vi } from 'vitest'
import type { Client, Response } from '../support/client.ts'
import type { Fault } from '../support/engine-proxy.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { errorOf, logOf, message } from './stored.ts'

// Each of these takes as long as it says, so they run side by side: a fault is for the calls that name its
// own chat or license.
type FaultFor = (operation: string, request: string) => Fault | undefined | Promise<undefined>

let world: World
const faults = new Map<string, FaultFor>()
const calls = new Map<string, number>()
beforeAll(async () => {
  world = await sharedWorld()
  world.proxy.setFault(({ operation, request }) => {
    const text = JSON.stringify(request)
    for (const [id, faultFor] of faults)
      if (text.includes(id)) {
        calls.set(id, (calls.get(id) ?? 0) + 1)
        return faultFor(operation, text)
      }
    return undefined
  })
})

const openChat = async () => {
  const license = await world.license({ ann: {}, ben: {} })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  const { chat } = await ann.ok('start_chat', { initial_events: [message('first')] })
  await ben.received()
  return { license, ann, ben, chat_id: chat.id as string }
}

const timed = async (request: () => Promise<Response>): Promise<[Response, seconds: number]> => {
  const startedAt = performance.now()
  return [await request(), (performance.now() - startedAt) / 1000]
}

const textsOf = async (chat: string) => (await logOf(world, chat)).map(({ event }) => event.text)

/** Holds the calls that fit for ever, or until they are let go. */
const hang = (id: string, fits: FaultFor) => {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  faults.set(id, (operation, request) => (fits(operation, request) === undefined ? undefined : promise))
  return () => {
    faults.set(id, () => undefined)
    resolve(undefined)
  }
}
const yes: Fault = {}

/** Nothing of a request runs on: the next one makes its own three calls to the chat, and no other is made. */
const doesNoMore = async ({ ann, ben, chat_id }: Awaited<ReturnType<typeof openChat>>) => {
  const made = calls.get(chat_id)!
  const { event } = await ann.ok('send_event', { chat_id, event: message('next') })
  expect(calls.get(chat_id)).toBe(made + 3)
  expect(await textsOf(chat_id)).toEqual(['first', 'next'])
  expect((await ben.received()).map(({ payload }: any) => payload.event.id)).toEqual([event.id])
}

const conflict = { CancellationReasons: [{ Code: 'TransactionConflict' }, { Code: 'None' }] }

// no more than run at a time
describe.concurrent('a request', () => {
  test('that loses every race is refused after 12 s with too_many_requests, and stored nowhere', async () => {
    const races: [action: string, operation: string, Fault][] = [
      ['send_event', 'PutItem', { errorType: 'ConditionalCheckFailedException' }],
      ['close_thread', 'TransactWriteItems', { errorType: 'TransactionCanceledException', body: conflict }],
    ]
    const lost = races.map(async ([action, operation, fault]) => {
      const chat = await openChat()
      const { ann, chat_id } = chat
      faults.set(chat_id, (called) => (called === operation ? fault : undefined))
      const [answer, seconds] = await timed(() => ann.call(action, { chat_id, event: message('late') }))
      expect(errorOf(answer)).toBe('too_many_requests')
      expect(seconds).toBeGreaterThan(12)
      expect(seconds).toBeLessThan(15)
      faults.set(chat_id, () => undefined)
      await doesNoMore(chat)
    })
    await Promise.all(lost)
  })

  test('of which a read hangs is answered request_timeout at 15 s, and does no more', async () => {
    const hung = ['GetItem', 'Query'].map(async (operation) => {
      const chat = await openChat()
      const { ann, chat_id } = chat
      const letGo = hang(chat_id, (called) => (called === operation ? yes : undefined))
      const [answer, seconds] = await timed(() =>
        ann.call('send_event', { chat_id, event: message('never') }),
      )
      expect(errorOf(answer)).toBe('request_timeout')
      expect(seconds).toBeGreaterThan(14.9)
      expect(seconds).toBeLessThan(17)
      letGo()
      await doesNoMore(chat)
    })
    await Promise.all(hung)
  })

  const repeats = async (ann: Client, ben: Client, chat_id: string) => {
    const event = { ...message('hello'), custom_id: 'once' }
    const [answer, seconds] = await timed(() => ann.call('send_event', { chat_id, event }))
    expect(errorOf(answer)).toBe('request_timeout')
    expect(seconds).toBeLessThan(17)
    await ben.receivesNothing()
    return () => ann.ok('send_event', { chat_id, event })
  }

  test('whose put hangs, and is done after all, is placed once: repeated, it is answered and pushed', async () => {
    const { ann, ben, chat_id } = await openChat()
    const letGo = hang(chat_id, (operation) => (operation === 'PutItem' ? yes : undefined))
    const repeat = await repeats(ann, ben, chat_id)
    letGo()
    await vi.waitFor(async () => expect(await textsOf(chat_id)).toEqual(['first', 'hello']), 30_000)
    const { event } = await repeat()
    expect(event).toMatchObject({ id: `${chat_id}_1_2`, order: 2 })
    expect(await textsOf(chat_id)).toEqual(['first', 'hello'])
    expect((await ben.received()).map(({ payload }: any) => payload.event.id)).toEqual([event.id])
  })

  test('of which the read of its audience hangs is placed: repeated, it is answered and pushed', async () => {
    const { license, ann, ben, chat_id } = await openChat()
    const letGo = hang(license.id, (operation, request) =>
      operation === 'Query' && request.includes('#SOCKETS') ? yes : undefined,
    )
    const repeat = await repeats(ann, ben, chat_id)
    letGo()
    const { event } = await repeat()
    expect(await textsOf(chat_id)).toEqual(['first', 'hello'])
    expect((await ben.received()).map(({ payload }: any) => payload.event.id)).toEqual([event.id])
  })

  test('for login whose transaction hangs is answered request_timeout; repeated, it logs in', async () => {
    const { license } = await openChat()
    const cleo = await world.open()
    await license.addAgent('cleo')
    const token = await license.token('cleo')
    const letGo = hang(license.id, (operation) => (operation === 'TransactWriteItems' ? yes : undefined))
    const [answer, seconds] = await timed(() => cleo.call('login', { token }))
    expect(errorOf(answer)).toBe('request_timeout')
    expect(seconds).toBeLessThan(17)
    letGo()
    expect((await cleo.ok('login', { token })).my_profile.id).toBe('cleo')
  })
})
