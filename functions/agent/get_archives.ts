import { queryWords } from '../../shared/archive/index/words.ts'
import { enqueueCounting } from '../../shared/archive/search/kept-counts.ts'
import { planQuery } from '../../shared/archive/search/query.ts'
import { type Filters, openResults, showResults, stillFound } from '../../shared/archive/search/results.ts'
import { search } from '../../shared/archive/search/search.ts'
import { resolveNames } from '../../shared/chat/deleted-names.ts'
import { getArchives } from '../../shared/protocol/agent/get_archives.ts'
import { answerBytes, roomBeside } from '../../shared/protocol/budget.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'
import { licenseIndexesTexts } from '../../shared/table/accounts.ts'
import type { Place } from '../../shared/table/archive/postings.ts'
import type { Reader } from '../../shared/table/ops.ts'
import { archivesSince } from '../../shared/table/sockets.ts'

const dayMs = 24 * 3_600_000

export const handler = serveBoth(getArchives, async (ctx, { filters: given, pagination }) => {
  const { me, read } = ctx
  const { groups } = await resolveNames(ctx, { groups: given?.team_ids ?? [], agents: [] })
  const filters: Filters = { ...given, team_ids: groups }
  const { page = 1, limit = limits.pageDefault } = pagination ?? {}
  const words = queryWords(filters.query)
  const asked = {
    license: me.license_id,
    search: planQuery('thread', me, {
      words,
      agents: [...(filters.agent_ids ?? []), ...(filters.agents ?? [])],
      customers: filters.customer_ids,
      teams: filters.team_ids,
      properties: filters.properties,
      tags: filters.tags,
    }),
    since: archivesSince(me),
    now: ctx.now(),
    from: filters.date_from,
    to: filters.date_to === undefined ? undefined : filters.date_to + dayMs - 1,
    page,
    limit,
  }
  const results = openResults(read, me.license_id, answerBytes)
  const [found] = await Promise.all([
    // what it is likely to find is read while it goes on
    search(read, asked, { onGuess: (likely) => results.prepare(likely.map(idOf)) }),
    words.length > 0 ? expectTexts(read, me.license_id) : undefined,
  ])
  if (found.isUncounted) await enqueueCounting(ctx, asked)

  const shown = stillFound(await results.of(found.places.map(idOf)), me, me.license_id, filters)
  const answer = { chats: [], pagination: { page, total: found.total } }
  return { ...answer, chats: showResults(shown, roomBeside(answer)) }
})

const idOf = ({ id }: Place): string => id

const expectTexts = async (read: Reader, license: string): Promise<void> => {
  if (await licenseIndexesTexts(read, license)) return
  const message = 'The messages of this license are not indexed: leave the query out, or have them indexed'
  throw new ProtocolError('validation', { details: [{ path: 'payload.filters.query', message }] })
}
