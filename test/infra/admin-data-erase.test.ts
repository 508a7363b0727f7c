import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { withUser } from '../../shared/archive/index/lists.ts'
import { customerTokenS } from '../../shared/account/customer-tokens.ts'
import { keys, monthOf } from '../../shared/table/keys.ts'
import { customerChatId } from '../../shared/table/ids.ts'
import { markMonth } from '../../shared/table/archive/postings.ts'
import { calm } from '../races/holding.ts'
import type { License, World } from '../support/world.ts'
import {
  type DataWorld,
  knownCustomer,
  message,
  expectErased,
  openDataWorld,
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

const erase = (license: License, customer: string, ...more: string[]) =>
  data.admin(['customer', 'erase', license.id, customer, '--yes', ...more])

const isGone = async (license: License, { id, clues = [id, customerChatId(license.id, id)] }: Who) =>
  expectErased(await data.traces(...clues), license, id)
interface Who {
  id: string
  clues?: string[]
}
const loadOf = async (license: License, agent: string) =>
  (await world.table.read.get(keys.load(license.id, agent), { strong: true }))?.['active']

const staffed = () =>
  world.license({
    ann: { name: 'Ann', max_chats: 100 },
    bea: { name: 'Bea', default_status: 'not_accepting_chats' },
  })

describe('admin customer erase', () => {
  test('leaves nothing but that it was erased, closes tabs and thread, and tells agents', async () => {
    const license = await staffed()
    const [ann, bea] = [await license.login('ann'), await license.login('bea')]
    const known = await knownCustomer(world, license)
    const { client, tab, id, chat_id, clue } = known
    await ann.ok('supervise_chat', { chat_id, agent_ids: ['bea'] })
    await ann.ok('update_last_seen_timestamp', { chat_id })
    await ann.ok('send_event', { chat_id, event: message(`${clue} three`) })
    await ann.ok('tag_thread', { chat_id, thread_id: `${chat_id}_1`, tag: clue })
    await bea.ok('send_event', {
      chat_id,
      event: { type: 'annotation', annotation_type: 'note', text: clue },
    })
    await calm(world)
    const [from, at] = ['2026-01', Date.now()]
    const mark = { nonce: 'x', nowMs: at }
    await markMonth(world.table.write, license.id, withUser(id), from, mark)
    await markMonth(world.table.write, license.id, 'T.all', monthOf(at), mark)
    await markMonth(world.table.write, license.id, 'T.all', from, mark)
    expect(await loadOf(license, 'ann')).toBe(1)
    expect((await data.traces(...known.clues)).length).toBeGreaterThan(20)
    await Promise.all([client.received(), tab.received(), ann.received(), bea.received()])

    const { code, out, err } = await erase(license, id)
    expect([code, err]).toEqual([0, 'Waiting 65 s for what is under way to end.\n'])
    expect(out).toBe(
      `Erased customer ${id} of license ${license.id}: 2 threads, ${/, (\d+) events/.exec(out)?.[1]} events.\n` +
        'Point-in-time backups keep what was erased for 35 days, and the stream for a day; backups made on demand keep it until they are deleted.\n',
    )
    for (const agent of [ann, bea]) {
      expect(await agent.next('incoming_event')).toMatchObject({
        chat_id,
        event: {
          type: 'system_message',
          system_message_type: 'manual_archived',
          text: 'The operator archived the chat',
        },
      })
      expect(await agent.next('thread_closed')).toEqual({ chat_id, thread_id: `${chat_id}_2` })
      expect(await agent.next('chat_deleted')).toEqual({ chat_id })
    }
    for (const page of [client, tab]) {
      await page.eventually('customer_disconnected', ({ reason }) => reason === 'customer_banned')
      expect(await page.closing()).toEqual(expect.any(Number))
    }
    await isGone(license, known)
    expect(await loadOf(license, 'ann')).toBe(0)
    const marks = (await data.everything()).filter(({ pk }) => pk.startsWith(`INDEX#${license.id}#MARKS#`))
    expect(marks.map(({ pk, sk }) => [pk.split('#').at(-1), sk])).toEqual([['T.all', from]])

    // agents know nothing of it any more
    for (const [action, payload] of [
      ['send_event', { chat_id, event: message('hello?') }],
      ['get_chat_threads', { chat_id, thread_ids: [`${chat_id}_1`] }],
      ['join_chat', { chat_id, agent_ids: ['bea'] }],
      ['start_chat', { chat: { users: [{ id, type: 'customer' }] } }],
      ['ban_customer', { customer_id: id, ban: { days: 1 } }],
      ['unban_customer', { customer_id: id }],
      ['get_customer', { customer_id: id }],
      ['update_customer', { customer_id: id, customer: { name: 'Zoe' } }],
      ['tag_thread', { chat_id, thread_id: `${chat_id}_1`, tag: clue }],
    ] as const)
      expect([action, await ann.refused(action, payload)]).toMatchObject([action, { type: 'not_found' }])
    for (const filters of [{}, { query: clue }, { agent_ids: ['ann'] }, { tags: { values: [clue] } }])
      expect(await ann.ok('get_archives', { filters })).toMatchObject({ pagination: { total: 0 }, chats: [] })
    expect((await license.login('bea')).pushes).toEqual([])
    await isGone(license, known)
  })

  test(
    'nobody becomes the customer again by its token, but a new one may come',
    { tags: ['full'] },
    async () => {
      const license = await staffed()
      const known = await knownCustomer(world, license, { brief: true })
      const { id, token } = known
      expect(await erase(license, id)).toMatchObject({ code: 0 })
      const back = await license.arrive()
      expect(await back.refused('login', { token })).toMatchObject({ type: 'auth' })
      expect(await back.refused('login', { token, customer: { name: known.clue } })).toMatchObject({
        type: 'auth',
      })
      expect((await back.ok('login', {})).customer_id).not.toBe(id)
      await calm(world)
      await isGone(license, known)
      const [left] = await data.traces(id)
      // as long as any token of it
      const tokensEndS = (left!['erased_at'] as number) / 1000 + customerTokenS
      expect(left!['ttl']).toBeGreaterThan(tokensEndS)
      expect(left!['ttl']).toBeLessThan(tokensEndS + 2 * 86_400)
      const shown = await data.admin(['customer', 'show', license.id, id])
      expect(shown.out).toMatch(/^Customer .+\n {2}erased {2}2\d{3}-.+Z\n$/)
    },
  )

  test(
    'goes for one that has told something of itself and never chatted, and one that has only a tab',
    { tags: ['full'] },
    async () => {
      const license = await staffed()
      const told = await license.visit({ customer: { name: 'Zoe' } })
      const silent = await license.visit({})
      for (const { id, client } of [told, silent]) {
        expect(await erase(license, id)).toMatchObject({
          code: 0,
          out: expect.stringContaining(': 0 threads, 0 events.'),
        })
        expect(await client.closing()).toEqual(expect.any(Number))
        await isGone(license, { id })
      }
    },
  )

  test(
    'may be given again, leaves others alone, and knows whom there is not',
    { tags: ['full'] },
    async () => {
      const license = await staffed()
      const other = await knownCustomer(world, license, { brief: true })
      // the queue of the license moves with every chat that waits
      const tracesOfOther = async () =>
        (await data.traces(other.id, other.chat_id)).filter(({ sk }) => !sk.startsWith('QUEUE'))
      const before = await tracesOfOther()
      const { client, id } = await license.visit({ customer: { name: 'Zed' } })
      await client.ok('start_chat', { chat: { thread: { events: [message('only mine')] } } })
      await calm(world)
      const done = JSON.parse((await erase(license, id, '--json')).out)
      expect(done).toEqual({
        license_id: license.id,
        customer_id: id,
        erased_at: expect.any(Number),
        threads: 1,
        events: 3,
        postings: expect.any(Number),
      })
      const again = await erase(license, id, '--json')
      expect(JSON.parse(again.out)).toEqual({ ...done, threads: 0, events: 0, postings: 0 })
      expect(await tracesOfOther()).toEqual(before)
      expect(await erase(license, 'nobody')).toEqual({
        code: 1,
        out: '',
        err: `error: License ${license.id} has no customer nobody. See customer list ${license.id}.\n`,
      })
    },
  )

  test('asks first: on a terminal for the id, else for --yes', async () => {
    const license = await staffed()
    const { id } = await license.visit({ customer: { name: 'Zed' } })
    const argv = ['customer', 'erase', license.id, id]
    const before = await data.traces(id)
    expect(await data.admin(argv)).toEqual({
      code: 1,
      out: '',
      err: `error: This erases customer ${id} of license ${license.id}, for good. Say --yes where that is meant.\n`,
    })
    const asked: string[] = []
    const answering = (answer: string) => ({
      ask: async (question: string) => {
        asked.push(question)
        return answer
      },
    })
    expect(await data.admin(argv, answering('yes'))).toMatchObject({
      code: 1,
      err: 'error: Nothing was erased.\n',
    })
    expect(await data.traces(id)).toEqual(before)
    expect(await data.admin(argv, answering(id))).toMatchObject({ code: 0 })
    expect(asked[0]).toBe(
      `This erases customer ${id} of license ${license.id}, for good. Type ${id} to go on: `,
    )
  })
})

/** Has the command die at each of its calls, or at one of so many. */
const eraseWhereDead = async (every: number) => {
  const license = await staffed()
  const calls = await data.dyingAtEachCall(
    async () => {
      const { id, clues } = await knownCustomer(world, license, { isCalm: false })
      return {
        argv: ['customer', 'erase', license.id, id, '--yes'],
        check: (items) => expectErased(tracesIn(items, ...clues), license, id),
      }
    },
    { every },
  )
  expect(calls).toBeGreaterThan(20)
  expect(await loadOf(license, 'ann')).toBe(0)
}
test('a customer is erased though the command died at some call before', { tags: ['full'] }, () =>
  eraseWhereDead(25),
)
test('a customer is erased wherever the command died before', { tags: ['full'] }, () => eraseWhereDead(1))

test(
  'one that was stopped goes on when it is given again, and waits only for what is left of the time',
  { tags: ['full'] },
  async () => {
    const license = await staffed()
    const { id, clues } = await knownCustomer(world, license, { brief: true })
    const argv = ['customer', 'erase', license.id, id, '--yes']
    let stop = () => {}
    const stopped = await data.admin(argv, {
      onInterrupt: (run) => {
        stop = run
        return () => {}
      },
      pause: async (_, signal) => {
        stop()
        signal?.throwIfAborted()
      },
    })
    expect(stopped).toEqual({
      code: 1,
      out: '',
      err: 'Waiting 65 s for what is under way to end.\nerror: Stopped. Give the command again to go on.\n',
    })
    expect((await data.traces(...clues)).length).toBeGreaterThan(10)
    await calm(world)
    const again = await data.admin(argv, { now: () => Date.now() + 64_000, pause: undefined as never })
    expect(again).toMatchObject({ code: 0, err: 'Waiting 1 s for what is under way to end.\n' })
    await isGone(license, { id, clues })
  },
)
