import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createAgentClient, createCustomerClient } from '../../shared/client/client.ts'
import { calm } from '../races/holding.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'
import { openNetwork } from './environment.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ presenceGraceS: 0 })
})

const openDesk = () =>
  world.license(
    { ann: { groups: [1, 2] }, boss: { permission: 'owner', default_status: 'not_accepting_chats' } },
    { groups: ['Sales', 'Support'] },
  )
const agentOf = async (license: License, id: string) => {
  const network = openNetwork()
  const token = () => license.token(id)
  const client = createAgentClient({ url: world.agentUrl, token, environment: network })
  onTestFinished(client.close)
  await expect.poll(() => client.state, { timeout: 20_000 }).toBe('online')
  return { client, network }
}
const customerOf = async (license: License, groups: number[]) => {
  const options = { url: world.customerUrl, licenseId: license.id, environment: openNetwork() }
  const client = createCustomerClient(options)
  onTestFinished(client.close)
  await expect.poll(() => client.state, { timeout: 20_000 }).toBe('online')
  const thread = { events: [{ type: 'message' as const, text: 'hello' }] }
  const { chat } = await client.request('start_chat', { chat: { scopes: { groups }, thread } })
  await calm(world)
  return { client, id: chat.id }
}
interface Holding {
  chats: { get: (id: string) => { threads: { queue?: object | undefined }[] } | undefined }
}
const placeIn = ({ chats }: Holding, id: string) => chats.get(id)?.threads.at(-1)?.queue
/** Both stores have what is stored. How long others have waited is told with a place alone. */
const agree = async (license: License, boss: Holding, customers: { client: Holding; id: string }[]) => {
  await calm(world)
  const reader = await license.login('boss')
  for (const { client, id } of customers) {
    const { chat } = await reader.ok('get_chat_threads', { chat_id: id })
    const { queue } = chat.threads[0]
    const { wait_time: _, ...place } = queue ?? {}
    const expected = queue === undefined ? undefined : expect.objectContaining(place)
    for (const store of [boss, client]) await expect.poll(() => placeIn(store, id)).toEqual(expected)
  }
  await reader.close()
}

describe('the stores of agents and customers show the place of a chat that waits', () => {
  test('as it comes nearer, is transferred, given to an agent, and closed', async () => {
    const license = await openDesk()
    const { client: boss } = await agentOf(license, 'boss')
    const kim = await customerOf(license, [1])
    const lee = await customerOf(license, [1])
    await agree(license, boss, [kim, lee])
    expect(placeIn(boss, lee.id)).toMatchObject({ position: 2 })
    await boss.request('join_chat', { chat_id: kim.id, agent_ids: ['boss'] })
    await agree(license, boss, [kim, lee])
    expect([placeIn(boss, kim.id), placeIn(boss, lee.id)]).toEqual([
      undefined,
      expect.objectContaining({ position: 1 }),
    ])
    await boss.request('transfer_chat', {
      chat_id: kim.id,
      target: { type: 'group', ids: [2] },
      ignore_agents_availability: true,
    })
    await agree(license, boss, [kim, lee])
    expect(placeIn(boss, kim.id)).toMatchObject({ position: 1 })
    await lee.client.request('close_thread', { chat_id: lee.id })
    await agree(license, boss, [kim, lee])
    expect(placeIn(lee.client, lee.id)).toBeUndefined()
    await license.login('ann')
    await agree(license, boss, [kim])
    expect(placeIn(kim.client, kim.id)).toBeUndefined()
    expect(boss.chats.get(kim.id)?.users).toContainEqual(expect.objectContaining({ id: 'ann' }))
  })

  test('as it is after a line was cut', async () => {
    const license = await openDesk()
    const { client: boss, network } = await agentOf(license, 'boss')
    const kim = await customerOf(license, [1])
    const lee = await customerOf(license, [1])
    await agree(license, boss, [kim, lee])
    network.cut(true)
    await expect.poll(() => boss.state).not.toBe('online')
    const other = await license.login('boss')
    await other.ok('join_chat', { chat_id: kim.id, agent_ids: ['boss'] })
    await calm(world)
    const recovered = new Promise((resolve) => boss.on('recovered', resolve))
    network.cut()
    network.comeBack()
    await recovered
    await agree(license, boss, [kim, lee])
    expect(placeIn(boss, lee.id)).toMatchObject({ position: 1 })
  })
})
