import { watchingEither } from '../../access/audience.ts'
import type { Pushing } from '../../delivery/outbox.ts'
import type { Queue } from '../../protocol/objects.ts'
import { presentAgents } from '../../table/chat/chat-users.ts'
import type { Chat } from '../../table/chat/chats.ts'
import { threadId } from '../../table/ids.ts'
import { scopesOf } from '../view/wire-objects.ts'

const without = <T>(of: readonly T[], others: readonly T[]) => of.filter((one) => !others.includes(one))

/** Tells who has gained and lost access by a change of a chat's scopes; nothing where they stayed. */
export const pushScopesChange = (ctx: Pushing<'chat_scopes_updated'>, before: Chat, chat: Chat): void => {
  const difference = (of: Chat, other: Chat) =>
    scopesOf({
      groups: without(of.scopes.groups, other.scopes.groups),
      agents: without(of.scopes.agents, other.scopes.agents),
    })
  const [added, removed] = [difference(chat, before), difference(before, chat)]
  if (added === undefined && removed === undefined) return
  ctx.push(watchingEither(before, chat), 'chat_scopes_updated', {
    chat_id: chat.id,
    scopes_added: added ?? {},
    scopes_removed: removed ?? {},
  })
}

/**
 * Tells who has a chat after a change of its agents: the agents who have come to it, or the groups for which
 * it waits; nothing where the change was no transfer.
 */
export const pushTransferred = (
  ctx: Pushing<'chat_transferred'>,
  before: Chat,
  chat: Chat,
  queue?: Queue,
): void => {
  const { transfer } = chat
  // the chat keeps it, through changes of another kind
  if (transfer === undefined || transfer.version <= before.version) return
  const waits = chat.waiting_since !== undefined
  ctx.push(watchingEither(before, chat), 'chat_transferred', {
    chat_id: chat.id,
    thread_id: threadId(chat.id, chat.thread),
    requester_id: transfer.by,
    reason: transfer.reason,
    transferred_to: {
      agent_ids: waits ? [] : presentAgents(chat),
      group_ids: [...(transfer.groups ?? (waits ? chat.scopes.groups : []))],
    },
    queue,
  })
}
