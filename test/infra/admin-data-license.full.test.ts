import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { deviceHash } from '../../shared/table/devices.ts'
import { keys, monthOf } from '../../shared/table/keys.ts'
import { putKeptCount, markMonth } from '../../shared/table/archive/postings.ts'
import { reindexingMoved } from '../../shared/table/archive/reindexing.ts'
import { calm } from '../races/holding.ts'
import type { License, World } from '../support/world.ts'
import { type DataWorld, knownCustomer, message, openDataWorld, tracesIn } from './data-world.ts'

let data: DataWorld
let world: World
beforeAll(async () => {
  data = await openDataWorld()
  world = data.world
})
afterEach(() => data.proxy.setFault(undefined))
afterAll(() => data.close())

/** A license with something of everything, and what it is found by in the table. */
const populated = async ({ brief = false, isCalm = true } = {}) => {
  const license = await world.license(
    { ann: { name: 'Ann', groups: [1] }, bea: { name: 'Bea', default_status: 'not_accepting_chats' } },
    { groups: ['Sales'] },
  )
  const { id } = license
  const firebase_token = `token-of-${id}`
  const ann = await license.login('ann', { push_notifications: { firebase_token, platform: 'ios' } })
  const known = await knownCustomer(world, license, { brief, isCalm })
  const own = await ann.ok('start_chat', {
    chat: { scopes: { groups: [1] } },
    initial_events: [message(`${known.clue} among us`)],
  })
  const clues = [id, ...known.clues, own.chat.id, firebase_token, deviceHash(firebase_token)]
  const tabs = [known.client, known.tab]
  if (!brief) {
    await ann.ok('update_last_seen_timestamp', { chat_id: own.chat.id })
    const told = await license.visit({ customer: { name: known.clue } })
    const silent = await license.visit({})
    tabs.push(told.client, silent.client)
    clues.push(told.id, silent.id)
    await license.arrive()
    const { write } = world.table
    await markMonth(write, id, 'T.user:nobody', monthOf(0), { nonce: 'x', nowMs: Date.now() })
    await write.write(putKeptCount(id, 'search', monthOf(0), { count: 1, marks: 'x', nowMs: Date.now() }))
    await write.write(reindexingMoved(id, { began_at: 1, texts: true, chats: 0, failed: [] }))
    const notified = keys.notified(deviceHash(firebase_token), 'event')
    await write.write({ Put: { Item: { ...notified, nonce: 'x' } } })
  }
  if (isCalm) await calm(world)
  return { license, ann, tabs, clues }
}
const end = async ({ id }: License) =>
  expect(await data.admin(['license', 'set', id, '--expires', '2026-01-31'])).toMatchObject({ code: 0 })
const erase = ({ id }: License, ...more: string[]) => data.admin(['license', 'erase', id, '--yes', ...more])

test('a license is erased with all that there is of it, and another one is left alone', async () => {
  const other = await populated({ brief: true })
  const before = await data.traces(...other.clues)
  const { license, ann, tabs, clues } = await populated()
  expect((await data.traces(...clues)).length).toBeGreaterThan(60)
  await end(license)
  const { code, out, err } = await erase(license)
  expect([code, err]).toEqual([0, 'Waiting 65 s for what is under way to end.\n'])
  expect(out).toMatch(
    new RegExp(
      `^Erased license ${license.id}: 2 agents, 3 customers, 2 chats, 3 threads, \\d+ events\\.\nPoint-in-time`,
    ),
  )
  for (const client of [ann, ...tabs]) expect(await client.closing()).toEqual(expect.any(Number))
  await calm(world)
  expect(await data.traces(...clues)).toEqual([])
  expect(await data.traces(...other.clues)).toEqual(before)
  expect(await other.ann.ok('get_archives', {})).toMatchObject({ pagination: { total: 2 } })
  expect(await erase(license)).toEqual({
    code: 1,
    out: '',
    err: `error: There is no license ${license.id}. See license list, or make it with license create.\n`,
  })
})

test('a license that is valid is not erased, and one that is being erased cannot be made valid', async () => {
  const license = await world.license({ ann: {} })
  const until = new RegExp(`^error: License ${license.id} is valid until .+Z\\. End it first: license set`)
  expect(await erase(license)).toMatchObject({ code: 1, err: expect.stringMatching(until) })
  await end(license)
  const asking = await data.admin(['license', 'erase', license.id])
  expect(asking.err).toContain(`This erases license ${license.id} with all that is stored of it, for good.`)
  let stop = () => {}
  const stopped = await data.admin(['license', 'erase', license.id, '--yes'], {
    onInterrupt: (run) => {
      stop = run
      return () => {}
    },
    pause: async (_, signal) => {
      stop()
      signal?.throwIfAborted()
    },
  })
  expect(stopped).toMatchObject({
    code: 1,
    err: expect.stringContaining('error: Stopped. Give the command again'),
  })
  const set = await data.admin(['license', 'set', license.id, '--expires', '2099-01-31'])
  expect(set).toMatchObject({ code: 1, err: expect.stringContaining('is being erased. Give license erase') })
  expect(await erase(license)).toMatchObject({ code: 0 })
  expect(await data.traces(license.id)).toEqual([])
})

test('a license is erased wherever the command died before', async () => {
  const calls = await data.dyingAtEachCall(
    async () => {
      const { license, clues } = await populated({ brief: true, isCalm: false })
      await end(license)
      return {
        argv: ['license', 'erase', license.id, '--yes'],
        check: (items) => expect(tracesIn(items, ...clues)).toEqual([]),
      }
    },
    { every: 3 },
  )
  expect(calls).toBeGreaterThan(25)
})
