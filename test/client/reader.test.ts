import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ChatError } from '../../shared/client/chat-error.ts'
import { ChatReader, type ReadThreads, type ThreadsAnswer } from '../../shared/client/chat-reader.ts'
import { Chats } from '../../shared/client/chats.ts'
import { type ChatPushes, Keeper } from '../../shared/client/keeper.ts'

type User = { id: string; present: boolean }
type Event = { id: string; order: number }
type Pushes = ChatPushes<User, Event>

/** A server with one chat of one thread: what is asked and what is pushed arrives when a test says so. */
const openServer = (mostKept: number) => {
  const chats = new Chats<User, Event>({ chats: 1, threadsPerChat: 1, eventsPerThread: mostKept })
  const heard: number[] = []
  const pushes: (() => void)[] = []
  const answers: (() => void)[] = []
  // as a customer sees them: of the others it knows the numbers alone
  const visible: number[] = []
  let last = 0
  let hasAccess = true
  let users: User[] = [{ id: 'ann', present: true }]
  const page = (payload: ReadThreads): ThreadsAnswer<User, Event> => {
    const { before_order: before, after_order: after, limit } = payload
    const asked = visible.filter((order) => order < (before ?? Infinity) && order > (after ?? 0))
    const most = limit ?? 3
    const kept =
      typeof after === 'number' ? asked.slice(0, most) : asked.slice(Math.max(0, asked.length - most))
    const thread = {
      ...{ id: 'c_1', active: true, timestamp: 1, user_ids: [], last_order: last },
      events: kept.map((order) => ({ id: `e${order}`, order })),
      ...(kept.length < asked.length ? { has_more: true } : {}),
    }
    return { chat: { id: 'c', users, threads: [thread], threads_summary: [{ thread_id: 'c_1', order: 1 }] } }
  }
  const reading = {
    chats,
    read: (payload: ReadThreads) => {
      const answer = page(payload)
      const refusal = hasAccess ? undefined : new ChatError({ type: 'authorization', message: 'No access' })
      return new Promise<typeof answer>((resolve, reject) =>
        answers.push(() => (refusal === undefined ? resolve(answer) : reject(refusal))),
      )
    },
    heard: ({ event }: { event: Event }) => heard.push(event.order),
  }
  const reader = new ChatReader<User, Event>(reading)
  const keeper = new Keeper<User, Event>(reading, reader)
  const of = { chat_id: 'c', thread_id: 'c_1' }
  const send = (isVisible: boolean) => {
    last += 1
    if (!isVisible) return
    const event = { id: `e${last}`, order: last }
    visible.push(last)
    pushes.push(() => keeper.take({ name: 'incoming_event', payload: { ...of, event } }))
  }
  const leaveOrCome = (present: boolean) => {
    users = [{ id: 'ann', present }]
    const change = present ? { added: users, removed_ids: [] } : { added: [], removed_ids: ['ann'] }
    const payload: Pushes['chat_users_updated'] = { chat_id: 'c', updated_users: change }
    keeper.take({ name: 'chat_users_updated', payload })
  }
  const setAccess = (has: boolean) => {
    hasAccess = has
    const [thread] = page({ chat_id: 'c' }).chat.threads
    const shown: Pushes['incoming_chat_thread'] = { chat: { id: 'c', users, thread: thread! } }
    pushes.push(() =>
      keeper.take(
        has
          ? { name: 'incoming_chat_thread', payload: shown }
          : { name: 'chat_scopes_updated', payload: { chat_id: 'c' } },
      ),
    )
  }
  return { chats, heard, pushes, answers, visible, reader, send, leaveOrCome, setAccess, users: () => users }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('send'), isVisible: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('users'), isPresent: fc.boolean() }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('push', 'answer'), at: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('drop'), at: fc.nat(3) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('ask'),
      limit: fc.option(fc.integer({ min: 1, max: 4 })),
      place: fc.option(fc.tuple(fc.constantFrom('before_order', 'after_order'), fc.nat(30))),
    }),
  },
)

test('a store has no gap and is told each event once, whatever order pushes, reads and an app have', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 40 }),
      fc.boolean(),
      fc.array(step, { maxLength: 40, size: 'max' }),
      async (kept, isLossy, steps) => {
        const server = openServer(kept)
        const { chats, heard, pushes, answers, visible, reader } = server
        for (const isVisible of [true, true, true, false, true, true]) server.send(isVisible)
        pushes.length = 0
        void reader.read('c')
        answers.shift()?.()
        await new Promise(setImmediate)
        let isMissed = false
        for (const one of steps) {
          if ('isVisible' in one) server.send(one.isVisible)
          else if ('isPresent' in one) server.leaveOrCome(one.isPresent)
          else if ('limit' in one) {
            const where = one.place === null ? {} : { [one.place[0]]: one.place[1] }
            void reader.ask({ chat_id: 'c', thread_ids: ['c_1'], limit: one.limit, ...where })
          } else if (one.do === 'drop') isMissed ||= isLossy && pushes.splice(one.at, 1).length > 0
          else {
            const [due] = (one.do === 'push' ? pushes : answers).splice(one.at, 1)
            due?.()
            await new Promise(setImmediate)
          }
          const events = chats.get('c')?.threads[0]?.events.map(({ order }) => order) ?? []
          const from = visible.indexOf(events[0]!)
          expect(events).toEqual(visible.slice(from, from + events.length))
        }
        for (const push of pushes) push()
        // as after a cut, when a sync names the chat
        if (isMissed) void reader.read('c')
        for (; answers.length > 0; await new Promise(setImmediate)) answers.shift()?.()
        expect(heard).toEqual(visible.slice(5))
        const chat = chats.get('c')!
        const events = chat.threads[0]!.events.map(({ order }) => order)
        expect(events.at(-1)).toBe(visible.at(-1))
        if (steps.every((one) => !('limit' in one))) expect(events.length).toBeLessThanOrEqual(kept)
        expect(chat.threads[0]!.has_more === true).toBe(events[0] !== visible[0])
        expect(chat.users).toEqual(server.users())
        expect(reader.isComplete).toBe(true)
      },
    ),
    { numRuns: 2000 },
  )
})

test('a chat is held while there is access to it, also where the refusal of a read comes after', async () => {
  const steps = fc.array(fc.constantFrom('lose', 'gain', 'send', 'push', 'answer'), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const { chats, pushes, answers, reader, send, setAccess } = openServer(10)
      setAccess(true)
      let hasAccess = true
      for (const one of all) {
        if (one === 'push' || one === 'answer') (one === 'push' ? pushes : answers).shift()?.()
        else if (one === 'send') send(hasAccess)
        else {
          hasAccess = one === 'gain'
          setAccess(hasAccess)
        }
        await new Promise(setImmediate)
      }
      for (const push of pushes) push()
      for (; answers.length > 0; await new Promise(setImmediate)) answers.shift()?.()
      expect(chats.get('c') !== undefined).toBe(hasAccess)
      expect(reader.isComplete).toBe(true)
    }),
    { numRuns: 500, examples: [[['lose', 'push', 'push', 'gain']]] },
  )
})
