import { mayRead } from '../../shared/chat/access.ts'
import { fitsFilters } from '../../shared/chat/filters.ts'
import { readProfiles } from '../../shared/chat/profiles.ts'
import { envelopeBytes, jsonBytes } from '../../shared/chat/room.ts'
import { agentIds } from '../../shared/chat/show.ts'
import { summarize } from '../../shared/chat/summaries.ts'
import { fitSummaries } from '../../shared/chat/views.ts'
import { getFilteredChats } from '../../shared/protocol/agent/get_filtered_chats.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { serve } from '../../shared/runtime/serve.ts'
import { readChatIds, readChats } from '../../shared/table/chats.ts'

// the newest event of each type is among so many in nearly every chat: then it needs no further read
const entries = 25

export const handler = serve(getFilteredChats, async (ctx, { filters, pagination }) => {
  const { me, read } = ctx
  const { include_active = true, properties: asked = [] } = filters ?? {}
  const { page = 1, limit = pagination === undefined ? limits.chatsSummary : limits.pageDefault } =
    pagination ?? {}

  const ids = await readChatIds(read, me.license_id)
  const chats = await readChats(read, ids, { properties: asked.length > 0 })
  const fitting = chats
    .filter(({ chat, properties }) => mayRead(me, chat) && fitsFilters(properties, asked))
    .map(({ chat }) => chat)
    .filter(({ active }) => include_active || !active)
    .toSorted((a, b) => b.started_at - a.started_at || (a.id < b.id ? -1 : 1))
  const onPage = fitting.slice((page - 1) * limit, page * limit)
  const users = onPage.flatMap((chat) => agentIds(chat.users))
  const found = await summarize(read, me.license_id, onPage, {
    known: readProfiles(read, me.license_id, [...new Set(users)]),
    entries,
  })
  // users, scopes and activity may have changed since
  const summaries = found
    .filter(({ chat }) => mayRead(me, chat) && (include_active || !chat.active))
    .map(({ summary }) => summary)

  const answer = { chats_summary: [], pagination: { page, total: fitting.length } }
  const room = limits.frameBytes - envelopeBytes - jsonBytes(answer)
  return { ...answer, chats_summary: fitSummaries(summaries, room) }
})
