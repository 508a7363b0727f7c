import { setTimeout as wait } from 'node:timers/promises'
import pLimit from 'p-limit'
import { message } from './office.ts'
import type { Socket } from './socket.ts'
import { startStand } from './stand.ts'
import { type Times, timesOf } from './statistics.ts'

// Chats of an agent and a customer, who write by turns, each as soon as the other's message is there.

export interface Throughput extends Times {
  chats: number
  messagesPerSecond: number
}

const sizes = [2, 20, 200]
const warmMs = 1000
const measuredMs = 4000
const atOnce = 8

/** The end of the time. */
interface Over {
  isSo: boolean
  promise: Promise<void>
}

interface Talk {
  writers: readonly [Socket, Socket]
  chat_id: string
}

/** Writes until `over`; `sent` gets how long each answer took. */
const talk = async ({ writers, chat_id }: Talk, over: Over, sent: (ms: number) => void): Promise<void> => {
  for (let turn = 0; !over.isSo; turn += 1) {
    const [writer, reader] = turn % 2 === 0 ? writers : [writers[1], writers[0]]
    const heard = new Promise<void>((resolve) => (reader.onPush = () => resolve()))
    const { ms } = await writer.ask('send_event', { chat_id, event: message })
    sent(ms)
    await Promise.race([heard, over.promise])
  }
}

export const throughput = async (dist: string): Promise<Throughput[]> => {
  const stand = await startStand({ dist }, { counted: false })
  // a license each: who does not take part hears nothing
  const open = async (n: number): Promise<Talk> => {
    const license = `talk-${n}`
    await stand.addLicense(license, ['ann'], { groups: [] })
    const agent = await stand.login(license, 'ann')
    const customer = await stand.arrive(license)
    await customer.ask('login')
    const { payload } = await customer.ask('start_chat')
    return { writers: [agent, customer], chat_id: payload.chat.id }
  }
  const limit = pLimit(atOnce)
  const talks: Talk[] = []
  const results: Throughput[] = []
  for (const chats of sizes) {
    const more = Array.from({ length: chats - talks.length }, (_, i) => talks.length + i)
    talks.push(...(await Promise.all(more.map((n) => limit(open, n)))))
    await stand.settled()
    const from = performance.now() + warmMs
    const figures: number[] = []
    const sent = (ms: number) => {
      const now = performance.now()
      if (now >= from && now < from + measuredMs) figures.push(ms)
    }
    const over: Over = {
      isSo: false,
      promise: wait(warmMs + measuredMs).then(() => {
        over.isSo = true
      }),
    }
    await Promise.all(talks.map((one) => talk(one, over, sent)))
    results.push({
      ...{ chats, messagesPerSecond: Math.round((figures.length * 1000) / measuredMs) },
      ...timesOf(figures),
    })
  }
  await Promise.all(talks.flatMap(({ writers }) => writers.map((socket) => socket.close())))
  await stand.end()
  return results
}
