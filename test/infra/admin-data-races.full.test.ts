import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { keys } from '../../shared/table/keys.ts'
import { calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { mapAtOnce } from '../support/map-at-once.ts'
import type { License, World } from '../support/world.ts'
import {
  type DataWorld,
  type KnownCustomer,
  knownCustomer,
  message,
  openDataWorld,
  tombstone,
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
const staffed = () => world.license({ ann: { name: 'Ann', max_chats: 100 } })

/** What is asked for while the customer is taken away: all of it ends before the rest is erased, as in time it does. */
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
  const customer = () => knownCustomer(world, license, { brief: true })
  const ask = (known: KnownCustomer) => asked[what]!(known, ann, license)
  let steps = 0
  const whole = await customer()
  world.proxy.setFault(() => {
    steps += 1
    return undefined
  })
  await ask(whole)
  world.proxy.setFault(undefined)
  expect(steps).toBeGreaterThan(3)

  // a customer for each call, which is held until all else of each is taken away
  const held: { known: KnownCustomer; running: Promise<unknown>; letGo: () => void }[] = []
  const customers = await mapAtOnce(Array.from({ length: steps }), customer)
  for (const [before, known] of customers.entries()) {
    const [reached, over] = [Promise.withResolvers<true>(), Promise.withResolvers<undefined>()]
    let calls = 0
    world.proxy.setFault(() => {
      if ((calls += 1) !== before + 1) return undefined
      reached.resolve(true)
      return over.promise
    })
    const running = ask(known)
    await Promise.race([reached.promise, running])
    held.push({ known, running, letGo: () => over.resolve(undefined) })
  }
  world.proxy.setFault(undefined)
  held.push({ known: whole, running: Promise.resolve(), letGo: () => {} })
  const erased = await Promise.all(
    held.map(({ known, running, letGo }) =>
      data.admin(['customer', 'erase', license.id, known.id, '--yes'], {
        pause: async () => {
          letGo()
          await running
          await calm(world)
        },
      }),
    ),
  )
  await calm(world)
  const items = await data.everything()
  for (const [before, { known }] of held.entries())
    expect([before + 1, erased[before]?.code, tracesIn(items, ...known.clues)]).toEqual([
      before + 1,
      0,
      [tombstone(license, known.id)],
    ])
  expect(await loadOf(license, 'ann')).toBe(0)
})
