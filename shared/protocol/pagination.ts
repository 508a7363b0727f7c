import * as z from 'zod/mini'
import { opt } from './fields.ts'
import { limits } from './limits.ts'

const moving = {
  description:
    'Of the list as it is when the page is read: while chats and threads start, items move to later pages, and one may come twice. Drop those whose ids are known.',
}

/** Which page of a list is asked for: `page` from 1 on, of `limit` items, at most `max`. */
export const pageOf = (max: number) =>
  z
    .object({
      page: opt(z.int().check(z.minimum(1))),
      limit: opt(z.int().check(z.minimum(1), z.maximum(max))),
    })
    .register(z.globalRegistry, moving)
export const Page = pageOf(limits.pageMax)
export type Page = z.output<typeof Page>

/** The page that is answered, and how many items there are on all of them. */
export const Pagination = z.strictObject({ page: z.int(), total: z.int() })

/** Which part of a list is asked for: `limit` items after the first `offset`. */
export const Slice = z
  .object({
    offset: opt(z.int().check(z.nonnegative())),
    limit: opt(z.int().check(z.minimum(1), z.maximum(limits.threadsSummary))),
  })
  .register(z.globalRegistry, moving)

/** The part that is answered, and how many items there are in all. */
export const SlicePagination = z.strictObject({ offset: z.int(), total: z.int() })
