import { beforeAll, expect, test } from 'vitest'
import { Client, type CustomerClient, type Response } from '../support/client.ts'
import { message } from '../support/events.ts'
import { type License, startWorld, type World } from '../support/world.ts'

// Floods of each kind from one address, beside people who chat from others: those are served, these are not.

const rates = { startChat: 5, sendEvent: 20, other: 30, addressFactor: 2, licenseStarts: 100 }
const flooding = '127.0.0.66'
const times = 4
let world: World
beforeAll(async () => {
  world = await startWorld({ rates })
})

const urlOf = ({ id }: License) => `${world.customerUrl}?license_id=${id}`
type Refused = Record<string, number>

/** How often each answer came, by its error; `ok` where it was none. A closed socket is one too. */
const tally = (answers: readonly (Response | undefined)[]): Refused => {
  const found: Refused = {}
  for (const answer of answers) {
    const name = answer === undefined ? 'closed' : answer.success ? 'ok' : (answer.payload as any).error.type
    found[name] = (found[name] ?? 0) + 1
  }
  return found
}
const atOnce = (count: number, ask: (i: number) => Promise<Response>) =>
  Promise.all(Array.from({ length: count }, (_, i) => ask(i).catch(() => undefined)))

/** Connects from the flooding address, while it may. */
const intrude = async (license: License, token?: string): Promise<CustomerClient | undefined> => {
  try {
    const client = await Client.open(urlOf(license), { as: 'customer', from: flooding })
    if (token !== undefined) await client.call('login', { token })
    return client
  } catch {
    return undefined
  }
}

test('floods of each kind reach their limits, and people beside them are answered, and never refused', async () => {
  const license = await world.license({ ann: {}, ben: {} })
  const agents = [await license.login('ann'), await license.login('ben')]
  const people = await Promise.all(
    ['Kim', 'Lou', 'Max'].map(async (name) => {
      const { client } = await license.visit({ customer: { name } })
      const { chat } = await client.ok('start_chat', { chat: { thread: { events: [message('hello')] } } })
      return { client, chat_id: chat.id as string }
    }),
  )
  const stranger = await Client.open(urlOf(license), { as: 'customer', from: flooding })
  const { token } = await stranger.ok('login')
  const { chat } = await stranger.ok('start_chat')
  const chat_id = chat.id as string

  let isOver = false
  const chatting = async (): Promise<number> => {
    let answered = 0
    for (let round = 0; round < 6 || !isOver; round += 1) {
      if (round >= 15) break
      for (const [i, { client, chat_id: own }] of people.entries()) {
        await client.ok('send_event', { chat_id: own, event: message(`question ${round}`) })
        const agent = agents[i % 2] as Client
        const { chat: seen } = await agent.ok('get_chat_threads', { chat_id: own })
        expect(seen.threads[0].events.at(-1).text).toBe(`question ${round}`)
        answered += 2
      }
    }
    return answered
  }
  const floods = async (): Promise<Record<string, Refused>> => {
    const found: Record<string, Refused> = {}
    const sent: (Response | undefined)[] = []
    for (let i = 0; i < times; i += 1) {
      const client = await intrude(license, token)
      if (client !== undefined)
        sent.push(
          ...(await atOnce(rates.sendEvent, () =>
            client.call('send_event', { chat_id, event: message('spam') }),
          )),
        )
      client?.socket.terminate()
    }
    found['messages over reconnects'] = tally(sent)
    const begun: (Response | undefined)[] = []
    for (let i = 0; i < times * rates.startChat; i += 1) {
      begun.push(...(await atOnce(1, () => stranger.call('close_thread', { chat_id }))))
      begun.push(...(await atOnce(1, () => stranger.call('start_chat'))))
    }
    found['threads'] = tally(begun)
    found['typing'] = tally(
      await atOnce(rates.other * 2, (i) =>
        stranger.call('send_typing_indicator', { chat_id, is_typing: i % 2 === 0 }),
      ),
    )
    for (const [name, url, as] of [
      ['failed logins of agents', world.agentUrl, 'agent'],
      ['failed logins of customers', urlOf(license), 'customer'],
    ] as const) {
      const failed: (Response | undefined)[] = []
      const client =
        as === 'agent'
          ? await Client.open(url, { from: flooding }).catch(() => undefined)
          : await Client.open(url, { as, from: flooding }).catch(() => undefined)
      if (client !== undefined)
        failed.push(...(await atOnce(rates.other * 3, () => client.call('login', { token: 'x' }))))
      found[name] = tally(failed)
    }
    // the last: its address is refused then
    found['pings'] = tally(await atOnce(rates.other * 6, () => stranger.call('ping')))
    isOver = true
    return found
  }
  const [answered, found] = await Promise.all([chatting(), floods()])

  expect(answered).toBeGreaterThanOrEqual(6 * people.length * 2)
  const okOf = (name: string) => found[name]?.['ok'] ?? 0
  // where the minute turned meanwhile, there were two
  expect(okOf('messages over reconnects')).toBeLessThanOrEqual(2 * rates.sendEvent)
  expect(okOf('threads')).toBeLessThanOrEqual(2 * (rates.startChat + rates.other))
  expect(okOf('pings')).toBeLessThanOrEqual(2 * rates.other)
  for (const [name, answers] of Object.entries(found))
    expect(answers['too_many_requests'] ?? 0, name).toBeGreaterThan(0)
  for (const answers of Object.values(found)) expect(Object.keys(answers)).not.toContain('internal')
  await world.queue.flush()
  expect(await stranger.closing()).toBeGreaterThan(0)
  expect(await intrude(license)).toBeUndefined()
  // people come from elsewhere
  await license.visit()
})
