import { expect, test } from 'vitest'
import { expectLoads } from '../customer/loads.ts'
import { calm } from '../races/holding.ts'
import type { Client, CustomerClient } from '../support/client.ts'
import { message } from '../support/events.ts'
import { sharedWorld } from '../support/world.ts'

const world = await sharedWorld({ presenceGraceS: 0, index: true })

const [sales, support] = [1, 2]

/** The pushes that a client got since, by their names. */
const heard = async (client: Client | CustomerClient): Promise<(name: string) => any[]> => {
  await calm(world)
  const pushes = (await client.received()) as { action: string; payload: any }[]
  return (name) => pushes.filter(({ action }) => action === name).map(({ payload }) => payload)
}
const agentsOf = (chat: any): string[] =>
  chat.users.filter(({ type, present }: any) => type === 'agent' && present).map(({ id }: any) => id)

test(
  'a day at a desk: a queue in the morning, transfers, a note, a card, tags, a ban, and everybody goes home',
  { tags: ['full'] },
  async () => {
    const license = await world.license(
      {
        ann: { name: 'Ann', groups: [sales], max_chats: 2 },
        ben: { name: 'Ben', groups: [support], max_chats: 1 },
        cat: { name: 'Cat', groups: [support], max_chats: 1 },
        boss: { name: 'Boss', permission: 'owner', default_status: 'not_accepting_chats' },
      },
      { groups: ['Sales', 'Support'] },
    )
    const come = async (name: string, group: number) => {
      const visitor = await license.visit({ customer: { name } })
      const { chat } = await visitor.client.ok('start_chat', {
        chat: { scopes: { groups: [group] }, thread: { events: [message(`I am ${name}`)] } },
      })
      return { ...visitor, chat_id: chat.id as string, thread_id: chat.thread.id as string }
    }
    const chatOf = async ({ client, chat_id }: Awaited<ReturnType<typeof come>>): Promise<any> =>
      (await client.ok('get_chat_threads', { chat_id })).chat

    // nobody is there yet: who comes is told so, and where it stands
    const kim = await come('Kim', sales)
    const { groups_status } = await kim.client.ok('list_group_statuses', { group_ids: [sales, support] })
    expect(groups_status).toEqual({ [sales]: 'offline', [support]: 'offline' })
    const lee = await come('Lee', sales)
    const max = await come('Max', support)
    await calm(world)
    const positionOf = async (one: typeof kim) => (await chatOf(one)).threads[0].queue?.position
    expect([await positionOf(kim), await positionOf(lee), await positionOf(max)]).toEqual([1, 2, 1])

    // the first agent takes who waits longest, as many as it may
    const ann = await license.login('ann')
    await calm(world)
    expect([agentsOf(await chatOf(kim)), agentsOf(await chatOf(lee))]).toEqual([['ann'], ['ann']])
    const ben = await license.login('ben')
    await calm(world)
    expect(agentsOf(await chatOf(max))).toEqual(['ben'])
    expect((await kim.client.ok('list_group_statuses', {})).groups_status).toEqual({
      [sales]: 'online_for_queue',
      [support]: 'online_for_queue',
    })

    // Kim needs support, which is full: she waits for it, and keeps nobody of sales from the next customer
    const boss = await license.login('boss')
    await heard(kim.client)
    const toSupport = { chat_id: kim.chat_id, target: { type: 'group', ids: [support] } }
    expect((await ann.refused('transfer_chat', toSupport)) as any).toMatchObject({
      type: 'validation',
      details: [{ path: 'payload.target.ids' }],
    })
    await ann.ok('transfer_chat', { ...toSupport, ignore_agents_availability: true })
    const atKim = await heard(kim.client)
    expect(atKim('chat_transferred')).toMatchObject([
      { reason: 'manual', requester_id: 'ann', transferred_to: { agent_ids: [], group_ids: [support] } },
    ])
    expect(atKim('queue_position_updated')).toMatchObject([
      { queue: { position: 1, wait_time: expect.any(Number) } },
    ])
    const noa = await come('Noa', sales)
    await calm(world)
    expect(agentsOf(await chatOf(noa))).toEqual(['ann'])

    // the boss looks on and leaves a note, which Max does not see
    await boss.ok('supervise_chat', { chat_id: max.chat_id })
    await boss.ok('send_event', {
      chat_id: max.chat_id,
      event: { ...message('be kind'), recipients: 'agents' },
    })
    expect(JSON.stringify(await chatOf(max))).not.toContain('be kind')

    // Cat comes; Max is given to her, and her connection dies in that second: he is not lost
    const cat = await license.login('cat')
    await calm(world)
    expect(agentsOf(await chatOf(kim))).toEqual(['cat'])
    await cat.ok('close_thread', { chat_id: kim.chat_id })
    await calm(world)
    const [given] = await Promise.all([
      ben.call('transfer_chat', { chat_id: max.chat_id, target: { type: 'agent', ids: ['cat'] } }),
      cat.close(),
    ])
    await calm(world)
    await max.client.ok('send_event', { chat_id: max.chat_id, event: message('anybody?') })
    await calm(world)
    const maxNow = await chatOf(max)
    expect(maxNow.threads[0].active).toBe(true)
    // where it was too late for Cat he stays; else he is Ben's no more, and waits for somebody else to come
    if (!given.success) expect(agentsOf(maxNow)).toEqual(['ben'])
    else expect(maxNow.threads[0].queue ?? agentsOf(maxNow)).toMatchObject({ position: 1 })
    await expectLoads(world, license.id)

    // Lee's address was wrong; both sides hear that it is mended
    await heard(lee.client)
    const { customer } = await ann.ok('update_customer', {
      customer_id: lee.id,
      customer: { email: 'lee@example.com' },
    })
    expect(customer).toMatchObject({ name: 'Lee', email: 'lee@example.com' })
    expect((await heard(lee.client))('customer_updated')).toMatchObject([
      { customer: { id: lee.id, email: 'lee@example.com' } },
    ])

    // what it was about is found by its tag, when it is over
    await ann.ok('tag_thread', { chat_id: lee.chat_id, thread_id: lee.thread_id, tag: 'Refund' })
    await ann.ok('close_thread', { chat_id: lee.chat_id })
    await calm(world)
    const { chats } = await ann.ok('get_archives', { filters: { tags: { values: ['Refund'] } } })
    expect(chats.map(({ chat }: any) => [chat.id, chat.thread.tags])).toEqual([[lee.chat_id, ['Refund']]])

    // Noa is rude
    await ann.ok('ban_customer', { customer_id: noa.id, ban: { days: 1 } })
    expect(await noa.client.eventually('customer_disconnected')).toEqual({ reason: 'customer_banned' })

    // everybody goes home, and the statuses say so
    await ann.ok('logout', {})
    await ben.ok('logout', {})
    await boss.eventually(
      'groups_status_updated',
      ({ groups_status: now }) => now[sales] === 'offline' || now[support] === 'offline',
    )
    await calm(world)
    expect((await boss.ok('list_group_statuses', {})).groups_status).toEqual({
      [sales]: 'offline',
      [support]: 'offline',
    })
    await expectLoads(world, license.id)
  },
)
