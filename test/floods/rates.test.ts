import { expect, test } from 'vitest'
import type { Client } from '../support/client.ts'
import { ownMinutes, tooMany } from '../support/minutes.ts'
import { startWorld } from '../support/world.ts'

const rates = { startChat: 2, sendEvent: 3, other: 4 }
const world = await startWorld({ agentRates: rates, delayScale: 1000 })

const { nextMinute } = ownMinutes()

const times = async (client: Client, count: number, action: string, payload: object) => {
  for (let i = 0; i < count; i += 1) await client.ok(action, payload)
}

test(
  'an agent may ask for each class so often in a minute where a deployment says so, and is told when to try again',
  { tags: ['full'] },
  async () => {
    const license = await world.license({ ann: {} })
    const ann = await license.login('ann')
    const { chat } = await ann.ok('start_chat')
    const payload = { chat_id: chat.id, event: { type: 'message', text: 'x' } }
    nextMinute()
    await times(ann, rates.startChat, 'start_chat', {})
    await times(ann, rates.sendEvent, 'send_event', payload)
    await times(ann, rates.other - 1, 'get_chat_threads', { chat_id: chat.id })
    await times(ann, 1, 'login', { token: await license.token('ann') })
    expect(await ann.refused('start_chat', {})).toEqual(tooMany)
    expect(await ann.refused('send_event', payload)).toEqual(tooMany)
    expect(await ann.refused('get_archives', {})).toEqual(tooMany)
    expect(await ann.refused('login', { token: await license.token('ann') })).toEqual(tooMany)
    // heartbeats are counted apart
    await times(ann, rates.other, 'ping', {})
    expect(await ann.refused('ping')).toEqual(tooMany)
    // on all its connections together
    nextMinute()
    const second = await license.login('ann')
    await times(second, rates.sendEvent, 'send_event', payload)
    for (const client of [ann, second]) expect(await client.refused('send_event', payload)).toEqual(tooMany)
    const { chat: stored } = await second.ok('get_chat_threads', { chat_id: chat.id, limit: 100 })
    expect(stored.threads[0].events.filter(({ type }: any) => type === 'message')).toHaveLength(
      2 * rates.sendEvent,
    )
    nextMinute()
    await times(ann, 1, 'send_event', payload)
  },
)
