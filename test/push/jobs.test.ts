import { describe, expect, test } from 'vitest'
import { pushed } from '../../shared/protocol/envelope.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { deferPushes } from '../../shared/delivery/deferred-push.ts'
import type { AgentSocketItem } from '../../shared/table/sockets.ts'
import { encode } from '../../shared/jobs/job-queue.ts'

const targets = (count: number, idBytes = 20) =>
  Array.from({ length: count }, (_, index) => ({
    license_id: 'l'.repeat(idBytes),
    agent_id: `${index}-`.padEnd(idBytes, '"'),
    connection: `${index}`.padStart(15, 'c') + '=',
  }))
const rowOf = (target: ReturnType<typeof targets>[number]): AgentSocketItem => ({
  ...target,
  ...{ permission: 'normal', groups: [], ttl: 1, token_expires_at: 1, license_expires_at: 1 },
})
const frame = (text: string) => pushed('thread_closed', { chat_id: 'c', thread_id: text })
/** A frame of the size of the largest, with a text of this character. */
const largest = (char: string) => {
  const bytes = Buffer.byteLength(frame(char)) - Buffer.byteLength(frame(''))
  const count = Math.floor((limits.frameBytes - Buffer.byteLength(frame(''))) / bytes)
  return frame(char.repeat(count))
}
const bytesOf = (job: unknown) => Buffer.byteLength(encode(job))

describe('pushes that are put off', () => {
  const cases = {
    'a hundred chats of 120 KiB for one connection': [1, Array.from({ length: 100 }, () => largest('x'))],
    'frames of nothing but quotes': [3, Array.from({ length: 10 }, () => largest('"'))],
    'frames of what SQS takes only escaped': [3, Array.from({ length: 10 }, () => largest('\uffff'))],
    'frames of control characters': [3, Array.from({ length: 10 }, () => largest('\u0001'))],
    'one frame for 20,000 connections': [20_000, [largest('"')]],
    'many frames for many connections': [2000, Array.from({ length: 300 }, (_, n) => frame(`${n}`))],
  } satisfies Record<string, [number, string[]]>

  test.each(Object.entries(cases))('%s fit into messages of less than 900 KB', (_, [count, frames]) => {
    const all = targets(count, limits.idBytes)
    const jobs = deferPushes(all.map(rowOf), frames)
    expect(Math.max(...jobs.map(bytesOf))).toBeLessThan(900_000)
    // each target gets each frame once
    const got = new Map<string, string[]>()
    for (const job of jobs) {
      expect(job).toMatchObject({ job: 'push', tries: 0 })
      for (const { connection } of job.targets)
        got.set(connection, [...(got.get(connection) ?? []), ...job.frames])
    }
    expect(got.size).toBe(count)
    for (const { connection } of all) expect(got.get(connection)!.length).toBe(frames.length)
    expect(got.get(all[0]!.connection)!.toSorted()).toEqual(frames.toSorted())
  })

  test('keep their order within a job, and go into one job where they fit', () => {
    const frames = Array.from({ length: 10 }, (_, n) => frame(`${n}`))
    expect(deferPushes(targets(3).map(rowOf), frames)).toEqual([
      { job: 'push', targets: targets(3), frames, tries: 0 },
    ])
    const long = Array.from({ length: 10 }, (_, n) => frame(`${n}`.repeat(60_000)))
    const jobs = deferPushes(targets(1).map(rowOf), long)
    expect(jobs.length).toBeGreaterThan(1)
    expect(jobs.flatMap(({ frames }) => frames)).toEqual(long)
  })

  test('are none without frames or without connections', () => {
    expect(deferPushes(targets(1).map(rowOf), [])).toEqual([])
    expect(deferPushes([], [frame('x')])).toEqual([])
  })
})

describe('a job on its way', () => {
  const all = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code)).join('')
  const text = `${all}\u{10000}\u{1fffe}\u{1ffff}\u{10ffff}`

  test('has only characters that SQS takes', () => {
    const taken = /^[\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]*$/u
    expect(taken.test(encode({ text }))).toBe(true)
  })

  test('is read as what it was', () => {
    expect(JSON.parse(encode({ [text]: text }))).toEqual({ [text]: text })
  })

  test('has what SQS takes as it is', () => {
    expect(encode('grüße 👋 \ufffd\u{1fffe}')).toBe('"grüße 👋 \ufffd\u{1fffe}"')
  })
})
