import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { customerPushes } from '../../shared/protocol/customer-pushes.ts'
import { pushes } from '../../shared/protocol/pushes.ts'
import type { Client } from '../support/client.ts'
import { sharedWorld } from '../support/world.ts'

type Eventually = (name: any, fits: (payload: any) => boolean) => Promise<unknown>

interface Step {
  who: string
  what: 'sends' | 'is answered' | 'gets'
  frame: any
}

const block = /^(?:(\w+) (sends|gets)|and (is answered)):\n\n```json\n(.*)\n```$/gm

/** What the page says, step by step. */
const stepsOf = (page: string): Step[] => {
  let who = ''
  return [...page.matchAll(block)].map(([, name, what, answered, frame]) => {
    who = name?.toLowerCase() ?? who
    return { who, what: (what ?? answered) as Step['what'], frame: JSON.parse(frame ?? '') }
  })
}

/**
 * Ids and the like that a person copies from answers: `<chat_id>` stands for the same text wherever it
 * stands.
 */
const copied = new Map<unknown, unknown>()
const isBlank = (text: unknown): boolean => typeof text === 'string' && /^<[^<>]+>$/.test(text)

const filledIn = (value: any): any => {
  if (isBlank(value)) {
    if (!copied.has(value)) throw new Error(`The page uses ${value} before it was told`)
    return copied.get(value)
  }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(filledIn)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filledIn(inner)]))
}

/** Copies what the frame has where the page shows a blank for the first time. */
const copy = (shown: any, got: any): void => {
  if (isBlank(shown)) {
    if (!copied.has(shown) && got !== undefined) copied.set(shown, got)
  } else if (typeof shown === 'object' && shown !== null)
    for (const [key, inner] of Object.entries(shown)) copy(inner, got?.[key])
}

const fits = (got: unknown, shown: object): boolean => {
  try {
    expect(got).toMatchObject(shown)
    return true
  } catch {
    return false
  }
}

test(
  'docs/frames.md says what happens, in every frame of it, for every action and nearly every push of both endpoints',
  { tags: ['full'] },
  async () => {
    const world = await sharedWorld({ index: true })
    const license = await world.license(
      { nora: { groups: [1] }, olivia: { permission: 'owner' }, nina: {} },
      { groups: ['Support', 'Sales'], plan: 'enterprise' },
    )
    // what is asked of a client here is the same for both endpoints
    const clients = new Map<string, Pick<Client, 'send' | 'response'> & { eventually: Eventually }>()
    for (const who of ['nora', 'olivia']) {
      clients.set(who, await world.open())
      copied.set(`<token of ${who}>`, await license.token(who))
    }
    const steps = stepsOf(await readFile(join(import.meta.dirname, '../../docs/frames.md'), 'utf8'))
    let sending: Promise<any> | undefined
    for (const { who, what, frame } of steps) {
      // a connection has half a minute to log in
      const client = clients.get(who) ?? (await license.arrive())
      clients.set(who, client)
      if (what === 'sends') {
        // the moment after which it is found
        if (frame.action === 'get_archives') await world.settled()
        client.send(JSON.stringify(filledIn(frame)))
        sending = client.response()
        continue
      }
      if (what === 'gets') {
        const shown = filledIn(frame.payload)
        await client.eventually(frame.action, (payload) => fits(payload, shown))
        continue
      }
      const got = await sending
      copy(frame, got)
      expect(got).toMatchObject(filledIn(frame))
    }

    // worlds ask the policies of functions about their calls by these names
    const callers = new Set(world.proxy.calls.map(({ lambda }) => lambda))
    const bundles = [
      ...agentActions.map(({ name }) => `agent/${name}`),
      ...customerActions.map(({ name }) => `customer/${name}`),
    ]
    expect(bundles.filter((name) => !callers.has(name))).toEqual(['customer/ping'])

    const names = (kind: Step['what'], customers: boolean) => {
      const theirs = steps.filter((step) => step.what === kind && (step.who === 'kim') === customers)
      return [...new Set<string>(theirs.map(({ frame }) => frame.action))].toSorted()
    }
    const without = (table: object, shown: string[]) =>
      Object.keys(table)
        .filter((name) => !shown.includes(name))
        .toSorted()
    expect(names('sends', false)).toEqual(agentActions.map(({ name }) => name).toSorted())
    expect(names('sends', true)).toEqual(customerActions.map(({ name }) => name).toSorted())
    // no request causes these
    expect(without(pushes, names('gets', false))).toEqual([
      ...['agent_created', 'agent_deleted', 'agent_disconnected', 'agent_suspended', 'agent_unsuspended'],
      ...['chat_deleted', 'group_created', 'group_deleted', 'group_updated', 'groups_status_updated'],
    ])
    // what customers get of these is shown as agents do
    expect(without(customerPushes, names('gets', true))).toEqual([
      ...['chat_properties_updated', 'chat_thread_properties_updated', 'chat_users_updated'],
      ...['event_marked_as_seen', 'incoming_chat_thread', 'incoming_typing_indicator'],
      'last_seen_timestamp_updated',
    ])
  },
)
