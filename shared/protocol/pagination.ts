import * as z from 'zod/mini'
import { opt } from './fields.ts'
import { limits } from './limits.ts'

/** Which page of a list is asked for: `page` from 1 on, of `limit` items. */
export const Page = z.object({
  page: opt(z.int().check(z.minimum(1))),
  limit: opt(z.int().check(z.minimum(1), z.maximum(limits.pageMax))),
})
export type Page = z.output<typeof Page>

/** The page that is answered, and how many items there are on all of them. */
export const Pagination = z.strictObject({ page: z.int(), total: z.int() })
