import type { Around } from '../../infra/local/handlers.ts'
import type { Habits, MessageCounts } from './cost.ts'
import { indexMemoryMb } from '../../infra/stack/workers.ts'
import { message } from './office.ts'
import { startStand } from './stand.ts'
import { mean } from './statistics.ts'
import { cloudMs } from './versus-floor.ts'

// What a message takes in chats of so many people: everything that the stack does for it, its workers' part
// too.

const sizes = [2, 5, 50]
const messages = 16
/** Of each message; the others are words that its thread has already. */
const newWords = 5

/** A message of eleven words. */
const textOf = (n: number) =>
  [
    'about my order of last week',
    ...Array.from({ length: newWords }, (_, i) => `word${n * newWords + i}`),
  ].join(' ')

export const habits: Omit<Habits, 'pingMs'> = {
  ...{ secondsPerMessage: 20, secondsPerPing: 300 },
  ...{ memoryGb: 1, indexMemoryGb: indexMemoryMb / 1024 },
}

interface Run {
  name: string
  event: any
  startedAt: number
  ms: number
}

export const countMessages = async (dist: string): Promise<{ counts: MessageCounts[]; pingMs: number }> => {
  let runs: Run[] = []
  const around: Around = async ({ name, event }, run) => {
    const startedAt = performance.now()
    try {
      return await run(event)
    } finally {
      runs.push({ name, event, startedAt, ms: performance.now() - startedAt })
    }
  }
  const stand = await startStand({ dist, index: true, around }, { counted: true })
  let posts = 0
  const post = () => {
    posts += 1
    return { delayMs: cloudMs.post }
  }
  const counts: MessageCounts[] = []
  let pingMs = 0
  for (const people of sizes) {
    const license = `people-${people}`
    const agents = Array.from({ length: people - 1 }, (_, i) => `agent-${i}`)
    await stand.addLicense(license, agents)
    const [first, ...others] = agents
    const writers = [await stand.login(license, first!), await stand.arrive(license)] as const
    const sockets = [...writers]
    await writers[1].ask('login')
    const { payload } = await writers[1].ask('start_chat', { chat: { events: [message] } })
    const chat_id: string = payload.chat.id
    for (const other of others) sockets.push(await stand.login(license, other))
    for (let from = 0; from < others.length; from += 20)
      await writers[0].ask('join_chat', { chat_id, agent_ids: others.slice(from, from + 20) })
    for (let n = 0; n < 25; n += 1) await writers[n % 2]!.ask('send_event', { chat_id, event: message })
    await stand.settled()
    await stand.queue.flush()
    await stand.settled()

    stand.gateway.setFaults({ post })
    stand.customers.setFaults({ post })
    stand.proxy.setDelay(cloudMs.table)
    posts = 0
    runs = []
    const [own, later] = [
      { rru: 0, wru: 0 },
      { rru: 0, wru: 0 },
    ]
    for (let n = 0; n < messages; n += 1) {
      const event = { type: 'message', text: textOf(n) }
      const runsBefore = runs.length
      const { calls } = await stand.proxy.record(async () => {
        await writers[n % 2]!.ask('send_event', { chat_id, event })
        await stand.settled()
      })
      // by then the action has made all of its calls: what the worker hears of is its put
      const indexing = runs.slice(runsBefore).filter(({ name }) => name === 'worker/index')
      const indexedAt = Math.min(...indexing.map(({ startedAt }) => startedAt))
      for (const { startedAt, rru, wru } of calls) {
        const part = startedAt < indexedAt ? own : later
        part.rru += rru
        part.wru += wru
      }
    }
    const of = (pattern: RegExp) => runs.filter(({ name }) => pattern.test(name)).map(({ ms }) => ms)
    const total = (figures: number[]) => figures.reduce((sum, figure) => sum + figure, 0)
    const jobs = total(
      runs.filter(({ name }) => name === 'worker/later').map(({ event }) => event.Records.length),
    )
    const [index, notify] = [of(/^worker\/index$/), of(/^worker\/notify$/)]
    counts.push({
      people,
      pushes: posts / messages,
      ...{ rru: own.rru / messages, wru: own.wru / messages },
      functionMs: mean(of(/\/send_event$/)),
      ...{ indexRuns: index.length / messages, indexMs: total(index) / messages },
      ...{ indexRru: later.rru / messages, indexWru: later.wru / messages },
      ...{ notifyRuns: notify.length / messages, notifyMs: total(notify) / messages },
      jobs: jobs / messages,
    })
    runs = []
    for (let n = 0; n < 20; n += 1) await writers[0].ask('ping')
    pingMs = mean(of(/\/ping$/))
    stand.proxy.setDelay(0)
    stand.gateway.setFaults({})
    stand.customers.setFaults({})
    await Promise.all(sockets.map((socket) => socket.close()))
    await stand.settled()
  }
  await stand.end()
  return { counts, pingMs }
}
