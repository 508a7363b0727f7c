import { type Profiles, readProfiles } from '../../shared/chat/profiles.ts'
import { joining, usersUpdated } from '../../shared/chat/membership.ts'
import { showChat } from '../../shared/chat/show.ts'
import { changeUsers } from '../../shared/chat/threads.ts'
import { joinChat } from '../../shared/protocol/agent/join_chat.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import { gaining, watching } from '../../shared/push/audience.ts'
import { serve } from '../../shared/runtime/serve.ts'
import type { AgentItem } from '../../shared/table/accounts.ts'
import { threadId } from '../../shared/table/keys.ts'
import { eventOf } from '../../shared/table/log.ts'
import type { Session } from '../../shared/table/sockets.ts'
import type { Reader } from '../../shared/table/ops.ts'

export const handler = serve(joinChat, async (ctx, { agent_ids }) => {
  const known = await othersOf(ctx, agent_ids)
  const names = namesOf(ctx.me, agent_ids, known)
  const { before, chat, entries, tail } = await changeUsers(ctx, (view) => joining(view, names))
  if (chat === before) return

  ctx.readAudience(chat.license_id)
  const events = [...entries.toReversed(), ...tail.entries].toReversed()
  const { shown, profiles } = await showChat(ctx.read, { chat, events, known })
  ctx.push(gaining(before, chat), 'incoming_chat_thread', { chat: shown })
  for (const entry of entries) {
    const at = { chat_id: chat.id, thread_id: threadId(chat.id, entry.n) }
    ctx.push(watching(chat), 'incoming_event', { ...at, event: eventOf(chat.id, entry) })
  }
  ctx.push(watching(chat), 'chat_users_updated', usersUpdated(before, chat, profiles))
})

/** Whoever a read that may lag behind would refuse is read again: the transaction itself checks the others. */
const othersOf = async (
  { me, read }: { me: Session; read: Reader },
  ids: readonly string[],
): Promise<Profiles> => {
  const others = ids.filter((id) => id !== me.agent_id)
  const found = await readProfiles(read, me.license_id, others)
  const refused = [...found.values()].filter((agent) => !mayJoin(agent)).map(({ id }) => id)
  return new Map([...found, ...(await readProfiles(read, me.license_id, refused, { strong: true }))])
}

const mayJoin = ({ deleted, suspended }: AgentItem): boolean => !deleted && !suspended

/** The names of agents who may join: the requester's own is in its session. */
const namesOf = (me: Session, ids: readonly string[], others: Profiles) =>
  new Map(
    ids.map((id) => {
      if (id === me.agent_id) return [id, me.name]
      const agent = others.get(id)
      if (agent === undefined || !mayJoin(agent)) throw new ProtocolError('not_found')
      return [id, agent.name]
    }),
  )
