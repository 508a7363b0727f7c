import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { keys } from '../../shared/table/keys.ts'
import { atEachStep, calm } from '../races/holding.ts'
import {
  admin,
  reindex,
  indexOf,
  wordsOf,
  booksOf,
  forgetAll,
  rebuilt,
  message,
  start,
  populated,
  progressOf,
  reindexOne,
  world,
} from './reindexing.ts'

/** Holds the first call that fits until it is let go. */
const holding = () => {
  const holds: { fits: (text: string) => boolean; reached: () => void; over: Promise<undefined> }[] = []
  world.proxy.setFault(({ operation, request }) => {
    const text = `${operation} ${JSON.stringify(request)}`
    const at = holds.findIndex(({ fits }) => fits(text))
    const [hold] = at < 0 ? [] : holds.splice(at, 1)
    hold?.reached()
    return hold?.over
  })
  return (fits: (text: string) => boolean) => {
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
      const text = operation === 'BatchGetItem' ? JSON.stringify(request) : ''
      return text.includes(`"${keys.chat(chat).pk}"`) && text.includes('"INDEX#')
    }).length
  while (!isSettled && looks() < 3) await Promise.race([settled, wait(5)])
}

describe('admin reindex while all goes on', () => {
  test('loses nothing of what agents and customers do meanwhile', async () => {
    const { license, ann, ben, ids } = await populated(2)
    const cleo = await license.login('cleo')
    const visitor = await license.visit()
    await visitor.client.ok('start_chat', {})
    // seldom in the order in which they were made
    world.proxy.setFault(() => ({ delayMs: Math.random() * 20 }))
    for (let round = 0; round < 3; round += 1) {
      await forgetAll(license, round === 0 ? undefined : [ids[round]!])
      const running = reindex(license, '--restart')
      const chat = await start(ben, { scopes: { agents: ['ben'] } }, [`begun ${round}`])
      for (const [n, chat_id] of [chat, ...ids].entries()) {
        const scopes =
          n % 2 === round % 2 ? { add_scopes: { groups: [2] } } : { remove_scopes: { groups: [2] } }
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
    const index = await indexOf(license)
    expect(index).toEqual(await rebuilt(license))
  })

  test('two of them at once leave what one leaves', async () => {
    const { license, ids, index } = await populated(2)
    await forgetAll(license, ids)
    const both = await Promise.all([reindex(license), reindex(license)])
    expect(both.map(({ code }) => code)).toEqual([0, 0])
    expect(await indexOf(license)).toEqual(index)
    expect(await progressOf(license)).toBeUndefined()
  })

  test('a chat whose scopes change at any step of it stands for those who may see it then', async () => {
    const license = await world.license({ ann: {}, ben: {} }, { groups: ['A', 'B'] })
    const ann = await license.login('ann')
    const chat_id = await start(ann, { scopes: { groups: [1] } }, ['one'])
    await ann.ok('close_thread', { chat_id })
    await ann.ok('send_event', { chat_id, event: message('two') })
    await calm(world)
    const before = await indexOf(license)
    const ofGroup = (group: number) => before.map((posting) => posting.replace('.group:1', `.group:${group}`))
    expect(ofGroup(2).filter((posting) => posting.includes('.group:2'))).toHaveLength(3)
    let group = 1
    const steps = await atEachStep(world, async () => {
      await forgetAll(license, [chat_id])
      const other = 3 - group
      return {
        held: () => reindexOne(chat_id),
        meanwhile: async () => {
          const change = { add_scopes: { groups: [other] }, remove_scopes: { groups: [group] } }
          await ann.ok('update_chat_scopes', { chat_id, ...change })
          group = other
          await metOrSettled(chat_id)
        },
        check: async () => {
          await world.settled()
          expect(await indexOf(license)).toEqual(ofGroup(group).sort())
        },
      }
    }, ['alone'])
    expect(steps).toBeGreaterThan(10)
  })

  test('words that are written at any step of it are known, so that they can be taken away again', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    let round = 0
    const steps = await atEachStep(world, async () => {
      round += 1
      const long = Array.from({ length: 100 }, (_, n) => `a${n}${'x'.repeat(30)}${round}`)
      const chat_id = await start(ann, {}, [long.join(' ')])
      await calm(world)
      await ann.ok('send_event', { chat_id, event: message('short') })
      await calm(world)
      return {
        held: () => reindexOne(chat_id),
        meanwhile: () => ann.ok('send_event', { chat_id, event: message('late words') }),
        check: async () => {
          await world.settled()
          const books = await booksOf(chat_id)
          const known = books.flatMap((book) => (book['words'] as string[] | undefined) ?? [])
          const posted = (await wordsOf(license)).filter((posting) => posting.includes(chat_id))
          const words = posted.map((posting) => posting.slice('T.word:'.length).split('#')[0])
          expect(words).toHaveLength(103)
          expect([...new Set(known)].sort()).toEqual(words.sort())
        },
      }
    }, ['alone'])
    expect(steps).toBeGreaterThan(10)
  })

  test('words that are added while all are written anew are known beside these', async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const long = Array.from({ length: 100 }, (_, n) => `a${n}${'x'.repeat(30)}`).join(' ')
    const chat_id = await start(ann, {}, [long])
    await calm(world)
    await ann.ok('send_event', { chat_id, event: message('short') })
    await calm(world)
    const hold = holding()
    const { pk } = keys.chat(chat_id)
    const anew = hold((text) => text.startsWith('TransactWriteItems') && text.includes('"WORDS#'))
    const reindexing = reindexOne(chat_id)
    await anew.reached
    const added = hold((text) => text.startsWith('PutItem') && text.includes('"WORDS#') && text.includes(pk))
    await ann.ok('send_event', { chat_id, event: message('late words') })
    await added.reached
    anew.letGo()
    await reindexing
    added.letGo()
    await world.settled()
    const words = (await wordsOf(license)).map((posting) => posting.slice('T.word:'.length).split('#')[0])
    expect(words).toHaveLength(103)
    const known = (await booksOf(chat_id)).flatMap((book) => (book['words'] as string[] | undefined) ?? [])
    expect([...new Set(known)].sort()).toEqual(words.sort())
    // else they are never taken away
    await admin(['license', 'set', license.id, '--index-texts', 'off'])
    await reindex(license)
    expect(await wordsOf(license)).toEqual([])
  })
})
