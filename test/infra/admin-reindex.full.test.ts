import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { keys } from '../../shared/table/keys.ts'
import { atEachStep, calm } from '../races/holding.ts'
import type { Client } from '../support/client.ts'
import { compileCache } from '../support/compile-cache.ts'
import { startCustomerChat } from '../support/customers.ts'
import type { World } from '../support/world.ts'
import { type DataWorld, message, openDataWorld } from './data-world.ts'
import { chatsIn, type Index, openIndex, openReindexing, type Reindexed } from './reindexing.ts'

let data: DataWorld
let world: World
let index: Index
beforeAll(async () => {
  data = await openDataWorld()
  world = data.world
  index = openIndex(world)
})
afterEach(() => {
  world.proxy.setFault(undefined)
  world.proxy.setDelay(0)
})
afterAll(async () => {
  index.closeIndex()
  await data.close()
})

/** What a run that died was writing is free again: that went by this day's clock. */
const dayLater = { now: () => Date.now() + 24 * 3_600_000 }
const noPause = { pause: async () => {} }
const reindex = (license: string, more = {}, ...options: string[]) =>
  data.admin(['reindex', license, ...options], { ...noPause, ...more })
const start = async (agent: Client, chat: object = {}, texts: string[] = []): Promise<string> =>
  (await agent.ok('start_chat', { chat, initial_events: texts.map((each) => message(each)) })).chat.id

/** A license with seven chats of all sorts; the index has caught up with them. */
const populated = async () => {
  const license = await world.license(
    { ann: {}, ben: { groups: [1] }, cleo: { permission: 'administrator' } },
    { groups: ['A', 'B'] },
  )
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  const open = await start(ann, { properties: { rating: { score: 1, 'a.b': 'x' } } }, ['Grüße aus Köln'])
  await ann.ok('join_chat', { chat_id: open, agent_ids: ['ben'] })
  const grouped = await start(ann, { scopes: { groups: [1, 2] } }, ['refund please', 'order 1'])
  await ann.ok('update_chat_thread_properties', {
    chat_id: grouped,
    thread_id: `${grouped}_1`,
    properties: { t: { seen: true } },
  })
  await start(ann, { scopes: { agents: ['ann'] }, thread: { properties: { t: { n: 1 } } } })
  const many = await start(ben, {}, ['first'])
  for (const said of ['second thing', 'third thing']) {
    await ben.ok('close_thread', { chat_id: many })
    await ben.ok('send_event', { chat_id: many, event: message(said) })
  }
  await ben.ok('supervise_chat', { chat_id: many, agent_ids: ['ann'] })
  const left = await start(ben, { scopes: { agents: ['cleo'] } }, ['bye'])
  await ben.ok('remove_from_chat', { chat_id: left, agent_ids: ['ben'] })
  await start(ben)
  await startCustomerChat(world, license.id, 'c1', { texts: ['hello', 'nobody there?'] })
  await calm(world)
  const before = await index.indexOf(license.id)
  return { license, id: license.id, ann, ben, before, ids: [open, grouped, many, left] }
}

describe('admin reindex', () => {
  test('makes what the index’s worker has made, of chats of all sorts', async () => {
    const { id, before } = await populated()
    expect(before.length).toBeGreaterThan(60)
    await index.forget(id)
    const { code, out, err } = await reindex(id)
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(new RegExp(`^Reindexed license ${id}: 7 chats, 9 threads, in \\d+ s\\.\n$`))
    expect(await index.indexOf(id)).toEqual(before)
  })

  test('has archives searched by the words of messages again, where these were not indexed', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const set = (to: string) => data.admin(['license', 'set', license.id, '--index-texts', to])
    const query = { filters: { query: 'refund' } }
    await start(ann, {}, ['refund once'])
    await calm(world)
    expect(await ann.ok('get_archives', query)).toMatchObject({ pagination: { total: 1 } })
    await set('off')
    await ann.refused('get_archives', query)
    expect(await reindex(license.id)).toMatchObject({ code: 0 })
    await start(ann, {}, ['refund twice'])
    await calm(world)
    expect(await index.wordsOf(license.id)).toEqual([])
    await set('on')
    expect(await ann.ok('get_archives', query)).toMatchObject({ pagination: { total: 0 } })
    expect(await reindex(license.id)).toMatchObject({ code: 0 })
    expect(await ann.ok('get_archives', query)).toMatchObject({ pagination: { total: 2 } })
  })
})

/** Holds the first call that fits until it is let go. */
const holding = () => {
  const holds: { fits: (call: string) => boolean; reached: () => void; over: Promise<undefined> }[] = []
  world.proxy.setFault(({ operation, request }) => {
    const call = `${operation} ${JSON.stringify(request)}`
    const at = holds.findIndex(({ fits }) => fits(call))
    const [hold] = at < 0 ? [] : holds.splice(at, 1)
    hold?.reached()
    return hold?.over
  })
  return (fits: (call: string) => boolean) => {
    const reached = Promise.withResolvers<void>()
    const over = Promise.withResolvers<undefined>()
    holds.push({ fits, reached: reached.resolve, over: over.promise })
    return { reached: reached.promise, letGo: () => over.resolve(undefined) }
  }
}

/** The index's worker has done its work at a chat, or has found another at it twice and waits for that. */
const metOrSettled = async (chat: string) => {
  const before = world.proxy.calls.length
  let isSettled = false
  const settled = world.settled().then(() => (isSettled = true))
  const looks = () =>
    world.proxy.calls.slice(before).filter(({ operation, request }) => {
      const asked = operation === 'BatchGetItem' ? JSON.stringify(request) : ''
      return asked.includes(`"${keys.chat(chat).pk}"`) && asked.includes('"INDEX#')
    }).length
  while (!isSettled && looks() < 3) await Promise.race([settled, wait(5)])
}

describe('admin reindex while all goes on', () => {
  test('loses nothing of what agents and customers do meanwhile', async () => {
    const { license, id, ann, ben, ids } = await populated()
    const cleo = await license.login('cleo')
    const visitor = await license.visit()
    await visitor.client.ok('start_chat', {})
    // seldom in the order in which they were made
    let calls = 0
    world.proxy.setFault(() => ({ delayMs: ((calls += 1) * 7) % 20 }))
    for (const round of [0, 1]) {
      await index.forget(id, round === 0 ? undefined : [ids[round]!])
      const running = reindex(id, {}, '--restart')
      const chat = await start(ben, { scopes: { agents: ['ben'] } }, [`begun ${round}`])
      for (const [n, chat_id] of [chat, ...ids].entries()) {
        const scopes = n % 2 === round ? { add_scopes: { groups: [2] } } : { remove_scopes: { groups: [2] } }
        await Promise.all([
          cleo.call('update_chat_scopes', { chat_id, ...scopes }),
          cleo.call('join_chat', { chat_id, agent_ids: ['ann'] }),
          ann.call('send_event', { chat_id, event: message(`word${round}x${n} again`) }),
          cleo.call('update_chat_properties', { chat_id, properties: { p: { round } } }),
          visitor.client.call('send_event', { chat_id: visitor.id, event: message(`words${round} of mine`) }),
        ])
        if (n % 3 === 0) await cleo.call('close_thread', { chat_id })
        if (n % 4 === 0) await cleo.call('remove_from_chat', { chat_id, user_ids: ['ann'] })
      }
      expect(await running).toMatchObject({ code: 0 })
    }
    world.proxy.setFault(undefined)
    await calm(world)
    const after = await index.indexOf(id)
    await index.forget(id)
    expect(await reindex(id, {}, '--restart')).toMatchObject({ code: 0 })
    expect(after).toEqual(await index.indexOf(id))
  })

  test('two of them at once leave what one leaves', async () => {
    const { id, before } = await populated()
    await index.forget(id)
    const both = await Promise.all([reindex(id), reindex(id)])
    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect(await index.indexOf(id)).toEqual(before)
    expect(await index.progressOf(id)).toBeUndefined()
  })

  test('a chat whose scopes change at any step of it stands for those who may see it then', async () => {
    const license = await world.license({ ann: {}, ben: {} }, { groups: ['A', 'B'] })
    const ann = await license.login('ann')
    const chat_id = await start(ann, { scopes: { groups: [1] } }, ['one'])
    await ann.ok('close_thread', { chat_id })
    await ann.ok('send_event', { chat_id, event: message('two') })
    await calm(world)
    const before = await index.indexOf(license.id)
    const ofGroup = (group: number) => before.map((posting) => posting.replace('.group:1', `.group:${group}`))
    expect(ofGroup(2).filter((posting) => posting.includes('.group:2'))).toHaveLength(3)
    let group = 1
    const steps = await atEachStep(world, async () => {
      await index.forget(license.id, [chat_id])
      const other = 3 - group
      return {
        held: () => index.reindexOne(chat_id, { now: () => Date.now() }),
        meanwhile: async () => {
          const change = { add_scopes: { groups: [other] }, remove_scopes: { groups: [group] } }
          await ann.ok('update_chat_scopes', { chat_id, ...change })
          group = other
          await metOrSettled(chat_id)
        },
        check: async () => {
          await world.settled()
          expect(await index.indexOf(license.id)).toEqual(ofGroup(group).sort())
        },
      }
    }, ['alone'])
    expect(steps).toBeGreaterThan(10)
  })

  /** A chat whose words fill some portions, and one more. */
  const wordy = async (ann: Client, round: number) => {
    const long = Array.from({ length: 40 }, (_, n) => `a${n}${'x'.repeat(30)}${round}`)
    const chat_id = await start(ann, {}, [long.join(' ')])
    await calm(world)
    await ann.ok('send_event', { chat_id, event: message('short') })
    await calm(world)
    return chat_id
  }
  /** The words by which a chat is found are those that are known, so that they can be taken away again. */
  const knowsItsWords = async (license: string, chat_id: string) => {
    const posted = (await index.wordsOf(license)).filter((posting) => posting.includes(chat_id))
    const words = posted.map((posting) => posting.slice('T.word:'.length).split('#')[0])
    expect(words).toHaveLength(43)
    const books = await index.booksOf(chat_id)
    const known = books.flatMap((book) => (book['words'] as string[] | undefined) ?? [])
    expect([...new Set(known)].sort()).toEqual(words.sort())
  }

  test('words that are written at any step of it are known', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    let round = 0
    const steps = await atEachStep(world, async () => {
      const chat_id = await wordy(ann, (round += 1))
      return {
        held: () => index.reindexOne(chat_id, { now: () => Date.now() }),
        meanwhile: () => ann.ok('send_event', { chat_id, event: message('late words') }),
        check: async () => {
          await world.settled()
          await knowsItsWords(license.id, chat_id)
        },
      }
    }, ['alone'])
    expect(steps).toBeGreaterThan(10)
  })

  test('words that are added while all are written anew are known beside these', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const chat_id = await wordy(ann, 1)
    const hold = holding()
    const { pk } = keys.chat(chat_id)
    const anew = hold((call) => call.startsWith('TransactWriteItems') && call.includes('"WORDS#'))
    const reindexing = index.reindexOne(chat_id, { now: () => Date.now() })
    await anew.reached
    const added = hold((call) => call.startsWith('PutItem') && call.includes('"WORDS#') && call.includes(pk))
    await ann.ok('send_event', { chat_id, event: message('late words') })
    await added.reached
    anew.letGo()
    await reindexing
    added.letGo()
    await world.settled()
    await knowsItsWords(license.id, chat_id)
  })
})

describe('admin reindex as a process of its own', () => {
  let plain: Reindexed
  beforeAll(async () => {
    plain = await openReindexing(world.proxy.endpoint)
  })
  afterAll(() => plain.close())

  /** The command at chats of which nothing is indexed; each of its calls takes so long. */
  const startProgram = async (chats: number, callMs: number) => {
    const { license, ids } = await plain.licenseOf(chats)
    plain.proxy.setDelay(callMs)
    const child = spawn(process.execPath, ['infra/admin/main.ts', 'reindex', license], {
      cwd: join(import.meta.dirname, '../..'),
      env: { ...process.env, ...compileCache, AGENT_CHAT_LOCAL_DIR: plain.localDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return { license, ids, child, complaints: text(child.stderr) }
  }
  afterEach(() => {
    plain.proxy.setFault(undefined)
    plain.proxy.setDelay(0)
  })

  test('is interrupted by SIGINT and by SIGTERM', async () => {
    const waiting = new Map<string, () => void>()
    plain.proxy.setFault(({ operation, request }) => {
      const asked = operation === 'BatchWriteItem' ? JSON.stringify(request) : ''
      for (const [license, begun] of waiting) if (asked.includes(license)) begun()
      return undefined
    })
    await Promise.all(
      (['SIGINT', 'SIGTERM'] as const).map(async (signal) => {
        const { license, child, complaints } = await startProgram(20, 40)
        await new Promise<void>((begun) => waiting.set(license, begun))
        child.kill(signal)
        expect(await once(child, 'exit')).toEqual([1, null])
        expect(await complaints).toMatch(
          /^Stopping, .+\n(\d+ of 20 .+\n)*error: Stopped\. \d+ of 20 chats are done\.\n/,
        )
        expect((await plain.progressOf(license))!.chats).toBeGreaterThan(0)
      }),
    )
  })

  test('goes on where it was killed', async () => {
    const saved = Promise.withResolvers<void>()
    let saves = 0
    plain.proxy.setFault(({ request }) => {
      const { sk, chats } = (request as any).Item ?? {}
      // the one before is in the table
      if (sk?.S === 'REINDEX' && Number(chats.N) > 0 && (saves += 1) === 2) saved.resolve()
      return undefined
    })
    const { license, ids, child } = await startProgram(40, 80)
    await saved.promise
    child.kill('SIGKILL')
    const [, signal] = await once(child, 'exit')
    expect(signal).toBe('SIGKILL')
    plain.proxy.setDelay(0)
    plain.proxy.setFault(undefined)
    const reached = (await plain.progressOf(license))!
    expect(reached.chats).toBeGreaterThan(0)
    const { result, calls } = await plain.proxy.record(() => plain.reindex(license, dayLater, '--json'))
    expect(JSON.parse(result.out)).toMatchObject({ resumed: true, chats: { total: 40, done: 40 } })
    // a call of the program that was killed may have come to the table since
    const chats = chatsIn(calls)
    expect(chats).toEqual(ids.slice(-chats.length))
    expect(chats.length).toBeLessThanOrEqual(ids.filter((id) => id > reached.after!).length)
    const resumed = await plain.indexOf(license)
    await plain.forget(license)
    await plain.reindex(license)
    expect(resumed).toEqual(await plain.indexOf(license))
  })
})
