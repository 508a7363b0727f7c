import { beforeAll, describe, expect, test } from 'vitest'
import type { Client } from '../support/client.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'
import { atEachStep, calm } from './holding.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})

/**
 * Ann is there; Lea logs in and is gone again before the next run, so that each login is the first of its
 * agent.
 */
const openOffice = async () => {
  const license = await world.license({ ann: { permission: 'owner' }, ben: {}, lea: {} })
  const ann = await license.login('ann')
  return { license, ann }
}

const newcomer = async (license: License, before?: Client) => {
  await before?.close()
  const token = await license.token('lea')
  await calm(world)
  const lea = await world.open()
  let answer: any
  const login = async () => {
    answer = await lea.ok('login', { token })
  }
  /** The chat as the answer shows it. */
  const answered = (chat: string) => answer.chats_summary.find(({ id }: any) => id === chat)
  return { lea, login, answered }
}

const message = (text: string) => ({ type: 'message', text })
const hidden = { scopes: { agents: ['ann'] } }

const learnsOf = (event: { id: string }, chat: string, summary: any, pushes: Client['pushes']): boolean =>
  summary?.last_thread_summary.last_event_per_type.some(({ id }: any) => id === event.id) === true ||
  pushes.some(
    ({ action, payload }: any) =>
      (action === 'incoming_event' && payload.event.id === event.id) ||
      (action === 'incoming_chat_thread' &&
        payload.chat.id === chat &&
        payload.chat.thread.events.some(({ id }: any) => id === event.id)),
  )

const isIn = (id: string, users: any[]) => users.some((user) => user.id === id && user.present)

/** Whether lea, by the answer to its login and what was pushed to it since, knows of something. */
type Knows = (pushes: Client['pushes'], answered: (chat: string) => any) => boolean

const pushed = (pushes: Client['pushes'], action: string, fits: (payload: any) => boolean) =>
  pushes.some((push) => push.action === action && fits(push.payload))

/** Something that happens to a chat, again and again, and how lea learns of it. */
interface Happening {
  /** Makes it possible once more, where it has happened. */
  before(): Promise<unknown>
  happens(): Promise<unknown>
  known: Knows
}

const happenings = {
  'a chat that starts': async (ann) => {
    let chat: any
    return {
      before: async () => chat && ann.call('close_thread', { chat_id: chat.id }),
      happens: async () => {
        ;({ chat } = await ann.ok('start_chat', { initial_events: [message('hello')] }))
      },
      known: (pushes, answered) =>
        answered(chat.id) !== undefined ||
        pushed(pushes, 'incoming_chat_thread', (payload) => payload.chat.id === chat.id),
    }
  },
  'an event': async (ann) => {
    const { chat } = await ann.ok('start_chat', { initial_events: [message('before')] })
    let event: any
    return {
      before: async () => {},
      happens: async () => {
        ;({ event } = await ann.ok('send_event', { chat_id: chat.id, event: message('hello') }))
      },
      known: (pushes, answered) => learnsOf(event, chat.id, answered(chat.id), pushes),
    }
  },
  'an event that starts the next thread of a chat': async (ann) => {
    const { chat } = await ann.ok('start_chat', { initial_events: [message('before')] })
    let event: any
    return {
      before: () => ann.call('close_thread', { chat_id: chat.id }),
      happens: async () => {
        ;({ event } = await ann.ok('send_event', { chat_id: chat.id, event: message('hello') }))
      },
      known: (pushes, answered) => learnsOf(event, chat.id, answered(chat.id), pushes),
    }
  },
  'an agent that joins a chat': async (ann) => {
    const { chat } = await ann.ok('start_chat')
    const ben = { chat_id: chat.id, agent_ids: ['ben'] }
    return {
      before: () => ann.ok('remove_from_chat', ben),
      happens: () => ann.ok('join_chat', ben),
      known: (pushes, answered) =>
        isIn('ben', answered(chat.id).users) ||
        pushed(pushes, 'incoming_chat_thread', (payload) => isIn('ben', payload.chat.users)) ||
        pushed(pushes, 'chat_users_updated', ({ updated_users }) => isIn('ben', updated_users.agents.added)),
    }
  },
  'a hidden chat that it is added to': async (ann) => {
    const { chat } = await ann.ok('start_chat', { chat: hidden })
    const lea = { chat_id: chat.id, agent_ids: ['lea'] }
    return {
      before: () => ann.ok('remove_from_chat', lea),
      happens: () => ann.ok('join_chat', lea),
      known: (pushes, answered) =>
        answered(chat.id) !== undefined ||
        pushed(pushes, 'incoming_chat_thread', (payload) => payload.chat.id === chat.id),
    }
  },
  'its removal from a hidden chat': async (ann) => {
    const { chat } = await ann.ok('start_chat', { chat: hidden })
    const lea = { chat_id: chat.id, agent_ids: ['lea'] }
    return {
      before: () => ann.ok('join_chat', lea),
      happens: () => ann.ok('remove_from_chat', lea),
      known: (pushes, answered) =>
        answered(chat.id) === undefined ||
        pushed(pushes, 'chat_users_updated', ({ chat_id, updated_users }) =>
          [chat_id === chat.id, updated_users.agents.removed_ids.includes('lea')].every(Boolean),
        ),
    }
  },
  'a thread that closes': async (ann) => {
    const { chat } = await ann.ok('start_chat')
    return {
      before: () => ann.ok('send_event', { chat_id: chat.id, event: message('again') }),
      happens: () => ann.ok('close_thread', { chat_id: chat.id }),
      known: (pushes, answered) =>
        answered(chat.id)?.last_thread_summary.active !== true ||
        pushed(pushes, 'thread_closed', ({ chat_id }) => chat_id === chat.id),
    }
  },
} satisfies Record<string, (ann: Client) => Promise<Happening>>

describe('what happens while an agent logs in is in its answer or pushed', () => {
  test('at each step of the login, all of it', async () => {
    const { license, ann } = await openOffice()
    const all: [string, Happening][] = []
    for (const [name, open] of Object.entries(happenings)) all.push([name, await open(ann)])
    let lea: Client | undefined
    const steps = await atEachStep(world, async () => {
      for (const [, { before }] of all) await before()
      const next = await newcomer(license, lea)
      lea = next.lea
      return {
        held: next.login,
        meanwhile: async () => {
          for (const [, { happens }] of all) await happens()
        },
        check: async () => {
          const pushes = await next.lea.received()
          const unknown = all.filter(([, { known }]) => !known(pushes, next.answered)).map(([name]) => name)
          expect(unknown).toEqual([])
        },
      }
    }, ['alone'])
    expect(steps).toBeGreaterThan(15)
  })

  test.each(Object.entries(happenings))('%s, where the login runs at any step of it', async (_, open) => {
    const { license, ann } = await openOffice()
    const one: Happening = await open(ann)
    let lea: Client | undefined
    const steps = await atEachStep(world, async () => {
      await one.before()
      const next = await newcomer(license, lea)
      lea = next.lea
      return {
        held: one.happens,
        meanwhile: next.login,
        check: async () => expect(one.known(await next.lea.received(), next.answered)).toBe(true),
      }
    }, ['alone'])
    expect(steps).toBeGreaterThanOrEqual(4)
  })
})

test('whoever is removed from a hidden chat at any step of its login is shown nothing that came after', async () => {
  const { license, ann } = await openOffice()
  const { chat } = await ann.ok('start_chat', { chat: hidden })
  const lea = { chat_id: chat.id, agent_ids: ['lea'] }
  let before: Client | undefined
  let runs = 0
  await atEachStep(world, async () => {
    await ann.ok('join_chat', lea)
    const next = await newcomer(license, before)
    before = next.lea
    const secret = `secret ${(runs += 1)}.`
    return {
      held: next.login,
      meanwhile: async () => {
        await ann.ok('remove_from_chat', lea)
        await ann.ok('send_event', { chat_id: chat.id, event: message(secret) })
      },
      check: async () => {
        await next.lea.caughtUp()
        expect(next.lea.frames.filter((frame) => frame.includes(secret))).toEqual([])
      },
    }
  })
})
