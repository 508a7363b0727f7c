import { type Follower, followersOf } from '../access/audience-lists.ts'
import { hasAccess } from '../access/permissions.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { AgentItem } from '../table/accounts.ts'
import type { Retries, Writes } from '../table/capabilities.ts'
import { type Chat, putChat } from '../table/chat/chats.ts'
import { keys } from '../table/keys.ts'
import type { Reader } from '../table/ops.ts'
import { commitOne, retryUntilCommitted } from '../table/optimistic-write.ts'
import type { Session } from '../table/sockets.ts'

/**
 * Drops the followers of a chat who have no access to it as it is now.
 */
export const withFollowers = async (read: Reader, chat: Chat): Promise<Chat> => {
  const { followers: _, ...rest } = chat
  const known = followersOf(chat)
  if (known.length === 0) return rest
  const items = await read.batchGet(
    known.map(({ id }) => keys.agent(chat.license_id, id)),
    { strong: true },
  )
  const agents = items.map((item) => AgentItem.parse(item)).filter(({ deleted }) => !deleted)
  const followers = known.filter(({ id }) =>
    agents.some((agent) => agent.id === id && hasAccess({ ...agent, agent_id: id }, chat)),
  )
  return followers.length === 0 ? rest : { ...rest, followers }
}

interface Following {
  me: Session
  chat: Chat
}

/**
 * Has the requester follow a chat, or no more. Nobody in the chat learns of it. Resolves to whether that
 * changed anything: who follows anew follows longer, and is told nothing.
 */
export const setFollowing = (
  ctx: Following & Writes<'chat'> & Retries & { refresh: () => Promise<Following> },
  follows: boolean,
): Promise<boolean> =>
  retryUntilCommitted<boolean, Following>(ctx, ctx, {
    isOwn: ({ chat }) => chat.nonce === ctx.nonce,
    attempt: async ({ me, chat }) => {
      const { agent_id: id } = me
      const followers = followersOf(chat)
      const known = followers.find((follower) => follower.id === id)
      const isSame = follows ? known?.thread === chat.thread : known === undefined
      if (isSame) return { result: false, committed: true }
      const others = followers.filter((follower) => follower !== known)
      if (follows && others.length >= limits.followers)
        throw new ProtocolError('validation', {
          details: [
            { path: 'payload.chat_id', message: `At most ${limits.followers} agents may follow a chat` },
          ],
        })
      const now: Follower[] = follows ? [...others, { id, thread: chat.thread }] : others
      const { followers: _, ...rest } = chat
      const changed: Chat = {
        ...rest,
        ...(now.length > 0 && { followers: now }),
        version: chat.version + 1,
        nonce: ctx.nonce,
      }
      return {
        result: follows !== (known !== undefined),
        committed: commitOne(ctx.write, putChat(changed), ctx.nonce),
      }
    },
  })
