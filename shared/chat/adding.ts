import { ProtocolError } from '../protocol/errors.ts'
import { gaining, watching } from '../push/audience.ts'
import { pushEntries } from '../push/entries.ts'
import type { Pushing } from '../push/outbox.ts'
import type { AgentItem } from '../table/accounts.ts'
import type { Reader } from '../table/ops.ts'
import type { Session } from '../table/sockets.ts'
import { type Names, usersUpdated } from './membership.ts'
import type { View } from './place.ts'
import { type Profiles, readProfiles } from './profiles.ts'
import { showChat } from './show.ts'
import { changeUsers, type UsersChange, type Writing } from './threads.ts'

type Adding = Writing &
  Pushing<'incoming_chat_thread' | 'incoming_event' | 'chat_users_updated'> & { read: Reader }

/**
 * Puts agents into a chat as `decide` says, and tells: first those whom it gives access the chat, then everyone of the
 * messages and of the change. Throws `not_found` for agents that do not exist or may not work.
 */
export const addAgents = async (
  ctx: Adding,
  ids: readonly string[],
  decide: (view: View, names: Names) => UsersChange | undefined,
): Promise<void> => {
  const known = await othersOf(ctx, ids)
  const names = namesOf(ctx.me, ids, known)
  const { before, chat, entries, tail } = await changeUsers(ctx, (view) => decide(view, names))
  if (chat === before) return

  ctx.readAudience(chat.license_id)
  const events = [...entries.toReversed(), ...tail.entries].toReversed()
  const { shown, profiles, seen } = await showChat(ctx.read, { chat, events, known })
  ctx.push(gaining(before, chat), 'incoming_chat_thread', { chat: shown })
  pushEntries(ctx, chat, entries)
  ctx.push(watching(chat), 'chat_users_updated', usersUpdated(before, chat, profiles, seen))
}

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
