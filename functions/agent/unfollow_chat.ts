import { agentsConnections } from '../../shared/access/audience.ts'
import { setFollowing } from '../../shared/chat/follow.ts'
import { unfollowChat } from '../../shared/protocol/agent/unfollow_chat.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(unfollowChat, async (ctx, { chat_id }) => {
  const { license_id, agent_id } = ctx.me
  if (await setFollowing(ctx, false))
    ctx.push(agentsConnections(license_id, agent_id), 'chat_unfollowed', { chat_id })
})
