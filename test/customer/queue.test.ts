import { beforeAll, describe, expect, test } from 'vitest'
import { claimTelling, readQueue, readQueueTimes, setPositions } from '../../shared/table/chat/queue.ts'
import { readWaitingChats } from '../../shared/table/chat/waiting-chats.ts'
import { keys } from '../../shared/table/keys.ts'
import { calm } from '../races/holding.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import { message } from '../support/events.ts'
import { type License, sharedWorld, type Visitor, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ presenceGraceS: 0 })
})

interface Waiting extends Visitor {
  chat_id: string
}
const arrive = async (license: License, name: string, groups: number[] = []): Promise<Waiting> => {
  const visitor = await license.visit({ customer: { name } })
  const { chat } = await visitor.client.ok('start_chat', {
    chat: { scopes: { groups }, thread: { events: [message(`I am ${name}`)] } },
  })
  await calm(world)
  return { ...visitor, chat_id: chat.id }
}
/** What a client was told of queues since: of each push who is where. */
const told = async (client: Client | CustomerClient): Promise<object[]> => {
  await calm(world)
  return (await client.received()).flatMap(({ action, payload }: any) => {
    if (action !== 'queue_positions_updated' && action !== 'queue_position_updated') return []
    const places: any[] = Array.isArray(payload) ? payload : [payload]
    return [Object.fromEntries(places.map(({ chat_id, queue }) => [chat_id, queue.position]))]
  })
}
const queueNow = async ({ client, chat_id }: Waiting): Promise<any> =>
  (await client.ok('get_chat_threads', { chat_id })).chat.threads[0].queue
const openDesk = () =>
  world.license(
    {
      ann: { groups: [1] },
      ben: { groups: [2] },
      boss: { permission: 'owner', default_status: 'not_accepting_chats' },
    },
    { groups: ['Sales', 'Support'] },
  )

describe('a chat that waits', () => {
  test('has a position in the line of its groups, which it and the agents with access are told', async () => {
    const license = await openDesk()
    const boss = await license.login('boss')
    const kim = await arrive(license, 'Kim', [1])
    const lee = await arrive(license, 'Lee', [2])
    const max = await arrive(license, 'Max', [1])
    expect(await told(kim.client)).toEqual([{ [kim.chat_id]: 1 }])
    expect(await told(lee.client)).toEqual([{ [lee.chat_id]: 1 }])
    expect(await told(max.client)).toEqual([{ [max.chat_id]: 2 }])
    expect(Object.assign({}, ...(await told(boss)))).toEqual({
      [kim.chat_id]: 1,
      [lee.chat_id]: 1,
      [max.chat_id]: 2,
    })
    const { queued_at, ...rest } = await queueNow(max)
    expect(rest).toEqual({ position: 2 })
    expect(Math.abs(queued_at - Date.now() / 1000)).toBeLessThan(120)
  })

  test('comes nearer as another is given to an agent: only what changed is told, with how long that took', async () => {
    const license = await openDesk()
    const boss = await license.login('boss')
    const [kim, lee, max] = [
      await arrive(license, 'Kim', [1]),
      await arrive(license, 'Lee', [2]),
      await arrive(license, 'Max', [1]),
    ]
    for (const client of [boss, kim.client, lee.client, max.client]) await told(client)
    await boss.ok('join_chat', { chat_id: kim.chat_id, agent_ids: ['boss'] })
    expect(await told(max.client)).toEqual([{ [max.chat_id]: 1 }])
    expect(await told(boss)).toEqual([{ [max.chat_id]: 1 }])
    for (const { client } of [kim, lee]) expect(await told(client)).toEqual([])
    const { waits, mean_wait_ms } = await readQueueTimes(world.table.read, license.id)
    expect(waits).toBe(1)
    expect(mean_wait_ms).toBeGreaterThanOrEqual(0)
    expect(await queueNow(max)).toMatchObject({ position: 1, wait_time: Math.round(mean_wait_ms / 1000) })
    expect(await queueNow(kim)).toBeUndefined()
  })

  test('comes nearer as another that waits is closed, which has no place any more', async () => {
    const license = await openDesk()
    const kim = await arrive(license, 'Kim', [1])
    const lee = await arrive(license, 'Lee', [1])
    for (const { client } of [kim, lee]) await told(client)
    await kim.client.ok('close_thread', { chat_id: kim.chat_id })
    expect(await told(lee.client)).toEqual([{ [lee.chat_id]: 1 }])
    expect(await told(kim.client)).toEqual([])
    const listed = await readWaitingChats(world.table.read, license.id)
    expect(listed.map(({ id }) => id)).toEqual([lee.chat_id])
  })

  test('is shown with its queue wherever its thread is shown', async () => {
    const license = await openDesk()
    const kim = await arrive(license, 'Kim', [1])
    const queue = await queueNow(kim)
    expect(queue).toMatchObject({ position: 1 })
    const boss = await world.open()
    const { chats_summary: shown } = await boss.ok('login', { token: await license.token('boss') })
    const [{ last_thread_summary: summary }] = shown
    expect(summary.queue).toEqual(queue)
    const { chats_summary } = await boss.ok('get_filtered_chats')
    expect(chats_summary[0].last_thread_summary.queue).toEqual(queue)
    const { chat } = await boss.ok('get_chat_threads', { chat_id: kim.chat_id })
    expect(chat.threads[0].queue).toEqual(queue)
    await kim.client.ok('close_thread', { chat_id: kim.chat_id })
    expect(await queueNow(kim)).toBeUndefined()
  })

  test('is told its position once in ten seconds, and what it is then', async () => {
    const license = await openDesk()
    const boss = await license.login('boss')
    const waiting = [await arrive(license, 'Kim', [1])]
    const goOn = world.queue.hold()
    try {
      for (const name of ['Lee', 'Max', 'Noa']) {
        const visitor = await license.visit({ customer: { name } })
        const { chat } = await visitor.client.ok('start_chat', { chat: { scopes: { groups: [1] } } })
        waiting.push({ ...visitor, chat_id: chat.id })
      }
      await boss.ok('join_chat', { chat_id: waiting[0]!.chat_id, agent_ids: ['boss'] })
    } finally {
      goOn()
    }
    await calm(world)
    for (const [index, one] of waiting.slice(1).entries())
      expect(await told(one.client)).toEqual([{ [one.chat_id]: index + 1 }])
  })

  test('is told in time where a clock that was half an hour ahead told the last', async () => {
    const license = await openDesk()
    const kim = await arrive(license, 'Kim', [1])
    await told(kim.client)
    const times = await readQueueTimes(world.table.read, license.id)
    const ahead = Date.now() + 1_800_000
    const { positions } = await readQueue(world.table.read, license.id, { strong: true })
    await world.table.write.write(claimTelling(license.id, times, ahead))
    await world.table.write.write(setPositions(license.id, ahead, positions))
    const lee = await arrive(license, 'Lee', [1])
    expect(await told(lee.client)).toEqual([{ [lee.chat_id]: 2 }])
    const kept = await readQueue(world.table.read, license.id, { strong: true })
    expect(Object.keys(kept.positions).toSorted()).toEqual([kim.chat_id, lee.chat_id].toSorted())
  })

  test('is told again where a run died before it kept what it had told', async () => {
    const license = await openDesk()
    const kim = await arrive(license, 'Kim', [1])
    await told(kim.client)
    await world.table.write.write({ Delete: { Key: keys.queue(license.id) } })
    const lee = await arrive(license, 'Lee', [2])
    expect(await told(kim.client)).toEqual([{ [kim.chat_id]: 1 }])
    expect(await told(lee.client)).toEqual([{ [lee.chat_id]: 1 }])
  })

  test('is shown what chats waited by the item of all in one, and the next wait goes on from there', async () => {
    const license = await openDesk()
    const boss = await license.login('boss')
    const [kim, lee] = [await arrive(license, 'Kim', [1]), await arrive(license, 'Lee', [1])]
    const { queue, queueTimes } = keys
    const item = await world.table.read.get(queue(license.id), { strong: true })
    await world.table.write.write({ Delete: { Key: queueTimes(license.id) } })
    const before = { told_at: 1, due_at: 0, waits: 3, mean_wait_ms: 60_000 }
    await world.table.write.write({ Put: { Item: { ...item, ...queue(license.id), ...before } } })
    expect(await queueNow(lee)).toMatchObject({ position: 2, wait_time: 60 })
    await boss.ok('join_chat', { chat_id: kim.chat_id, agent_ids: ['boss'] })
    await calm(world)
    const { waits, mean_wait_ms } = await readQueueTimes(world.table.read, license.id)
    expect(waits).toBe(4)
    expect(mean_wait_ms).toBeGreaterThan(44_000)
    expect(mean_wait_ms).toBeLessThan(60_000)
    expect(await queueNow(lee)).toMatchObject({ position: 1, wait_time: Math.round(mean_wait_ms / 1000) })
  })

  test('stays where it is in line as it is transferred and waits on', async () => {
    const license = await openDesk()
    const ann = await license.login('ann')
    const kim = await arrive(license, 'Kim', [1])
    const first = await arrive(license, 'Lee', [2])
    await ann.ok('transfer_chat', {
      chat_id: kim.chat_id,
      target: { type: 'group', ids: [2] },
      ignore_agents_availability: true,
    })
    await calm(world)
    const before = (await queueNow(kim)).queued_at
    expect(await queueNow(kim)).toMatchObject({ position: 2 })
    expect(await queueNow(first)).toMatchObject({ position: 1 })
    await ann
      .ok('transfer_chat', {
        chat_id: kim.chat_id,
        target: { type: 'group', ids: [1] },
        ignore_agents_availability: true,
        ignore_requester_presence: true,
      })
      .catch(() => undefined)
    await calm(world)
    expect((await readWaitingChats(world.table.read, license.id)).map(({ id }) => id)).toContain(kim.chat_id)
    expect((await queueNow(kim)).queued_at).toBe(before)
  })
})
