import type { Client } from '../support/client.ts'
import type { Visitor } from '../support/world.ts'
import { someProperties, someTags } from './generated.ts'
import type { Random } from './seeded.ts'
import type { Writing } from './texts.ts'

/** Whoever acts in a walk, and the chats that there are by now. */
export interface Walkers {
  /** Owners, who may do everything. */
  agents: readonly { id: string; client: Client }[]
  visitors: readonly Visitor[]
  groups: readonly number[]
  chats: string[]
}

const mostChats = 14

/** One thing that somebody does, whatever the chat is like: it may be refused. */
export const act = async (random: Random, writing: Writing, walkers: Walkers): Promise<void> => {
  const { agents, visitors, groups, chats } = walkers
  const { client } = random.one(agents)
  const ids = () => random.shuffled(agents.map(({ id }) => id)).slice(0, 1 + random.below(2))
  const scopes = () => ({
    groups: random.some(groups, 2),
    agents: random.some(
      agents.map(({ id }) => id),
      2,
    ),
  })
  const properties = (removing: boolean) => {
    const name = random.one(someProperties.names)
    const value = removing && random.chance(0.3) ? null : random.one(someProperties.values)
    return { [random.one(someProperties.namespaces)]: { [name]: value } }
  }
  const message = () => ({
    type: 'message',
    text: writing.text(1 + random.below(8)),
    ...(random.chance(0.2) ? { recipients: 'agents' } : {}),
  })
  const start = async () => {
    const answer = await client.call('start_chat', {
      chat: {
        scopes: random.chance(0.5) ? {} : scopes(),
        properties: properties(false),
        thread: { properties: properties(false) },
        ...(random.chance(0.2) ? { users: [{ id: random.one(visitors).id, type: 'customer' }] } : {}),
      },
      initial_events: Array.from({ length: random.below(3) }, message),
    })
    const { id } = (answer.payload as any)?.chat ?? {}
    if (answer.success && !chats.includes(id)) chats.push(id)
  }
  const visit = async () => {
    const { client: page } = random.one(visitors)
    const answer = await page.call('start_chat', {
      chat: { events: [{ type: 'message', text: writing.text(4) }] },
    })
    const { id } = (answer.payload as any)?.chat ?? {}
    if (answer.success && !chats.includes(id)) chats.push(id)
  }
  if (chats.length === 0) return start()
  const chat_id = random.one(chats)
  const thread_id = `${chat_id}_${1 + random.below(3)}`
  const does: [number, () => Promise<unknown>][] = [
    [chats.length < mostChats ? 3 : 0.3, start],
    [1, visit],
    [6, () => client.call('send_event', { chat_id, event: message() })],
    [
      1,
      () =>
        client.call('send_event', {
          chat_id,
          event: { type: 'annotation', annotation_type: 'note', text: writing.text(3) },
        }),
    ],
    [3, () => client.call('close_thread', { chat_id })],
    [3, () => client.call('join_chat', { chat_id, agent_ids: ids() })],
    [2, () => client.call('supervise_chat', { chat_id, agent_ids: ids() })],
    [3, () => client.call('remove_from_chat', { chat_id, agent_ids: ids() })],
    [2, () => client.call('update_chat_scopes', { chat_id, add_scopes: scopes() })],
    [2, () => client.call('update_chat_scopes', { chat_id, remove_scopes: scopes() })],
    [3, () => client.call('update_chat_properties', { chat_id, properties: properties(true) })],
    [
      3,
      () =>
        client.call('update_chat_thread_properties', { chat_id, thread_id, properties: properties(true) }),
    ],
    [
      3,
      () =>
        client.call(random.chance(0.6) ? 'tag_thread' : 'untag_thread', {
          ...{ chat_id, thread_id, tag: random.one(someTags) },
        }),
    ],
  ]
  let at = random.below(1000 * does.reduce((sum, [weight]) => sum + weight, 0)) / 1000
  for (const [weight, action] of does) {
    at -= weight
    if (at < 0) {
      await action()
      return
    }
  }
}
