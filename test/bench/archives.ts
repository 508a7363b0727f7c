import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from '../../infra/build.ts'
import { startEngine } from '../../infra/local/dynamodb.ts'
import { startStack } from '../../infra/local/stack.ts'
import { mintToken, openTokenKey } from '../../infra/local/token-key.ts'
import { fillArchive, monthMs } from '../support/archive.ts'
import { Client } from '../support/client.ts'
import { startEngineProxy } from '../support/engine-proxy.ts'

// Searches of archives of 1,000, 10,000 and 100,000 threads over three years, as agents' apps see them: sequential round
// trips to the table, read units, milliseconds. Prints a table in Markdown.

const sizes = [1000, 10_000, 100_000]
const issuer = 'https://issuer.bench'
const audience = 'bench'
const nowMs = Date.now()

const searches: [name: string, filters: object][] = [
  ['a rare word (10 threads)', { query: 'zeppelin' }],
  ['a common word (half)', { query: 'order' }],
  ['two common words (15 %)', { query: 'order delivery' }],
  ['a property (8 %)', { properties: { 'rating.score': { values: [1] } } }],
  [
    'a month',
    {
      date_from: new Date(nowMs - 7 * monthMs).toISOString().slice(0, 10),
      date_to: new Date(nowMs - 6 * monthMs).toISOString().slice(0, 10),
    },
  ],
  ['an agent (5 %)', { agent_ids: ['agent-3'] }],
  ['no filter', {}],
]

const say = (text: string) => void process.stdout.write(`${text}\n`)
const median = (figures: number[]) => figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)] ?? 0

const dist = await mkdtemp(join(tmpdir(), 'agent-chat-bench-'))
const engine = await startEngine()
const proxy = await startEngineProxy(engine.endpoint)
try {
  await build(dist)
  const key = await openTokenKey(dist)
  const licenses = new Map<number, string>()
  const stack = await startStack({
    ...{ endpoint: proxy.endpoint, engine: engine.endpoint, tableName: 'bench', dist },
    ...{ key, issuer, audience, port: 0, index: false },
    prepare: async (table) => {
      for (const size of sizes) {
        const startedAt = performance.now()
        const license = `bench-${size}`
        await fillArchive(table, { license, size, issuer, nowMs })
        licenses.set(size, license)
        process.stderr.write(`${size} threads in ${Math.round((performance.now() - startedAt) / 1000)} s\n`)
      }
    },
  })
  say(`| search, by | threads | found | round trips | RRU | ms | again: round trips | RRU | ms |`)
  say(`| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |`)
  for (const who of ['owner', 'normal']) {
    const clients = new Map<number, Client>()
    for (const [size, license] of licenses) {
      const client = await Client.open(stack.agentUrl)
      const token = await mintToken({ key, issuer, audience, subject: `${license}/${who}`, expiresInS: 3600 })
      await client.ok('login', { token })
      clients.set(size, client)
    }
    for (const [name, filters] of searches)
      for (const [size, client] of clients) {
        const ask = () => client.ok('get_archives', { filters })
        const timed = async () => {
          const startedAt = performance.now()
          await ask()
          return performance.now() - startedAt
        }
        // long enough for calls side by side to overlap
        const counted = async () => {
          const release = stack.queue.hold()
          proxy.setDelay(400)
          const { sequentialDepth, rru, result } = await proxy.record(ask).finally(release)
          proxy.setDelay(0)
          return { sequentialDepth, rru, total: result.pagination.total }
        }
        const first = await counted()
        const firstMs = await timed()
        await stack.queue.flush()
        await stack.settled()
        const again = await counted()
        const times: number[] = []
        for (let run = 0; run < 7; run += 1) times.push(await timed())
        say(
          `| ${name}, ${who} | ${size.toLocaleString('en')} | ${first.total.toLocaleString('en')} | ${first.sequentialDepth} | ${first.rru} | ${Math.round(firstMs)} | ${again.sequentialDepth} | ${again.rru} | ${Math.round(median(times))} |`,
        )
        if (again.total !== first.total) throw new Error(`${name}: found ${first.total}, then ${again.total}`)
      }
    for (const client of clients.values()) await client.close()
  }
  await stack.stop()
} finally {
  await proxy.stop()
  await engine.stop()
  await rm(dist, { recursive: true, force: true })
}
