import { watchingEither } from '../../shared/access/audience.ts'
import { pushEntries } from '../../shared/chat/announce/entries.ts'
import { changeUsers } from '../../shared/chat/change-users.ts'
import { enqueueRouting } from '../../shared/chat/enqueue-routing.ts'
import { planLeave, usersUpdated } from '../../shared/chat/membership.ts'
import { readProfiles } from '../../shared/chat/view/profiles.ts'
import { removeFromChat } from '../../shared/protocol/agent/remove_from_chat.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(removeFromChat, async (ctx, { agent_ids = [], customer_ids = [] }) => {
  const { me } = ctx
  const nobody = agent_ids.length === 0 && customer_ids.length === 0
  const who = { agents: nobody ? [me.agent_id] : agent_ids, customers: customer_ids }
  // also of those who are not in the chat: they may be by the time that it is written
  const others = [
    ...agent_ids.filter((id) => id !== me.agent_id).map((id) => ({ id, type: 'agent' as const })),
    ...customer_ids.map((id) => ({ id, type: 'customer' as const })),
  ]
  const profiles = await readProfiles(ctx.read, me.license_id, others)
  const { before, chat, entries } = await changeUsers(ctx, (view) => planLeave(view, who, profiles, me))
  if (chat === before) return
  pushEntries(ctx, chat, entries)
  ctx.push(watchingEither(before, chat), 'chat_users_updated', usersUpdated(before, chat, profiles))
  // another is to take it, and whoever left may take another
  if (chat.active) await enqueueRouting(ctx, me.license_id, chat.id)
})
