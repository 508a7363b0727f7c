import { watchingEither } from '../../access/audience.ts'
import type { Pushing } from '../../delivery/outbox.ts'
import type { Queue } from '../../protocol/objects.ts'
import { sameUsers } from '../../table/chat/chat-users.ts'
import type { Chat } from '../../table/chat/chats.ts'
import type { ChatRecord } from '../../table/chat/read-chats.ts'
import { usersUpdated } from '../membership.ts'
import type { Profiles } from '../view/profiles.ts'
import { pushScopesChange, pushTransferred } from './transferred.ts'

/** A chat before a change and after it, and what its users are shown by. */
interface ChatChange {
  before: Chat
  chat: Chat
  profiles: Profiles
  seen?: ChatRecord['seen'] | undefined
  queue?: Queue | undefined
}

/** Tells what differs of a chat: who is in it, who has access to it, who has it. */
export const pushChatChange = (
  ctx: Pushing<'chat_users_updated' | 'chat_scopes_updated' | 'chat_transferred'>,
  { before, chat, profiles, seen, queue }: ChatChange,
): void => {
  if (!sameUsers(before.users, chat.users))
    ctx.push(watchingEither(before, chat), 'chat_users_updated', usersUpdated(before, chat, profiles, seen))
  pushScopesChange(ctx, before, chat)
  pushTransferred(ctx, before, chat, queue)
}
