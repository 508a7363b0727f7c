import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { lockCustomer } from '../../infra/admin/data/erase-customer.ts'
import { changeAgent, deleteAgent } from '../../shared/provisioning/change-agent.ts'
import { changeGroup, createGroup, deleteGroup } from '../../shared/provisioning/change-group.ts'
import { keys } from '../../shared/table/keys.ts'
import type { Client } from '../support/client.ts'
import { message } from '../support/events.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(() => world.proxy.setFault(undefined))

/** What was told of accounts since this was asked last, presence last. */
const told = async (client: Client): Promise<[name: string, payload: unknown][]> => {
  await world.settled()
  await client.caughtUp()
  return [...client.accounts.splice(0), ...client.presence.splice(0)].map(({ action, payload }) => [
    action,
    payload,
  ])
}
const openOffice = async () => {
  const license = await world.license({ ann: {}, ben: { permission: 'owner' } }, { groups: ['Sales'] })
  const other = await world.license({ ann: {} })
  const [ann, ben] = [await license.login('ann'), await license.login('ben')]
  // one that may read no chats
  const blind = await license.login('ann', {}, { scope: 'broadcast:write' })
  const stranger = await other.login('ann')
  for (const client of [ann, ben, blind, stranger]) await told(client)
  return { license, ann, everyone: [ann, ben, blind], stranger }
}
/** Fails unless everyone of the license is told this, and no other license anything. */
const expectTold = async (
  { everyone, stranger }: Pick<Awaited<ReturnType<typeof openOffice>>, 'everyone' | 'stranger'>,
  ...expected: [name: string, payload: object][]
) => {
  for (const client of everyone) expect(await told(client)).toEqual(expected)
  expect(await told(stranger)).toEqual([])
}

describe('agents that come, change and go', () => {
  test('are told to every agent of the license as a login shows them', async () => {
    const office = await openOffice()
    const { license, ann } = office
    const avatar = 'https://example.com/lea.png'
    await license.addAgent('lea', { name: 'Lea', avatar, groups: [1] })
    const created = { agent_id: 'lea', name: 'Lea', avatar, permission: 'normal', group_ids: [1] }
    await expectTold(office, ['agent_created', created])
    const { agents } = await ann.ok('login', { token: await license.token('ann') })
    const shown = agents.find(({ id }: any) => id === 'lea')
    expect(shown).toEqual({ id: 'lea', name: 'Lea', avatar, permission: 'normal' })
  })

  test.each<[string, Parameters<typeof changeAgent>[3], object]>([
    ['a name', { name: 'Anna' }, { name: 'Anna' }],
    ['an avatar', { avatar: 'https://example.com/a.png' }, { avatar: 'https://example.com/a.png' }],
    ['a permission', { permission: 'administrator' }, { permission: 'administrator' }],
    ['groups', { groups: [1] }, { group_ids: [1] }],
    ['several', { name: 'Anna', groups: [1] }, { name: 'Anna', group_ids: [1] }],
  ])('are told with what changed alone, and their status: %s', async (_, changes, shown) => {
    const office = await openOffice()
    await changeAgent(world.table, office.license.id, 'ann', changes)
    const routing_status = 'accepting_chats'
    await expectTold(office, ['agent_updated', { agent_id: 'ann', routing_status, ...shown }])
  })

  test('are told where nothing of it is shown to colleagues: not at all', async () => {
    const office = await openOffice()
    await changeAgent(world.table, office.license.id, 'ann', { email: 'ann@example.com', max_chats: 3 })
    await expectTold(office)
  })

  test('an avatar that is gone is told as empty, the status of one who is not there as offline', async () => {
    const office = await openOffice()
    const { license } = office
    await license.addAgent('lea', { avatar: 'https://example.com/lea.png' })
    for (const client of office.everyone) await told(client)
    await changeAgent(world.table, license.id, 'lea', { avatar: null })
    await expectTold(office, ['agent_updated', { agent_id: 'lea', routing_status: 'offline', avatar: '' }])
  })

  test('are told when they are suspended, when they are not any more, and when they are deleted', async () => {
    const office = await openOffice()
    const { license } = office
    await license.addAgent('lea', { name: 'Lea' })
    for (const client of office.everyone) await told(client)
    const lea = { agent_id: 'lea', name: 'Lea' }
    await changeAgent(world.table, license.id, 'lea', { suspended: true })
    await expectTold(office, ['agent_suspended', lea])
    await changeAgent(world.table, license.id, 'lea', { suspended: false })
    await expectTold(office, ['agent_unsuspended', lea])
    await deleteAgent(world.table, license.id, 'lea')
    await expectTold(office, ['agent_deleted', lea])
  })
})

describe('groups that come, change and go', () => {
  test('are told by id and name; that somebody joins one is told of the agent', async () => {
    const office = await openOffice()
    const { license } = office
    await createGroup(world.table, { license_id: license.id, id: 7, name: 'Night' })
    await expectTold(office, ['group_created', { group_id: 7, name: 'Night' }])
    await changeGroup(world.table, license.id, 7, { name: 'Late' })
    await expectTold(office, ['group_updated', { group_id: 7, name: 'Late' }])
    await changeGroup(world.table, license.id, 7, { name: 'Late' })
    await expectTold(office)
    const ann = { agent_id: 'ann', routing_status: 'accepting_chats' }
    await changeAgent(world.table, license.id, 'ann', { groups: [7] })
    await expectTold(office, ['agent_updated', { ...ann, group_ids: [7] }])
    await deleteGroup(world.table, license.id, 7, { evenWithAgents: true })
    await expectTold(
      office,
      ['group_deleted', { group_id: 7, name: 'Late' }],
      ['agent_updated', { ...ann, group_ids: [] }],
    )
  })
})

describe('a chat whose customer is erased', () => {
  const started = async (license: License) => {
    const carl = await license.visit()
    const { chat } = await carl.client.ok('start_chat', {
      chat: { scopes: { groups: [1] }, thread: { events: [message('hello')] } },
    })
    await world.settled()
    return { id: carl.id, chat_id: chat.id, client: carl.client }
  }
  const openTeams = async () => {
    const license = await world.license(
      { ann: { groups: [1] }, ben: { permission: 'owner' }, out: { groups: [2] } },
      { groups: ['Sales', 'Support'] },
    )
    const clients = [await license.login('ann'), await license.login('ben'), await license.login('out')]
    return { license, clients }
  }
  const namesOf = async (client: Client) => {
    await world.settled()
    return (await client.received()).map(({ action, payload }) => [action, (payload as any).chat_id])
  }

  test.each([
    ['an active thread', true],
    ['a closed one', false],
  ])('is told as deleted to agents who had access, and to nobody else: %s', async (_, isActive) => {
    const { license, clients } = await openTeams()
    const { id, chat_id, client } = await started(license)
    if (!isActive) await client.ok('close_thread', { chat_id })
    await Promise.all([...clients, client].map((one) => one.received()))
    await lockCustomer(world.table, license.id, id, () => Date.now())
    const closing = isActive ? [['incoming_event'], ['thread_closed']] : []
    const due = [...closing, ['chat_deleted']].map(([name]) => [name, chat_id])
    const [ann, ben, out] = clients
    for (const one of [ann!, ben!]) expect(await namesOf(one)).toEqual(due)
    expect(await namesOf(out!)).toEqual([])
    const names = client.pushes.map(({ action }) => action)
    expect(names).not.toContain('chat_deleted')
  })

  test('is told where the worker is late, and all of it is gone by then; and where it dies at first', async () => {
    const { license, clients } = await openTeams()
    const { id, chat_id } = await started(license)
    await Promise.all(clients.map((one) => one.received()))
    let deaths = 2
    world.proxy.setFault(({ lambda, operation, request }) => {
      const isWorkers = lambda === 'worker/notify' && operation === 'Query'
      if (!isWorkers || deaths === 0 || !JSON.stringify(request).includes(license.id)) return undefined
      deaths -= 1
      return { errorType: 'ValidationException', status: 400 }
    })
    await lockCustomer(world.table, license.id, id, () => Date.now())
    await world.table.write.write({ Delete: { Key: keys.customer(license.id, id) } })
    await world.settled()
    expect(deaths).toBe(0)
    expect((await namesOf(clients[0]!)).map(([name]) => name)).toContain('chat_deleted')
    expect((await clients[1]!.received()).map(({ payload }: any) => payload.chat_id)).toContain(chat_id)
  })
})

test('a change that the worker cannot tell at first is told when the record comes again', async () => {
  const office = await openOffice()
  const { license } = office
  let failures = 2
  world.proxy.setFault(({ lambda, operation, request }) => {
    const isWorkers = lambda === 'worker/notify' && operation === 'Query'
    if (!isWorkers || failures === 0 || !JSON.stringify(request).includes(license.id)) return undefined
    failures -= 1
    return { errorType: 'ValidationException', status: 400 }
  })
  await createGroup(world.table, { license_id: license.id, id: 9, name: 'Night' })
  await expectTold(office, ['group_created', { group_id: 9, name: 'Night' }])
  expect(failures).toBe(0)
})
