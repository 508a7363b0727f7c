import { ProtocolError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { Clock, Retries, Writes } from '../table/capabilities.ts'
import { putChangedChat } from '../table/chat/changed-chats.ts'
import type { Chat } from '../table/chat/chats.ts'
import {
  knownChanges,
  parseTags,
  setTags,
  type StoredTags,
  type TagsState,
  type ThreadAddress,
} from '../table/chat/stored-tags.ts'
import { type ConditionalWrite, retryUntilCommitted } from '../table/optimistic-write.ts'

interface State {
  chat: Chat
  tags: StoredTags
}

interface Tagging extends State, Retries, Clock, Writes<'chat' | 'changedChats'> {
  thread: ThreadAddress
  refresh: () => Promise<State>
}

const checkCount = (tags: readonly string[]): void => {
  if (tags.length <= limits.tags) return
  const message = `There would be ${tags.length} tags: a thread has at most ${limits.tags}`
  throw new ProtocolError('validation', { details: [{ path: 'payload.tag', message }] })
}

/** The chat and the tags of a thread, as last known. */
export interface TagsChanged extends TagsState {
  chat: Chat
}

/**
 * Gives a thread a tag, or takes one from it (`isWanted` false), again on what is read anew where another
 * request was faster, or `guard` did not hold: changes of different tags all survive. Undefined: nothing was
 * to change, or another request, which tells of it, has undone it already. Throws `validation` for more tags
 * than a thread may have.
 */
export const changeTags = async (
  ctx: Tagging,
  { tag, isWanted }: { tag: string; isWanted: boolean },
  guard?: (chat: Chat) => ConditionalWrite<'chat'>,
): Promise<TagsChanged | undefined> => {
  const { nonce, thread } = ctx
  let { chat } = ctx
  let known: TagsState = ctx.tags
  const refresh = async () => {
    const view = await ctx.refresh()
    ;({ chat, tags: known } = view)
    return view
  }
  // an attempt may have been stored and its answer lost, with many writes of others after it: it is told too
  let isUnconfirmed = false
  const isDone = ({ tags }: TagsState) => tags.includes(tag) === isWanted
  const { isChanged } = await retryUntilCommitted<{ isChanged: boolean }, State>({ ...ctx, refresh }, ctx, {
    isOwn: ({ tags: held }) => held.by.includes(nonce) || (isUnconfirmed && isDone(held)),
    attempt: async ({ tags: held }) => {
      if (isDone(held)) return { result: { isChanged: isUnconfirmed }, committed: true }
      const after = isWanted ? [...held.tags, tag] : held.tags.filter((one) => one !== tag)
      if (isWanted) checkCount(after)
      const write = async () => {
        const refusals = await ctx.write.transact([
          setTags(thread, held, after, nonce),
          putChangedChat(chat, ctx.now()),
          ...(guard === undefined ? [] : [guard(chat).op]),
        ])
        if (refusals.length === 0) {
          known = { tags: after, version: held.version + 1 }
          return true
        }
        const found = parseTags(refusals.find(({ index }) => index === 0)?.found)
        if (found.version > held.version + knownChanges) isUnconfirmed = true
        const isOwn = found.by.includes(nonce)
        if (isOwn) known = found
        return isOwn
      }
      return { result: { isChanged: true }, committed: write() }
    },
  })
  if (!isChanged || !isDone(known)) return undefined
  const { tags, version } = known
  return { chat, tags, version }
}
