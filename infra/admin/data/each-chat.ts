import { readChatIdsAfter } from '../../../shared/table/chat/read-chats.ts'
import { eachOf } from './paging.ts'
import { type Access, withRetries } from './retries.ts'

/** The ids of a license's chats, in their order, from the first or the one that follows `after`. */
export const eachChatId = (
  access: Access,
  license: string,
  after?: string,
  idsAtOnce = 1000,
): AsyncGenerator<string> =>
  eachOf(
    idsAtOnce,
    (last) => withRetries(access, ({ read }) => readChatIdsAfter(read, license, last, idsAtOnce)),
    after,
  )
