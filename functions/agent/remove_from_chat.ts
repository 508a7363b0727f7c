import { readProfiles } from '../../shared/chat/profiles.ts'
import { leaving, usersUpdated } from '../../shared/chat/membership.ts'
import { changeUsers } from '../../shared/chat/threads.ts'
import { removeFromChat } from '../../shared/protocol/agent/remove_from_chat.ts'
import { watchingEither } from '../../shared/push/audience.ts'
import { pushEntries } from '../../shared/push/entries.ts'
import { serve } from '../../shared/runtime/serve.ts'

export const handler = serve(removeFromChat, async (ctx, { agent_ids = [], customer_ids = [] }) => {
  const { me } = ctx
  const nobody = agent_ids.length === 0 && customer_ids.length === 0
  const who = { agents: nobody ? [me.agent_id] : agent_ids, customers: customer_ids }
  // also of those who are not in the chat: they may be by the time that it is written
  const others = agent_ids.filter((id) => id !== me.agent_id)
  const profiles = await readProfiles(ctx.read, me.license_id, others)
  const names = new Map([...profiles].map(([id, { name }]) => [id, name] as const)).set(me.agent_id, me.name)

  const { before, chat, entries } = await changeUsers(ctx, (view) => leaving(view, who, names))
  if (chat === before) return
  pushEntries(ctx, chat, entries)
  ctx.push(watchingEither(before, chat), 'chat_users_updated', usersUpdated(before, chat, profiles))
})
