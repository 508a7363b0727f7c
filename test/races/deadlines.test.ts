import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { deadlines } from '../../shared/protocol/limits.ts'
import type { Client, Response } from '../support/client.ts'
import type { Fault } from '../support/engine-proxy.ts'
import { startWorld, type World } from '../support/world.ts'
import { errorOf, logOf, message } from './stored.ts'

// A request's time passes by hand: nothing else here waits for a clock.
type FaultFor = (operation: string, request: string) => Fault | undefined | Promise<undefined>

let world: World
const faults = new Map<string, FaultFor>()
const calls = new Map<string, number>()
beforeAll(async () => {
  world = await startWorld({ stream: false })
  // a fault is for the calls that name its own chat or licence
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
beforeEach(() => {
  const toFake = ['setTimeout', 'clearTimeout', 'performance', 'Date'] as const
  vi.useFakeTimers({ toFake: [...toFake], shouldClearNativeTimers: true })
})
afterEach(() => {
  faults.clear()
  calls.clear()
  vi.useRealTimers()
})

const openChat = async () => {
  const license = await world.license({ ann: {}, ben: {} })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  const { chat } = await ann.ok('start_chat', { initial_events: [message('first')] })
  await ben.received()
  return { license, ann, ben, chat_id: chat.id as string }
}

/** Lets a request's time pass once it hangs; fails where it is answered before that is over. */
const timeOut = async (
  client: Client,
  request: Promise<Response>,
  hangs: Promise<unknown>,
): Promise<void> => {
  let answer: Response | undefined
  const answered = request.then((one) => (answer = one))
  await hangs
  await vi.advanceTimersByTimeAsync(deadlines.abortMs - 1)
  await client.caughtUp()
  expect(answer).toBeUndefined()
  await vi.advanceTimersByTimeAsync(1)
  expect(errorOf(await answered)).toBe('request_timeout')
}

const textsOf = async (chat: string) => (await logOf(world, chat)).map(({ event }) => event.text)

/** Holds the calls that fit for ever, or until they are let go. */
const hang = (id: string, fits: (operation: string, request: string) => boolean) => {
  const over = Promise.withResolvers<undefined>()
  const hangs = Promise.withResolvers<void>()
  faults.set(id, (operation, request) => {
    if (!fits(operation, request)) return undefined
    hangs.resolve()
    return over.promise
  })
  const letGo = () => {
    faults.set(id, () => undefined)
    over.resolve(undefined)
  }
  return { hangs: hangs.promise, letGo }
}

/** Nothing of a request runs on: the next one makes its own three calls to the chat, and no other is made. */
const doesNoMore = async ({ ann, ben, chat_id }: Awaited<ReturnType<typeof openChat>>) => {
  const made = calls.get(chat_id)!
  const { event } = await ann.ok('send_event', { chat_id, event: message('next') })
  expect(calls.get(chat_id)).toBe(made + 3)
  expect(await textsOf(chat_id)).toEqual(['first', 'next'])
  expect((await ben.received()).map(({ payload }: any) => payload.event.id)).toEqual([event.id])
}

const conflict = { CancellationReasons: [{ Code: 'TransactionConflict' }, { Code: 'None' }] }

describe('a request', () => {
  test.each<[action: string, operation: string, Fault]>([
    ['send_event', 'PutItem', { errorType: 'ConditionalCheckFailedException' }],
    ['close_thread', 'TransactWriteItems', { errorType: 'TransactionCanceledException', body: conflict }],
  ])(
    '%s that loses every race is refused after 12 s with too_many_requests, and stored nowhere',
    async (action, operation, fault) => {
      const chat = await openChat()
      const { ann, chat_id } = chat
      let lost = Promise.withResolvers<void>()
      faults.set(chat_id, (called) => {
        if (called !== operation) return undefined
        lost.resolve()
        return fault
      })
      const answer = ann.call(action, { chat_id, event: message('late') })
      await lost.promise
      await vi.advanceTimersByTimeAsync(deadlines.lastRetryMs)
      // there is time for one more
      lost = Promise.withResolvers()
      await lost.promise
      await vi.advanceTimersByTimeAsync(1)
      expect(errorOf(await answer)).toBe('too_many_requests')
      faults.set(chat_id, () => undefined)
      await doesNoMore(chat)
    },
  )

  test.each(['GetItem', 'Query'])(
    'of which a read hangs is answered request_timeout at 15 s, and does no more (%s)',
    async (operation) => {
      const chat = await openChat()
      const { ann, chat_id } = chat
      const { hangs, letGo } = hang(chat_id, (called) => called === operation)
      await timeOut(ann, ann.call('send_event', { chat_id, event: message('never') }), hangs)
      letGo()
      await doesNoMore(chat)
    },
  )

  const event = { ...message('hello'), custom_id: 'once' }

  test('whose put hangs, and is done after all, is placed once: repeated, it is answered and pushed', async () => {
    const { ann, ben, chat_id } = await openChat()
    const { hangs, letGo } = hang(chat_id, (operation) => operation === 'PutItem')
    await timeOut(ann, ann.call('send_event', { chat_id, event }), hangs)
    await ben.receivesNothing()
    letGo()
    let texts = await textsOf(chat_id)
    while (texts.length < 2) texts = await textsOf(chat_id)
    const answer = await ann.ok('send_event', { chat_id, event })
    expect(answer.event).toMatchObject({ id: `${chat_id}_1_2`, order: 2 })
    expect(await textsOf(chat_id)).toEqual(['first', 'hello'])
    expect((await ben.received()).map(({ payload }: any) => payload.event.id)).toEqual([answer.event.id])
  })

  test('of which the read of its audience hangs is placed: repeated, it is answered and pushed', async () => {
    const { license, ann, ben, chat_id } = await openChat()
    const { hangs, letGo } = hang(
      license.id,
      (operation, request) => operation === 'Query' && request.includes('#SOCKETS'),
    )
    await timeOut(ann, ann.call('send_event', { chat_id, event }), hangs)
    await ben.receivesNothing()
    letGo()
    const answer = await ann.ok('send_event', { chat_id, event })
    expect(await textsOf(chat_id)).toEqual(['first', 'hello'])
    expect((await ben.received()).map(({ payload }: any) => payload.event.id)).toEqual([answer.event.id])
  })

  test('for login whose transaction hangs is answered request_timeout; repeated, it logs in', async () => {
    const { license } = await openChat()
    const cleo = await world.open()
    await license.addAgent('cleo')
    const token = await license.token('cleo')
    const { hangs, letGo } = hang(license.id, (operation) => operation === 'TransactWriteItems')
    await timeOut(cleo, cleo.call('login', { token }), hangs)
    letGo()
    expect((await cleo.ok('login', { token })).my_profile.id).toBe('cleo')
  })
})
