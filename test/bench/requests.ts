import { message, type Office, officeLicense } from './office.ts'
import type { Answer, Socket } from './socket.ts'
import type { Stand } from './stand.ts'

/** One request: who makes it, with what, and what undoes it. */
interface Request {
  by: Socket
  payload?: object
  after?(answer: Answer): Promise<unknown>
}

/** Makes ready for an action's request, for the `turn`th time; its own requests are not measured. */
export type Ready = (stand: Stand, office: Office, turn: number) => Promise<Request>

const broadcast = { lunch: 'The canteen opens at noon, and there is soup.' }
const rating = (turn: number) => ({ rating: { score: turn % 5, comment: `the ${turn}th` } })
const tagging = (chat_id: string) => ({ chat_id, thread_id: `${chat_id}_1`, tag: 'refund' })
const device = { firebase_token: 'token-of-a-phone', platform: 'ios' }
const startWith = { chat: { thread: { events: [message] } } }

/** Puts a chat into a group's scope, and out of it again. */
const scoping = (by: Socket, chat_id: string): Request => {
  const scopes = { groups: [1] }
  return {
    by,
    payload: { chat_id, add_scopes: scopes },
    after: () => by.ask('update_chat_scopes', { chat_id, remove_scopes: scopes }),
  }
}

/** Each later than the one before: what moves nothing costs less. */
const seenAt = (chat_id: string, turn: number) => ({ chat_id, timestamp: 1_767_225_600 + turn })

/** A customer new to the office, with the chat that it has started. */
const newCustomer = async (stand: Stand) => {
  const socket = await stand.arrive(officeLicense)
  const { customer_id }: { customer_id: string } = (await socket.ask('login')).payload
  await socket.ask('start_chat', startWith)
  return { socket, customer_id }
}

/** How each action is asked for, in the order in which they are measured. */
export const requests: Readonly<Record<string, Ready>> = {
  'agent/login': async (stand, { agents }) => {
    const by = await stand.connect()
    const token = await stand.token(officeLicense, agents[2]!)
    return { by, payload: { token }, after: () => by.close() }
  },
  'agent/logout': async (stand, { agents }) => {
    const by = await stand.connect()
    await by.ask('login', { token: await stand.token(officeLicense, agents[2]!) })
    return { by, payload: device, after: () => by.close() }
  },
  'agent/ping': async (_, { ann }) => ({ by: ann }),
  'agent/send_event': async (_, { ann, chat_id }) => ({ by: ann, payload: { chat_id, event: message } }),
  'agent/send_typing_indicator': async (_, { ann, chat_id }) => ({
    by: ann,
    payload: { chat_id, is_typing: true },
  }),
  'agent/mark_event_as_seen': async (_, { ann, carl, chat_id }) => {
    const { payload } = await carl.ask('send_event', { chat_id, event: message })
    return { by: ann, payload: { chat_id, event_id: payload.event.id } }
  },
  'agent/update_last_seen_timestamp': async (_, { ann, evans }, turn) => ({
    by: ann,
    payload: seenAt(evans, turn),
  }),
  'agent/get_chat_threads': async (_, { ann, chat_id }) => ({ by: ann, payload: { chat_id } }),
  'agent/get_filtered_chats': async (_, { ann }) => ({
    by: ann,
    payload: { filters: { include_active: true } },
  }),
  'agent/sync': async (_, { ann }) => {
    const { payload } = await ann.ask('ping', { cursor: true })
    return { by: ann, payload }
  },
  'agent/list_group_statuses': async (_, { ann }) => ({ by: ann }),
  'agent/get_archives': async (_, { owner }) => ({ by: owner, payload: { filters: { query: 'order' } } }),
  'agent/start_chat': async (_, { ann }) => ({
    by: ann,
    payload: startWith,
    after: ({ payload }) => ann.ask('close_thread', { chat_id: payload.chat.id }),
  }),
  'agent/close_thread': async (_, { ann, doras }) => {
    await ann.ask('send_event', { chat_id: doras, event: message })
    return { by: ann, payload: { chat_id: doras } }
  },
  'agent/join_chat': async (_, { agents, ben, chat_id }) => ({
    by: ben,
    payload: { chat_id, agent_ids: [agents[1]] },
    after: () => ben.ask('remove_from_chat', { chat_id }),
  }),
  'agent/transfer_chat': async (_, { agents, ann, doras }) => {
    await ann.ask('send_event', { chat_id: doras, event: message })
    return {
      by: ann,
      payload: {
        chat_id: doras,
        target: { type: 'agent', ids: [agents[1]] },
        ignore_agents_availability: true,
      },
      after: async () => {
        await ann.ask('join_chat', { chat_id: doras, agent_ids: [agents[0]] })
        await ann.ask('close_thread', { chat_id: doras })
      },
    }
  },
  'agent/list_agents_for_transfer': async (_, { ann, chat_id }) => ({ by: ann, payload: { chat_id } }),
  'agent/follow_chat': async (_, { ben, chat_id }) => ({
    by: ben,
    payload: { chat_id },
    after: () => ben.ask('unfollow_chat', { chat_id }),
  }),
  'agent/unfollow_chat': async (_, { ben, chat_id }) => {
    await ben.ask('follow_chat', { chat_id })
    return { by: ben, payload: { chat_id } }
  },
  'agent/supervise_chat': async (_, { ben, chat_id }) => ({
    by: ben,
    payload: { chat_id },
    after: () => ben.ask('remove_from_chat', { chat_id }),
  }),
  'agent/remove_from_chat': async (_, { agents, ben, chat_id }) => {
    await ben.ask('join_chat', { chat_id, agent_ids: [agents[1]] })
    return { by: ben, payload: { chat_id } }
  },
  'agent/send_broadcast': async (_, { ann }) => ({ by: ann, payload: { content: broadcast } }),
  'agent/update_chat_scopes': async (_, { ann, evans }) => scoping(ann, evans),
  'agent/update_chat_properties': async (_, { ann, chat_id }, turn) => ({
    by: ann,
    payload: { chat_id, properties: rating(turn) },
  }),
  'agent/update_chat_thread_properties': async (_, { ann, chat_id }, turn) => ({
    by: ann,
    payload: { chat_id, thread_id: `${chat_id}_1`, properties: rating(turn) },
  }),
  'agent/tag_thread': async (_, { ann, chat_id }) => {
    const payload = tagging(chat_id)
    return { by: ann, payload, after: () => ann.ask('untag_thread', payload) }
  },
  'agent/untag_thread': async (_, { ann, chat_id }) => {
    const payload = tagging(chat_id)
    await ann.ask('tag_thread', payload)
    return { by: ann, payload }
  },
  'agent/update_agent': async (_, { agents, ben }, turn) => ({
    by: ben,
    payload: {
      agent_id: agents[1],
      routing_status: turn % 2 === 0 ? 'accepting_chats' : 'not_accepting_chats',
    },
  }),
  'agent/change_push_notifications': async (_, { ann }, turn) => ({
    by: ann,
    payload: { ...device, enabled: turn % 2 === 0 },
  }),
  'agent/get_customer': async (_, { ann, carls }) => ({ by: ann, payload: { customer_id: carls } }),
  'agent/update_customer': async (_, { ann, carls }, turn) => ({
    by: ann,
    payload: { customer_id: carls, customer: { properties: { turn: String(turn) } } },
  }),
  'agent/ban_customer': async (stand, { ann }) => {
    const { socket, customer_id } = await newCustomer(stand)
    return { by: ann, payload: { customer_id, ban: { days: 1 } }, after: () => socket.close() }
  },
  'agent/unban_customer': async (stand, { ann }) => {
    const { socket, customer_id } = await newCustomer(stand)
    await ann.ask('ban_customer', { customer_id, ban: { days: 1 } })
    return { by: ann, payload: { customer_id }, after: () => socket.close() }
  },

  'customer/login': async (stand) => {
    const by = await stand.arrive(officeLicense)
    return { by, payload: { customer: { name: 'Frida' } }, after: () => by.close() }
  },
  'customer/ping': async (_, { carl }) => ({ by: carl }),
  'customer/start_chat': async (_, { dora, doras }) => ({
    by: dora,
    payload: { chat: { events: [message] } },
    after: () => dora.ask('close_thread', { chat_id: doras }),
  }),
  'customer/send_event': async (_, { carl, chat_id }) => ({ by: carl, payload: { chat_id, event: message } }),
  'customer/send_sneak_peek': async (_, { carl, chat_id }) => ({
    by: carl,
    payload: { chat_id, sneak_peek_text: message.text },
  }),
  'customer/send_typing_indicator': async (_, { carl, chat_id }) => ({
    by: carl,
    payload: { chat_id, is_typing: true },
  }),
  'customer/close_thread': async (_, { dora, doras }) => {
    await dora.ask('send_event', { chat_id: doras, event: message })
    return { by: dora, payload: { chat_id: doras } }
  },
  'customer/get_chats_summary': async (_, { carl }) => ({ by: carl }),
  'customer/list_group_statuses': async (_, { carl }) => ({ by: carl }),
  'customer/get_chat_threads': async (_, { carl, chat_id }) => ({ by: carl, payload: { chat_id } }),
  'customer/get_chat_threads_summary': async (_, { carl, chat_id }) => ({ by: carl, payload: { chat_id } }),
  'customer/mark_event_as_seen': async (_, { ann, carl, chat_id }) => {
    const { payload } = await ann.ask('send_event', { chat_id, event: message })
    return { by: carl, payload: { chat_id, event_id: payload.event.id } }
  },
  'customer/update_last_seen_timestamp': async (_, { evan, evans }, turn) => ({
    by: evan,
    payload: seenAt(evans, turn),
  }),
  'customer/update_customer': async (_, { carl }, turn) => ({
    by: carl,
    payload: { customer: { properties: { plan: `plan ${turn}` } } },
  }),
  'customer/update_chat_scopes': async (_, { evan, evans }) => scoping(evan, evans),
  'customer/update_chat_properties': async (_, { carl, chat_id }, turn) => ({
    by: carl,
    payload: { chat_id, properties: rating(turn) },
  }),
  'customer/update_chat_thread_properties': async (_, { carl, chat_id }, turn) => ({
    by: carl,
    payload: { chat_id, thread_id: `${chat_id}_1`, properties: rating(turn) },
  }),
}
