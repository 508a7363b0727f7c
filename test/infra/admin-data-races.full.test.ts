import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { keys } from '../../shared/table/keys.ts'
import { calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import type { License, World } from '../support/world.ts'
import {
  type DataWorld,
  type KnownCustomer,
  knownCustomer,
  message,
  openDataWorld,
  expectErased,
  tracesIn,
} from './data-world.ts'

let data: DataWorld
let world: World
beforeAll(async () => {
  data = await openDataWorld()
  world = data.world
})
afterEach(() => world.proxy.setFault(undefined))
afterAll(() => data.close())

const loadOf = async (license: License, agent: string) =>
  (await world.table.read.get(keys.load(license.id, agent), { strong: true }))?.['active']
const staffed = () => world.license({ ann: { name: 'Ann' } })

/**
 * What is asked for while the customer is taken away: all of it ends before the rest is erased, as in time it
 * does.
 */
const asked: Record<string, (of: KnownCustomer, ann: Client, license: License) => Promise<unknown>> = {
  "customer's event": ({ client, chat_id, clue }) =>
    client.call('send_event', { chat_id, event: message(`${clue} late`) }),
  "agent's event": ({ chat_id, clue }, ann) =>
    ann.call('send_event', { chat_id, event: message(`${clue} late`) }),
  "customer's thread": ({ client, clue }) =>
    client.call('start_chat', { chat: { thread: { events: [message(`${clue} late`)] } } }),
  "agent's properties": ({ chat_id, clue }, ann) =>
    ann.call('update_chat_properties', { chat_id, properties: { late: { note: clue } } }),
  'what an agent has seen': ({ chat_id }, ann) => ann.call('update_last_seen_timestamp', { chat_id }),
  'what it tells of itself': ({ client, clue }) =>
    client.call('update_customer', { customer: { name: `${clue} late` } }),
  'a login': async ({ token, clue }, _, license) =>
    (await license.arrive()).call('login', { token, customer: { name: `${clue} late` } }),
  'a ban': ({ id }, ann) => ann.call('ban_customer', { customer_id: id, ban: { days: 1 } }),
}

test.each(Object.keys(asked))('nothing is left of %s under way at any of its calls', async (what) => {
  const license = await staffed()
  const ann = await license.login('ann')
  const taken: KnownCustomer[] = []
  for (let step = 1; ; step += 1) {
    const known = await knownCustomer(world, license, { brief: true })
    const [reached, over] = [Promise.withResolvers<true>(), Promise.withResolvers<undefined>()]
    let calls = 0
    let isSealing = false
    world.proxy.setFault(() => {
      // the command's own go on, and so do the workers'
      if (isSealing || (calls += 1) !== step) return undefined
      reached.resolve(true)
      return over.promise
    })
    const running = asked[what]!(known, ann, license)
    const isHeld = await Promise.race([reached.promise, running.then(() => false)])
    isSealing = true
    const erased = await data.admin(['customer', 'erase', license.id, known.id, '--yes'], {
      pause: async () => {
        over.resolve(undefined)
        await running
        await calm(world)
      },
    })
    world.proxy.setFault(undefined)
    expect([step, erased.code]).toEqual([step, 0])
    expect(await loadOf(license, 'ann')).toBe(0)
    taken.push(known)
    if (!isHeld) break
  }
  // all at once: a look at the whole table takes as long as a step
  const items = await data.everything()
  for (const [index, { clues, id }] of taken.entries())
    try {
      expectErased(tracesIn(items, ...clues), license, id)
    } catch (error) {
      throw new Error(`Held at call ${index + 1}`, { cause: error })
    }
  expect(taken.length).toBeGreaterThan(3)
})
