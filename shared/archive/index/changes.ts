import { type Chat, ChatItem } from '../../table/chat/chats.ts'
import { chatPartOf } from '../../table/key-parts.ts'
import type { RawKey } from '../../table/keys.ts'
import type { Attributes } from '../../table/ops.ts'
import type { IndexChanges } from './index-chat.ts'
import { accessLists } from './lists.ts'

/** A change of an item, as the table's stream tells it. */
interface ItemChange {
  key: RawKey
  before: Attributes | undefined
  after: Attributes | undefined
}

const chatIn = (image: Attributes | undefined): Chat | undefined => {
  const parsed = ChatItem.safeParse(image)
  return parsed.success ? parsed.data : undefined
}

/** In short, who may see a chat. */
const accessIn = (chat: Chat | undefined): string =>
  chat === undefined ? '' : accessLists('chat', chat).toSorted().join()

/**
 * What of the index a change makes stale, and of which chat; undefined: nothing. Images of what can change
 * again only spare reads: what is then indexed is read anew. A message stays as it was put.
 */
export const indexChangesOf = ({
  key,
  before,
  after,
}: ItemChange): { chat: string; stale: IndexChanges } | undefined => {
  const part = chatPartOf(key)
  if (part === undefined) return undefined
  const nothing: IndexChanges = { chat: false, access: 0, threads: new Set(), events: [] }
  switch (part.item) {
    case 'chat': {
      const [was, is] = [chatIn(before), chatIn(after)]
      const isAccess = was !== undefined && accessIn(was) !== accessIn(is)
      const access = isAccess ? (is?.version ?? was.version + 1) : 0
      const chat = was?.thread !== is?.thread || was?.started_at !== is?.started_at
      return isAccess || chat ? { chat: part.chat, stale: { ...nothing, chat, access } } : undefined
    }
    case 'properties':
      return { chat: part.chat, stale: { ...nothing, chat: true } }
    case 'log':
      return logChanges(part, after, nothing)
  }
}

/**
 * What an item of a log changes: its thread, or an event. An event is parsed where its chat is indexed: one
 * that cannot be parsed fails with that chat alone.
 */
const logChanges = (
  { chat, n, m }: { chat: string; n: number; m: number },
  after: Attributes | undefined,
  nothing: IndexChanges,
): { chat: string; stale: IndexChanges } | undefined => {
  if (m === 0) return { chat, stale: { ...nothing, threads: new Set([n]) } }
  return after === undefined ? undefined : { chat, stale: { ...nothing, events: [after] } }
}

export const mergeChanges = (one: IndexChanges, other: IndexChanges): IndexChanges => ({
  chat: one.chat || other.chat,
  access: Math.max(one.access, other.access),
  threads: new Set([...one.threads, ...other.threads]),
  events: [...one.events, ...other.events],
})
