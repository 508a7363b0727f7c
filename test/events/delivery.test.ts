import { afterEach, beforeAll, expect, test } from 'vitest'
import { entryOf } from '../../shared/events/bus-entry.ts'
import { putEvents } from '../../shared/events/put-events.ts'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { changeLicense } from '../../shared/provisioning/change-license.ts'
import { keys } from '../../shared/table/keys.ts'
import type { Client } from '../support/client.ts'
import { message } from '../support/events.ts'
import { named } from '../support/lambda-name.ts'
import { type Sent, sentBy } from './events.ts'
import { startWorld, type License, useSettings, type World } from '../support/world.ts'

let world: World
/** How the stream's worker dies next: before it has done anything, or once it has done all but said so. */
let dies: 'before' | 'after' | undefined
/** What the stream's worker waits for. */
let held: Promise<void> | undefined

beforeAll(async () => {
  world = await startWorld({
    events: {},
    around: (lambda, run) =>
      named(lambda, async (event) => {
        if (lambda.name !== 'worker/notify') return run(event)
        await held
        if (dies === undefined) return run(event)
        const how = dies
        dies = undefined
        if (how === 'after') await run(event)
        throw new Error('The worker was killed')
      }),
  })
})
afterEach(() => world.events?.setFault(undefined))

const texts = (events: readonly Sent[]): string[] =>
  events.flatMap(({ 'detail-type': name, detail }) =>
    name === 'incoming_event' ? [detail.payload.event.text] : [],
  )
/** The events of a license up to now. */
const eventsOf = async ({ id }: License): Promise<Sent[]> => {
  await world.settled()
  return sentBy(world).filter(({ detail }) => detail.license_id === id)
}

const open = async (settings: { events?: boolean } = { events: true }) => {
  const license = await world.license({ ann: {}, robo: {} }, { settings })
  const ann = await license.login('ann')
  const { chat } = await ann.ok('start_chat')
  const say = async (text: string, client: Client = ann) => {
    await client.ok('send_event', { chat_id: chat.id, event: message(text) })
  }
  await world.settled()
  return { license, ann, chat_id: chat.id, say }
}

test('a license sends events while it has them on, and no other does', async () => {
  const [quiet, loud] = [await open({}), await open()]
  await quiet.say('one')
  await loud.say('one')
  expect(await eventsOf(quiet.license)).toEqual([])
  expect(texts(await eventsOf(loud.license))).toEqual(['one'])
  await changeLicense(world.table, quiet.license.id, { events: true })
  await changeLicense(world.table, loud.license.id, { events: false })
  await quiet.say('two')
  await loud.say('two')
  expect(texts(await eventsOf(quiet.license))).toEqual(['two'])
  expect(texts(await eventsOf(loud.license))).toEqual(['one'])
})

test('what the bus refuses of a call is put again, and nothing else of the call', async () => {
  const { license, ann, chat_id } = await open()
  let refused = 0
  world.events!.setFault(({ detail }: Sent) => {
    if (detail.payload.event?.text !== 'refused' || refused === 2) return undefined
    refused += 1
    return 'ThrottlingException'
  })
  const said = ['kept', 'refused', 'kept too']
  await Promise.all(said.map((text) => ann.ok('send_event', { chat_id, event: message(text) })))
  expect(texts(await eventsOf(license)).toSorted()).toEqual(['kept', 'kept too', 'refused'])
  expect(refused).toBe(2)
})

test('what the bus never takes is left out, and holds up nothing that comes behind it', async () => {
  const { license, say } = await open()
  let refused = 0
  world.events!.setFault(({ detail }: Sent) => {
    if (detail.payload.event?.text !== 'odd') return undefined
    refused += 1
    return 'MalformedDetail'
  })
  for (const text of ['one', 'odd', 'two']) await say(text)
  expect(texts(await eventsOf(license))).toEqual(['one', 'two'])
  expect(refused).toBe(1)
})

test('where time is up, no call begins, and what the others put is known: the next attempt goes on there', async () => {
  const { license } = await open()
  useSettings(world)
  const up = new AbortController()
  const entries = Array.from({ length: 50 }, (_, n) => ({
    entry: entryOf(
      { name: 'chat_unfollowed', payload: { chat_id: `c${n}` } },
      { license: license.id, author: undefined, atS: 1_800_000_000 },
    )!,
  }))
  world.events!.setFault(() => {
    up.abort()
    return undefined
  })
  const left = await putEvents(entries, { signal: up.signal, pause: async () => {} })
  // four calls of ten are under way at a time
  expect(left.map(({ of }) => of)).toEqual(entries.slice(40))
  expect(await eventsOf(license)).toHaveLength(40 + 1)
})

test('a customer’s change is told where the end of its thread began before it and is stored behind it', async () => {
  const { license, ann } = await open()
  const { client: carl, id: customer_id } = await license.visit({ customer: { name: 'Carl' } })
  const { chat } = await carl.ok('start_chat')
  await world.settled()
  const [reached, changed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const closed = Promise.withResolvers<void>()
  held = closed.promise
  world.proxy.setFault(async ({ operation, request }) => {
    if (operation !== 'TransactWriteItems' || !JSON.stringify(request).includes(chat.id)) return undefined
    reached.resolve()
    await changed.promise
    return undefined
  })
  const closing = carl.ok('close_thread', { chat_id: chat.id })
  await reached.promise
  await ann.ok('update_customer', { customer_id, customer: { name: 'Carla' } })
  await ann.eventually('customer_updated', ({ customer }) => customer.name === 'Carla')
  changed.resolve()
  await closing
  closed.resolve()
  held = undefined
  world.proxy.setFault(undefined)
  const told = (await eventsOf(license)).filter(({ 'detail-type': name }) => name === 'customer_updated')
  expect(told.map(({ detail }) => detail.payload.customer.name)).toEqual(['Carla'])
})

test('while the bus takes nothing, accounts are followed; then all comes that it missed', async () => {
  const { license, say } = await open()
  const robo = await license.login('robo')
  const reached = Promise.withResolvers<void>()
  let isDown = true
  world.events!.setFault(() => {
    reached.resolve()
    return isDown ? 'InternalFailure' : undefined
  })
  await say('missed')
  await reached.promise
  await changeAgent(world.table, license.id, 'robo', { suspended: true })
  await robo.closing()
  expect(texts(sentBy(world))).not.toContain('missed')
  isDown = false
  expect(texts(await eventsOf(license))).toEqual(['missed'])
})

test.each(['before', 'after'] as const)(
  'a worker that dies %s it has put its events is run again: all come, once or twice',
  async (how) => {
    const { license, say } = await open()
    dies = how
    await say('survives')
    expect(texts(await eventsOf(license))).toEqual(how === 'before' ? ['survives'] : ['survives', 'survives'])
  },
)

test('a record of which nothing can be told holds up no other', async () => {
  const { license, chat_id, say } = await open()
  const Item = { ...keys.chatSeen(chat_id, 'nobody'), nonce: 'of no known form' }
  await world.table.write.write({ Put: { Item, ConditionExpression: 'attribute_not_exists(pk)' } })
  await say('behind it')
  expect(texts(await eventsOf(license))).toEqual(['behind it'])
})

test('an event says whether a bot is its author', async () => {
  const { license, ann, chat_id, say } = await open()
  const robo = await license.login('robo')
  await ann.ok('join_chat', { chat_id, agent_ids: ['robo'] })
  await world.table.write.write({
    Update: {
      Key: keys.agent(license.id, 'robo'),
      UpdateExpression: 'SET bot = :true',
      ExpressionAttributeValues: { ':true': true },
    },
  })
  await say('beep', robo)
  await say('hello')
  const said = (await eventsOf(license)).filter(({ detail }) => detail.payload.event?.type === 'message')
  expect(said.map(({ detail }) => detail.author_type)).toEqual(['bot', 'agent'])
})
