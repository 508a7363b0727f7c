import { mayRead } from '../../shared/chat/access.ts'
import { fitsFilters } from '../../shared/chat/filters.ts'
import { envelopeBytes, jsonBytes } from '../../shared/chat/room.ts'
import { readBeginningOf, summarize } from '../../shared/chat/summaries.ts'
import { fitSummaries } from '../../shared/chat/views.ts'
import { getFilteredChats } from '../../shared/protocol/agent/get_filtered_chats.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { serve } from '../../shared/runtime/serve.ts'
import { type Chat, readChatIds, readChats } from '../../shared/table/chats.ts'

const newestFirst = (one: Chat, other: Chat): number =>
  other.started_at - one.started_at || (one.id < other.id ? -1 : 1)

export const handler = serve(getFilteredChats, async (ctx, { filters, pagination }) => {
  const { me, read } = ctx
  const { include_active = true, properties: asked = [] } = filters ?? {}
  const { page = 1, limit = pagination === undefined ? limits.chatsSummary : limits.pageDefault } =
    pagination ?? {}

  const chats = await readChats(read, await readChatIds(read, me.license_id))
  const fitting = chats
    .filter(({ chat, properties }) => mayRead(me, chat) && fitsFilters(properties ?? {}, asked))
    .filter(({ chat }) => include_active || !chat.active)
    .toSorted((one, other) => newestFirst(one.chat, other.chat))
  const onPage = fitting.slice((page - 1) * limit, page * limit)
  const beginning = await readBeginningOf(read, me.license_id, onPage)
  const found = await summarize(read, me.license_id, beginning)
  // a chat whose log went on with other users than were listed was read again
  const summaries = found
    .filter(({ chat }) => mayRead(me, chat) && (include_active || !chat.active))
    .map(({ summary }) => summary)

  const answer = { chats_summary: [], pagination: { page, total: fitting.length } }
  const room = limits.frameBytes - envelopeBytes - jsonBytes(answer)
  return { ...answer, chats_summary: fitSummaries(summaries, room) }
})
