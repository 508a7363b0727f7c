import { agentsConnections } from '../../shared/access/audience.ts'
import { enqueueFollowUp } from '../../shared/chat/enqueue-catch-up.ts'
import { setFollowing } from '../../shared/chat/follow.ts'
import { expectView, showChat } from '../../shared/chat/view/chat-view.ts'
import { followChat } from '../../shared/protocol/agent/follow_chat.ts'
import { serve } from '../../shared/request/serve.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'

export const handler = serve(followChat, async (ctx, { chat_id }) => {
  const { license_id, agent_id } = ctx.me
  if (!(await setFollowing(ctx, true))) return
  const [{ chat, tail }, rows] = await Promise.all([
    expectView(ctx.read, chat_id),
    readAgentSockets(ctx.read, license_id, agent_id),
  ])
  const { shown } = await showChat(ctx.read, { chat, events: tail.entries.toReversed() })
  ctx.push(agentsConnections(license_id, agent_id), 'incoming_chat_thread', { chat: shown })
  // events whose senders read the chat before it had this follower
  const shownTo = { id: chat_id, thread: tail.n, order: tail.m, version: chat.version }
  const own = rows.filter(({ chats }) => chats === 'my')
  await Promise.all(own.map(({ connection }) => enqueueFollowUp(ctx, connection, shownTo)))
})
