import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { changeLicense } from '../../infra/admin/change-license.ts'
import { keys } from '../../shared/table/keys.ts'
import { type Reindexing, reindexingMoved } from '../../shared/table/reindexing.ts'
import { type License } from '../support/world.ts'
import {
  admin,
  reindex,
  hasty,
  dayLater,
  indexOf,
  wordsOf,
  forgetAll,
  populated,
  chatsIn,
  progressOf,
  world,
  localDir,
} from './reindexing.ts'

/** The command as a process of its own. */
const startProgram = (license: License) =>
  spawn(process.execPath, ['infra/admin/main.ts', 'reindex', license.id], {
    cwd: join(import.meta.dirname, '../..'),
    env: { ...process.env, AGENT_CHAT_LOCAL_DIR: localDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  })

describe('admin reindex that is cut short', () => {
  test('goes on where it was: what is done is not done again', async () => {
    const { license, ids, index } = await populated(5)
    let resumed = 0
    for (const calls of [40, 100, 160, 220]) {
      await forgetAll(license, ids)
      let left = calls
      // all that is asked of the table then fails
      world.proxy.setFault(() => ((left -= 1) < 0 ? { errorType: 'InternalServerError' } : undefined))
      const first = await admin(['reindex', license.id], hasty())
      world.proxy.setFault(undefined)
      expect([first.code, first.out]).toEqual([1, ''])
      const reached = await progressOf(license)
      expect(reached?.chats ?? 0).toBe(reached === undefined ? 0 : ids.indexOf(reached.after!) + 1)

      const { result, calls: made } = await world.proxy.record(() =>
        admin(['reindex', license.id, '--json'], dayLater()),
      )
      const done = reached === undefined ? 0 : reached.chats - reached.failed.length
      expect(JSON.parse(result.out)).toMatchObject({
        end: 'done',
        resumed: reached !== undefined,
        chats: { total: 35, done: 35, failed: [] },
      })
      const to = reached?.after ?? ''
      expect(chatsIn(made)).toEqual(ids.filter((id) => id > to || reached?.failed.includes(id)))
      if (reached !== undefined) {
        resumed += 1
        // on a slow machine it also says how far it is
        expect(result.err.slice(0, result.err.indexOf('\n') + 1)).toBe(
          `Going on with the run of ${new Date(reached.began_at).toISOString().slice(0, 19)}Z: ` +
            `${done} of 35 chats are done. --restart begins anew.\n`,
        )
      }
      expect(await indexOf(license)).toEqual(index)
      expect(await progressOf(license)).toBeUndefined()
    }
    expect(resumed).toBeGreaterThan(1)
  })

  test('goes on too where it was killed', async () => {
    const { license, ids, index } = await populated(6)
    await forgetAll(license, ids)
    const saved = Promise.withResolvers<void>()
    world.proxy.setDelay(80)
    let saves = 0
    world.proxy.setFault(({ request }) => {
      const { sk, chats } = (request as any).Item ?? {}
      // the one before is in the table
      if (sk?.S === 'REINDEX' && Number(chats.N) > 0 && (saves += 1) === 2) saved.resolve()
      return undefined
    })
    const child = startProgram(license)
    await saved.promise
    child.kill('SIGKILL')
    const [, signal] = await once(child, 'exit')
    expect(signal).toBe('SIGKILL')
    world.proxy.setDelay(0)
    world.proxy.setFault(undefined)
    // a call that was on its way
    await world.settled()
    const reached = await progressOf(license)
    const { result, calls } = await world.proxy.record(() =>
      admin(['reindex', license.id, '--json'], dayLater()),
    )
    expect(reached!.chats).toBeGreaterThan(0)
    expect(JSON.parse(result.out)).toMatchObject({ resumed: true, chats: { total: 42, done: 42 } })
    // a call of the program that was killed may have come to the table since
    const chats = chatsIn(calls)
    expect(chats).toEqual(ids.slice(-chats.length))
    expect(chats.length).toBeLessThanOrEqual(ids.filter((id) => id > reached!.after!).length)
    expect(await indexOf(license)).toEqual(index)
  })

  test('ends what it is at where it is interrupted, and says that it is to be given again', async () => {
    const { license, ids, index } = await populated(4)
    await forgetAll(license, ids)
    let stop = () => {}
    let forgotten = 0
    let seen = 0
    world.proxy.setFault(({ request }) => {
      if (JSON.stringify(request).includes('INDEX#') && (seen += 1) === 60) stop()
      return undefined
    })
    const { code, out, err } = await admin(['reindex', license.id], {
      onInterrupt: (run) => {
        stop = run
        return () => (forgotten += 1)
      },
    })
    world.proxy.setFault(undefined)
    expect([code, out, forgotten]).toEqual([1, '', 1])
    const reached = await progressOf(license)
    const done = reached!.chats
    expect(done).toBeGreaterThan(0)
    expect(done).toBeLessThan(28)
    expect(err).toBe(
      'Stopping, once what is under way is done.\n' +
        `error: Stopped. ${done} of 28 chats are done.\nGive the command again to go on.\n`,
    )
    // nothing is left half done
    const half = await indexOf(license)
    const of = new Set(half.map((posting) => posting.split('#').at(-1)!.split('_')[0]))
    expect([...of].sort().slice(0, done)).toEqual(ids.slice(0, done))
    expect(half).toEqual(index.filter((posting) => of.has(posting.split('#').at(-1)!.split('_')[0])))
    const again = await reindex(license)
    expect(again.out).toContain(`: 28 chats, ${28 - done} of them now, `)
    expect(await indexOf(license)).toEqual(index)
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('is interrupted by %s', async (signal) => {
    const { license, ids } = await populated(3)
    await forgetAll(license, ids)
    const begun = Promise.withResolvers<void>()
    world.proxy.setDelay(40)
    world.proxy.setFault(({ operation }) => {
      if (operation === 'BatchWriteItem') begun.resolve()
      return undefined
    })
    const child = startProgram(license)
    const complaints = text(child.stderr)
    await begun.promise
    child.kill(signal)
    expect(await once(child, 'exit')).toEqual([1, null])
    expect(await complaints).toMatch(/^Stopping, .+\nerror: Stopped\. \d+ of 21 chats are done\.\n/)
    expect((await progressOf(license))!.chats).toBeGreaterThan(0)
  })

  test('lists chats that fail, with the others done, and then tries these alone again', async () => {
    const { license, ids, index } = await populated(2)
    await forgetAll(license, ids)
    const broken = [ids[3]!, ids[9]!]
    const tries = new Map<string, number>()
    world.proxy.setFault(({ operation, request }) => {
      const id = broken.find((chat) => (request as any).Item?.pk?.S === keys.chat(chat).pk)
      if (operation !== 'PutItem' || id === undefined) return undefined
      tries.set(id, (tries.get(id) ?? 0) + 1)
      return { errorType: 'ValidationException' }
    })
    const failed = await reindex(license, '--json')
    expect(failed.code).toBe(1)
    const failures = broken.map((id) => ({ id, error: 'ValidationException: Injected' }))
    const answer = JSON.parse(failed.out)
    expect(answer).toMatchObject({ end: 'done', chats: { total: 14, done: 12 }, resumed: false })
    expect(answer.chats.failed.toSorted((a: any, b: any) => (a.id < b.id ? -1 : 1))).toEqual(failures)
    expect(failed.err).toContain('error: It has ended. 12 of 14 chats are done; these failed:\n  ')
    expect(failed.err).toContain(`  ${broken[0]}  ValidationException: Injected\n`)
    expect([...tries.values()].every((count) => count >= 3)).toBe(true)
    const others = (posting: string) => !broken.some((id) => posting.includes(id))
    expect((await indexOf(license)).filter(others)).toEqual(index.filter(others))

    world.proxy.setFault(undefined)
    const { result, calls } = await world.proxy.record(() => reindex(license))
    expect(result.out).toContain(': 14 chats, 2 of them now, ')
    expect(chatsIn(calls)).toEqual(broken)
    expect(await indexOf(license)).toEqual(index)
    expect(await progressOf(license)).toBeUndefined()
  })

  test('gives up where chat after chat fails, and goes on behind them', async () => {
    const { license, ids, index } = await populated(6)
    await forgetAll(license, ids)
    let isOut = false
    world.proxy.setFault(({ operation, request }) => {
      isOut ||= JSON.stringify(request).includes(keys.chat(ids[9]!).pk)
      return isOut && operation === 'BatchGetItem' ? { errorType: 'AccessDeniedException' } : undefined
    })
    const { code, err } = await reindex(license)
    world.proxy.setFault(undefined)
    expect(code).toBe(1)
    expect(err).toMatch(
      /error: Too many chats failed, and the others were left\. \d+ of 42 chats are done; these failed:\n/,
    )
    const reached = (await progressOf(license))!
    expect(reached.failed.length).toBeGreaterThanOrEqual(20)
    expect(reached.chats).toBeLessThan(42)
    const { result, calls } = await world.proxy.record(() => reindex(license))
    expect(result).toMatchObject({ code: 0 })
    expect(chatsIn(calls)).toEqual(ids.filter((id) => id > reached.after! || reached.failed.includes(id)))
    expect(await indexOf(license)).toEqual(index)
  })

  test('begins anew with --restart, and where texts were turned on or off since', async () => {
    const { license, ids, index } = await populated()
    const began_at = Date.parse('2026-11-01T10:00:00Z')
    const half = (more: Partial<Reindexing> = {}) =>
      world.table.write.write(
        reindexingMoved(license.id, { began_at, texts: true, after: ids[3]!, chats: 4, failed: [], ...more }),
      )
    await half()
    const some = await world.proxy.record(() => reindex(license))
    expect(chatsIn(some.calls)).toEqual(ids.slice(4))
    await half()
    const all = await world.proxy.record(() => reindex(license, '--restart'))
    expect(chatsIn(all.calls)).toEqual(ids)
    expect(all.result.err).toBe('')
    await half({ texts: false })
    const changed = await world.proxy.record(() => reindex(license))
    expect(chatsIn(changed.calls)).toEqual(ids)
    expect(changed.result.err).toContain(
      'Indexing texts was turned on after the run of 2026-11-01T10:00:00Z: ',
    )
    expect(await indexOf(license)).toEqual(index)
  })

  test('says to be run again where texts are turned off while it runs', async () => {
    const { license, ids } = await populated()
    let isOff = false
    world.proxy.setFault(async ({ request }) => {
      if (isOff || !JSON.stringify(request).includes(`CHAT#${ids[3]!}`)) return undefined
      isOff = true
      await changeLicense(world.table, license.id, { index_texts: false })
      return undefined
    })
    const { code, err } = await reindex(license)
    expect([code, err]).toEqual([0, 'note: Indexing texts was turned off meanwhile. Run it once more.\n'])
    world.proxy.setFault(undefined)
    expect(await reindex(license)).toMatchObject({ code: 0, err: '' })
    expect(await wordsOf(license)).toEqual([])
  })
})
