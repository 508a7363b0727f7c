import { expect, test } from 'vitest'
import type { Client, CustomerClient } from '../support/client.ts'
import { sharedWorld } from '../support/world.ts'

const world = await sharedWorld({ presenceGraceS: 0 })

const message = (text: string) => ({ type: 'message', text })
const systemMessage = (system_message_type: string, text: string) => ({
  ...{ type: 'system_message', system_message_type, text },
  recipients: 'all',
})
const ids = (users: any[]) => users.filter(({ present }) => present).map(({ id }) => id)
const gone = (client: Client | CustomerClient) => client.close().then(() => world.settled())

test('a customer arrives, is served, returns, is banned, and comes back', { tags: ['full'] }, async () => {
  const license = await world.license({
    ann: { name: 'Ann', email: 'ann@company.example' },
    ben: { name: 'Ben' },
    sue: { name: 'Sue', permission: 'owner' },
  })
  const [ann, ben, sue] = [await license.login('ann'), await license.login('ben'), await license.login('sue')]
  await sue.ok('update_agent', { routing_status: 'not_accepting_chats' })

  // Carl opens the shop's page: he is nobody that anyone knows
  const page = { url: 'https://shop.example/cart', title: 'Your cart', referrer: 'https://search.example/' }
  const customer = { name: 'Carl', monitoring: { page, timezone: 'Europe/Warsaw' } }
  const arrival = await license.visit({ customer }, { 'user-agent': 'Browser/7' })
  const { client: carl, id: carlId, token } = arrival
  expect(arrival.answer).toEqual({ customer_id: carlId, token, last_chats_summary: [], total_chats: 0 })
  for (const agent of [ann, ben, sue]) await agent.receivesNothing()

  // he writes, and is given to an agent
  const { chat } = await carl.ok('start_chat', {
    chat: { thread: { events: [message('My order is late')] } },
  })
  const chat_id: string = chat.id
  const thread_id: string = chat.thread.id
  expect(chat.users).toEqual([
    { id: carlId, type: 'customer', name: 'Carl', present: true, last_seen_timestamp: expect.any(Number) },
    { id: 'ann', type: 'agent', name: 'Ann', present: true },
  ])
  expect(chat.thread.events).toMatchObject([
    { order: 1, text: 'My order is late', author_id: carlId },
    { order: 2, ...systemMessage('routing.assigned', 'Chat assigned to Ann') },
  ])
  expect(chat.properties).toEqual({ routing: { unassigned: { value: false } } })
  expect((await carl.next('incoming_chat_thread')).chat).toEqual(chat)
  for (const agent of [ann, ben, sue]) {
    const shown = (await agent.next('incoming_chat_thread')).chat
    expect(shown.users).toMatchObject([
      {
        ...{ id: carlId, type: 'customer', name: 'Carl', online: true, banned: false },
        monitoring: {
          current_visit: { pages: [{ url: page.url, title: page.title }] },
          stats: { visits: 1, threads: 1, page_views: 1 },
          ...{ referrer: page.referrer, user_agent: 'Browser/7', geolocation: { timezone: 'Europe/Warsaw' } },
        },
      },
      { id: 'ann', type: 'agent', email: 'ann@company.example', routing_status: 'accepting_chats' },
    ])
  }

  // while he types, the one who serves him reads along
  await carl.ok('send_typing_indicator', { chat_id, is_typing: true })
  await carl.ok('send_sneak_peek', { chat_id, sneak_peek_text: 'It was to come on M' })
  expect((await ann.next('incoming_typing_indicator')).typing_indicator).toMatchObject({ author_id: carlId })
  expect((await ann.next('incoming_sneak_peek')).sneak_peek).toMatchObject({
    ...{ author_id: carlId, text: 'It was to come on M', recipients: 'agents' },
  })
  await ben.receivesNothing()
  await carl.ok('send_event', { chat_id, event: message('It was to come on Monday') })
  const { event: written } = await carl.next('incoming_event')
  expect(written).toMatchObject({ order: 3, author_id: carlId })
  for (const agent of [ann, ben, sue]) expect((await agent.next('incoming_event')).event).toEqual(written)

  // Ann answers; each sees that the other has read
  await ann.ok('send_typing_indicator', { chat_id, is_typing: true })
  expect((await carl.next('incoming_typing_indicator')).typing_indicator).toMatchObject({ author_id: 'ann' })
  const answered = await ann.ok('send_event', { chat_id, event: message('I look where it is') })
  expect((await carl.next('incoming_event')).event).toEqual(answered.event)
  const event_id: string = answered.event.id
  await carl.ok('mark_event_as_seen', { chat_id, event_id })
  expect(await ann.eventually('event_marked_as_seen')).toEqual({ chat_id, event_id, user_id: carlId })
  for (const agent of [ann, ben, sue]) await agent.received()
  await carl.received()

  // Sue listens, and whispers to Ann: for Carl there is no such person
  await sue.ok('supervise_chat', { chat_id })
  await sue.ok('send_typing_indicator', { chat_id, is_typing: true })
  const whisper = await sue.ok('send_event', { chat_id, event: message('Offer him a refund') })
  await sue.ok('update_last_seen_timestamp', { chat_id })
  expect(whisper.event).toMatchObject({ order: 6, recipients: 'agents' })
  expect((await ann.eventually('incoming_event', ({ event }) => event.order === 6)).event).toEqual(
    whisper.event,
  )
  await carl.receivesNothing()
  const read = await carl.ok('get_chat_threads', { chat_id })
  expect(ids(read.chat.users)).toEqual([carlId, 'ann'])
  expect(read.chat.threads[0].user_ids.toSorted()).toEqual(['ann', carlId].toSorted())
  expect(read.chat.threads[0].events.map(({ order }: any) => order)).toEqual([1, 2, 3, 4])
  const before = (await carl.ok('get_chats_summary')).chats_summary[0]
  expect(before.last_threads_summary).toEqual([{ id: thread_id, order: 1, events_count: 4 }])
  expect(before.last_event_per_type.events.message).toEqual(answered.event)
  expect(carl.frames.join('\n')).not.toMatch(/sue|refund/i)

  // Carl is content and says so; Ann closes the thread
  await ann.ok('send_event', { chat_id, event: message('You get your money back') })
  const properties = { rating: { score: 5, comment: 'quick' } }
  await carl.ok('update_chat_thread_properties', { chat_id, thread_id, properties })
  const told = await carl.eventually('chat_thread_properties_updated')
  expect(told.properties).toEqual({ rating: { score: { value: 5 }, comment: { value: 'quick' } } })
  for (const agent of [ann, ben, sue])
    expect(await agent.eventually('chat_thread_properties_updated')).toEqual(told)
  await carl.received()
  await ann.ok('close_thread', { chat_id })
  expect((await carl.next('incoming_event')).event).toMatchObject(
    systemMessage('manual_archived', 'Ann archived the chat'),
  )
  expect(await carl.next('thread_closed')).toEqual({ chat_id, thread_id, user_id: 'ann' })
  await carl.receivesNothing()

  // he goes home, and Ann too
  await gone(carl)
  await gone(ann)
  await ben.eventually('agent_updated', ({ routing_status }) => routing_status === 'offline')
  for (const agent of [ben, sue]) await agent.received()

  // the next day he is still Carl, on two tabs
  const back = await license.visit({ token })
  expect(back.id).toBe(carlId)
  const [summary] = back.answer.last_chats_summary
  expect(summary).toMatchObject({ id: chat_id, order: 1, total_threads: 1 })
  expect(summary.last_threads_summary[0].events_count).toBe(6)
  expect(summary.last_event_per_type.events.message).toMatchObject({ text: 'You get your money back' })
  const other = await license.visit({ token: back.token })
  expect(other.id).toBe(carlId)
  const tabs = [back.client, other.client]

  // he writes again: Ann is away, so another takes the chat
  const sent = await back.client.ok('send_event', { chat_id, event: message('No money yet') })
  expect(sent).toMatchObject({ thread_id: `${chat_id}_2`, event: { order: 1, author_id: carlId } })
  for (const tab of tabs) {
    const reopened = (await tab.next('incoming_chat_thread')).chat
    expect(reopened.thread.events).toMatchObject([
      { order: 1, text: 'No money yet' },
      { order: 2, ...systemMessage('routing.assigned', 'Chat assigned to Ben') },
      { order: 3, ...systemMessage('agent_left', 'Ann left the chat') },
    ])
    expect(ids(reopened.users)).toEqual([carlId, 'ben'])
    expect(reopened.users.find(({ id }) => id === 'ann')).toMatchObject({ name: 'Ann', present: false })
    expect(await tab.next('chat_users_updated')).toMatchObject({
      updated_users: { added: [{ id: 'ben', type: 'agent', name: 'Ben' }], removed_ids: ['ann'] },
    })
    await tab.receivesNothing()
  }
  expect((await ben.eventually('incoming_chat_thread')).chat.thread.id).toBe(`${chat_id}_2`)
  const shown = await ben.ok('get_chat_threads', { chat_id, thread_ids: [thread_id] })
  expect(shown.chat.threads[0].properties.rating.score).toEqual({ value: 5 })

  // he is banned in mid-sentence: whatever is under way is either in the chat before the ban, or nowhere
  const underWay = tabs.flatMap((tab) => [
    tab.call('send_sneak_peek', { chat_id, sneak_peek_text: 'You are all' }),
    tab.call('send_event', { chat_id, event: message('You are all thieves') }),
  ])
  await ben.ok('ban_customer', { customer_id: carlId, ban: { days: 3 } })
  const afterBan = await Promise.all(
    tabs.map((tab) => tab.refused('send_event', { chat_id, event: message('and liars') })),
  )
  for (const error of afterBan)
    expect(error).toMatchObject({
      ...{ type: 'authorization', message: 'You cannot send the message in this chat.' },
    })
  let said = 0
  for (const { action, success, payload } of (await Promise.all(underWay)) as any[]) {
    // with the thread closed it would have started one
    if (!success) expect(payload.error.type).toMatch(/^(authorization|customer_banned)$/)
    else if (action === 'send_event') said += 1
  }
  for (const tab of tabs) {
    const events = []
    for (;;) {
      const { event } = await tab.next('incoming_event')
      events.push(event)
      if (event.type === 'system_message') break
    }
    expect(events.map(({ order }) => order)).toEqual(events.map((_, i) => 4 + i))
    expect(events).toHaveLength(said + 1)
    const banned = 'Chat archived because customer was banned by Ben for 3 days'
    expect(events.at(-1)).toMatchObject(systemMessage('customer_banned', banned))
    expect(await tab.next('thread_closed')).toMatchObject({ thread_id: `${chat_id}_2`, user_id: 'ben' })
    expect(await tab.next('customer_disconnected')).toEqual({ reason: 'customer_banned' })
    await tab.closing()
    await tab.receivesNothing()
  }
  expect(await sue.eventually('customer_banned')).toEqual({ customer_id: carlId, ban: { days: 3 } })
  expect(await (await license.arrive()).refused('login', { token })).toMatchObject({
    type: 'customer_banned',
  })
  expect(
    await ben.refused('start_chat', { chat: { users: [{ id: carlId, type: 'customer' }] } }),
  ).toMatchObject({ type: 'customer_banned' })
  const closed = (await ben.ok('get_chat_threads', { chat_id })).chat.threads[0]
  expect(closed.active).toBe(false)
  expect(closed.events).toHaveLength(4 + said)
  expect(closed.events.at(-1).system_message_type).toBe('customer_banned')

  // Sue has mercy: he comes back as the one he was, and is served
  await sue.ok('unban_customer', { customer_id: carlId })
  expect(await ben.eventually('customer_unbanned')).toEqual({ customer_id: carlId })
  for (const agent of [ben, sue]) await agent.received()
  const forgiven = await license.visit({ token: back.token })
  expect(forgiven.id).toBe(carlId)
  expect(forgiven.answer.last_chats_summary[0]).toMatchObject({ id: chat_id, order: 2, total_threads: 2 })
  const third = (await forgiven.client.ok('start_chat', { chat: { thread: { events: [message('Sorry')] } } }))
    .chat
  expect(third).toMatchObject({ id: chat_id, thread: { id: `${chat_id}_3`, order: 3, active: true } })
  expect(ids(third.users)).toEqual([carlId, 'ben'])
  expect((await ben.next('incoming_chat_thread')).chat.thread.events).toMatchObject([
    { order: 1, text: 'Sorry', author_id: carlId },
  ])
  await ben.ok('send_event', { chat_id, event: message('Never mind') })
  expect(
    (await forgiven.client.eventually('incoming_event', ({ event }) => event.author_id === 'ben')).event,
  ).toMatchObject({ order: 2, text: 'Never mind' })
})
