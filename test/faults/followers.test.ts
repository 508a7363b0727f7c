import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { activePk, changedPk, chatPk, type Key } from '../../shared/table/keys.ts'
import { startWorld, type World } from '../support/world.ts'
import { Recorder } from './app.ts'
import { followersHoldAll } from './check-followers.ts'
import { dice } from './dice.ts'
import { Follower } from './follower.ts'
import { sample } from './sample.ts'

let world: World
beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  world = await startWorld({ stream: false })
})
afterAll(() => void vi.useRealTimers())

const passTime = (ms: number): void => void vi.setSystemTime(Date.now() + ms)
/** So far apart are things that no sync's overlap covers. */
const apartMs = 120_000
const longMs = 600_000
const message = (text: string) => ({ type: 'message', text })

/** Returns how many there were. */
const removeRows = async (pk: Key['pk'], isMeant: (sk: string) => boolean): Promise<number> => {
  const rows = (await world.table.read.query({ pk, strong: true })).filter(({ sk }) => isMeant(String(sk)))
  for (const { sk } of rows) await world.table.write.write({ Delete: { Key: { pk, sk } as Key } })
  return rows.length
}

interface Away {
  license: string
  /**
   * It was closed before the client went away; it gets an annotation meanwhile, and its older thread a tag.
   */
  noted: string
  /** It is closed while the client is away. */
  ended: string
}

/** What is done wrong while a client is away, or before it goes. */
interface Fault {
  /** So far ahead (ms) is the cursor that it goes away with. */
  aheadMs?: number
  spoil?: (away: Away) => Promise<number>
}

/** A client goes away while chats change, and comes back; the chats that the check finds wrong in it then. */
const returns = async ({ aheadMs = 0, spoil }: Fault): Promise<string[]> => {
  const { id, login, token } = await world.license({ ann: {}, ben: {} })
  const ann = await login('ann')
  const recorder = new Recorder()
  const ben = new Follower(recorder, {
    ...{ url: world.agentUrl, from: '127.0.0.1', license: id, dice: dice(1), token: () => token('ben') },
  })
  await ben.open()
  const start = async (): Promise<string> =>
    (await ann.ok('start_chat', { initial_events: [message('hello')] })).chat.id
  const away: Away = { license: id, noted: await start(), ended: await start() }
  const { noted, ended } = away
  await ann.ok('close_thread', { chat_id: noted })
  await ann.ok('send_event', { chat_id: noted, event: message('again') })
  await ann.ok('close_thread', { chat_id: noted })
  await world.tick()
  await world.settled()
  passTime(apartMs + aheadMs)
  await ben.finish()
  passTime(apartMs - aheadMs)
  ben.leave()
  await ann.ok('send_event', { chat_id: noted, event: { type: 'annotation', annotation_type: 'note' } })
  await ann.ok('tag_thread', { chat_id: noted, thread_id: `${noted}_1`, tag: 'late' })
  await ann.ok('close_thread', { chat_id: ended })
  expect(await spoil?.(away)).not.toBe(0)
  await world.tick()
  passTime(longMs)
  await ben.finish()
  const items = []
  for (const chat of [noted, ended])
    items.push(...(await world.table.read.query({ pk: chatPk(chat), strong: true })))
  const { record } = ben
  ben.close()
  const { checked, violations } = followersHoldAll({
    ...sample(),
    ...{ sockets: recorder.sockets, requests: recorder.requests, frames: recorder.frames },
    licenses: [
      {
        ...{ id, marker: '', groups: [], events: false },
        agents: [{ id: 'ben', permission: 'normal', groups: [] }],
      },
    ],
    chats: [],
    followers: [record],
    quiet: { items, living: {}, at: performance.now() },
  })
  expect(checked).toBe(2)
  return Object.keys(away).filter((name) =>
    violations.some((violation) => violation.includes(away[name as keyof Away])),
  )
}

test('a client that was away holds what the server has, by sync alone', async () => {
  expect(await returns({})).toEqual([])
})

test.each<[string, Fault, string[]]>([
  [
    'the list of changed chats lacks one',
    { spoil: ({ license, noted }) => removeRows(changedPk(license), (sk) => sk.endsWith(noted)) },
    ['noted'],
  ],
  [
    'a chat is taken from the list of active ones before that of changed ones has it',
    { spoil: ({ license, ended }) => removeRows(activePk(license), (sk) => sk === ended) },
    ['ended'],
  ],
  ['a cursor is ahead of what it stands for', { aheadMs: longMs / 2 }, ['noted', 'ended']],
])('it is noticed where %s', async (_, fault, wrong) => {
  expect(await returns(fault)).toEqual(wrong)
})
