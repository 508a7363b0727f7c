import { fillArchive, monthMs } from '../support/archive.ts'
import type { Socket } from './socket.ts'
import { issuer, startStand } from './stand.ts'
import { median } from './statistics.ts'

// Searches of archives over three years, as agents' apps see them.

export interface Searched {
  search: string
  /** `owner` sees everything, `normal` what is open to all and what is for its group. */
  by: string
  threads: number
  found: number
  /** Sequential ones, to the table. */
  roundTrips: number
  rru: number
  ms: number
  /** After the counts were kept. */
  again: { roundTrips: number; rru: number; ms: number }
}

export interface ArchiveOptions {
  dist: string
  sizes: readonly number[]
  /** Every search of both agents; else some of one. */
  full: boolean
}

const nowMs = Date.now()
const day = (monthsAgo: number) => new Date(nowMs - monthsAgo * monthMs).toISOString().slice(0, 10)
const searches: [name: string, filters: object][] = [
  ['a rare word (10 threads)', { query: 'zeppelin' }],
  ['a common word (half)', { query: 'order' }],
  ['a month', { date_from: day(7), date_to: day(6) }],
  ['no filter', {}],
]
const further: typeof searches = [
  ['two common words (15 %)', { query: 'order delivery' }],
  ['a property (8 %)', { properties: { 'rating.score': { values: [1] } } }],
  ['an agent (5 %)', { agent_ids: ['agent-3'] }],
]

/** Long enough for calls side by side to overlap, of which a search of a large archive makes a hundred. */
const callMs = { some: 200, full: 400 }
const timesEach = 5

export const searchArchives = async ({ dist, sizes, full }: ArchiveOptions): Promise<Searched[]> => {
  const licenseOf = (size: number) => `archive-${size}`
  const stand = await startStand(
    {
      dist,
      prepare: async (table) => {
        for (const size of sizes) {
          const startedAt = performance.now()
          await fillArchive(table, { license: licenseOf(size), size, issuer, nowMs })
          const seconds = Math.round((performance.now() - startedAt) / 1000)
          process.stderr.write(`an archive of ${size} threads in ${seconds} s\n`)
        }
      },
    },
    { counted: true },
  )
  const results: Searched[] = []
  const measured = async (socket: Socket, filters: object) => {
    const ask = () => socket.ask('get_archives', { filters })
    const release = stand.queue.hold()
    stand.proxy.setDelay(full ? callMs.full : callMs.some)
    const { sequentialDepth, rru, result } = await stand.proxy.record(ask).finally(release)
    stand.proxy.setDelay(0)
    const total: number = result.payload.pagination.total
    return { roundTrips: sequentialDepth, rru, total, ask }
  }
  for (const by of full ? ['owner', 'normal'] : ['normal'])
    for (const [search, filters] of full ? [...searches, ...further] : searches)
      for (const threads of sizes) {
        const socket = await stand.login(licenseOf(threads), by)
        const first = await measured(socket, filters)
        const { ms } = await first.ask()
        await stand.queue.flush()
        await stand.settled()
        const again = await measured(socket, filters)
        if (again.total !== first.total)
          throw new Error(`${search}: found ${first.total}, then ${again.total}`)
        const times: number[] = []
        for (let run = 0; run < timesEach; run += 1) times.push((await again.ask()).ms)
        results.push({
          ...{ search, by, threads, found: first.total, roundTrips: first.roundTrips, rru: first.rru },
          ms: Math.round(ms),
          again: { roundTrips: again.roundTrips, rru: again.rru, ms: Math.round(median(times)) },
        })
        await socket.close()
      }
  await stand.end()
  return results
}
