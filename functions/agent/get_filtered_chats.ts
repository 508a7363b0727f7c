import { mayRead } from '../../shared/access/permissions.ts'
import { enqueueCounting } from '../../shared/archive/search/kept-counts.ts'
import { activeApart, openRecords } from '../../shared/archive/search/filtered-chats.ts'
import { fitsFilters } from '../../shared/archive/search/fits-filters.ts'
import { planQuery } from '../../shared/archive/search/query.ts'
import { search } from '../../shared/archive/search/search.ts'
import { readBeginningOf, summarize } from '../../shared/chat/view/summaries.ts'
import { fitSummaries } from '../../shared/chat/view/wire-objects.ts'
import { getFilteredChats } from '../../shared/protocol/agent/get_filtered_chats.ts'
import { roomBeside } from '../../shared/protocol/budget.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'
import type { Place } from '../../shared/table/archive/postings.ts'
import { chatOfThread } from '../../shared/table/ids.ts'
import { archivesSince } from '../../shared/table/sockets.ts'

export const handler = serveBoth(getFilteredChats, async (ctx, { filters, pagination }) => {
  const { me, read } = ctx
  const { include_active: active = true, properties = [] } = filters ?? {}
  const { page = 1, limit = pagination === undefined ? limits.chatsSummary : limits.pageDefault } =
    pagination ?? {}
  const asked = {
    license: me.license_id,
    search: planQuery('chat', me, { properties }),
    since: archivesSince(me),
    now: ctx.now(),
    page,
    limit,
  }

  const records = openRecords(read)
  const found = await search(read, asked, {
    apart: activeApart(read, records, me, { active, properties }),
    onGuess: (likely) => records.prepare(likely.map(chatOf)),
  })
  if (found.isUncounted) await enqueueCounting(ctx, asked)
  const onPage = await records.of(found.places.map(chatOf))
  const beginning = await readBeginningOf(read, me.license_id, onPage)
  // the index may lag; and a chat whose log went on with other users than were read was read again
  const summaries = (await summarize(read, me.license_id, beginning))
    .filter(({ chat }) => mayRead(me, chat) && (active || !chat.active))
    .map(({ summary }) => summary)
    .filter((summary) => fitsFilters(summary.properties ?? {}, properties))

  const answer = { chats_summary: [], pagination: { page, total: found.total } }
  return { ...answer, chats_summary: fitSummaries(summaries, roomBeside(answer)) }
})

const chatOf = ({ id }: Place): string => chatOfThread(id)
