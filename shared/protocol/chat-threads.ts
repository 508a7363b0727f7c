import * as z from 'zod/mini'
import { Id, opt, unique } from './fields.ts'
import { limits } from './limits.ts'

const Order = z.int().check(z.nonnegative())

/** Which threads of a chat are asked for, and which page of a single one's events. */
export const ChatThreadsRequest = z
  .object({
    chat_id: Id,
    thread_ids: opt(unique(Id, limits.threadIds)),
    before_order: opt(Order),
    after_order: opt(Order),
    limit: opt(z.int().check(z.minimum(1), z.maximum(limits.eventsPageMax))),
  })
  .check(
    z.refine((page) => page.before_order === undefined || page.after_order === undefined, {
      error: 'before_order and after_order exclude each other',
      path: ['after_order'],
    }),
    z.refine(
      (page) =>
        page.thread_ids?.length === 1 || (page.before_order === undefined && page.after_order === undefined),
      { error: 'before_order and after_order need exactly one entry here', path: ['thread_ids'] },
    ),
  )
