import { gaining, watchingEither } from '../../access/audience.ts'
import type { Pushing } from '../../delivery/outbox.ts'
import type { Reads } from '../../table/capabilities.ts'
import { sameUsers } from '../../table/chat/chat-users.ts'
import type { UsersChanged } from '../change-users.ts'
import { usersUpdated } from '../membership.ts'
import { showChat } from '../view/chat-view.ts'
import type { Profiles } from '../view/profiles.ts'
import { pushEntries, pushPropertyChanges } from './entries.ts'

export type UsersAnnouncement = Pushing<
  | 'incoming_chat_thread'
  | 'incoming_event'
  | 'chat_users_updated'
  | 'chat_properties_updated'
  | 'chat_thread_properties_updated'
> &
  Reads

/** Tells of a change of a chat's users: first those whom it gives access the chat, then everyone of it. */
export const announceUsersChanged = async (
  ctx: UsersAnnouncement,
  { before, chat, entries, tail, told }: UsersChanged,
  known?: Profiles,
): Promise<void> => {
  ctx.prefetchAudience(watchingEither(before, chat), 'chat_users_updated')
  const events = [...entries.toReversed(), ...tail.entries].toReversed()
  const { shown, profiles, seen } = await showChat(ctx.read, { chat, events, known })
  ctx.push(gaining(before, chat), 'incoming_chat_thread', { chat: shown })
  pushEntries(ctx, chat, entries)
  pushPropertyChanges(ctx, chat, told)
  // one that waits may be assigned to an agent of its own who is back
  if (!sameUsers(before.users, chat.users))
    ctx.push(watchingEither(before, chat), 'chat_users_updated', usersUpdated(before, chat, profiles, seen))
}
