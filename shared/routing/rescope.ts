import { existingScopes, type Names } from '../chat/deleted-names.ts'
import { readRoutingState } from '../chat/routing-state.ts'
import { announceScopes, changeScopes, type ScopesFamily, without } from '../chat/scopes.ts'
import { expectView, readView } from '../chat/view/chat-view.ts'
import { runPart, type WorkCtx } from '../delivery/worker-context.ts'
import { mapIsolated } from '../platform/for-each.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { ChatItem, type ChatScopes } from '../table/chat/chats.ts'
import { readActiveChats, readChatIdsAfter } from '../table/chat/read-chats.ts'
import { keys } from '../table/keys.ts'

// Scopes of stored chats follow when a group or an agent is deleted: who may see a chat is decided by what it
// says itself.

const atOnce = 8
const chatsPerPage = 500
/** A page takes no longer: what is left of the time decides whether another begins. */
const pageMs = 5000

const isLiving = (scopes: ChatScopes, names: Names): boolean =>
  JSON.stringify(existingScopes(scopes, names)) === JSON.stringify(scopes)

/** Gives one chat the scopes that count; whoever sees an active one by it is told. May run twice. */
const rescopeChat = (ctx: WorkCtx<ScopesFamily>, id: string, names: Names): Promise<void> =>
  runPart(ctx, async (own) => {
    const view = await readView(own.read, id)
    if (view === undefined || isLiving(view.chat.scopes, names)) return
    const refresh = () => expectView(own.read, id)
    const { scopes } = view.chat
    const living = existingScopes(scopes, names)
    try {
      const changed = await changeScopes(
        { ...own, ...view, refresh },
        without(living, scopes),
        without(scopes, living),
      )
      if (changed.chat.active && changed.chat !== changed.before) await announceScopes(own, changed)
    } catch (error) {
      // what was to take their place was deleted too: that deletion has a run of its own
      if (!(error instanceof ProtocolError) || error.type !== 'not_found') throw error
    }
  })

/**
 * Gives all chats of a license the scopes that count, the active ones first, then the others by pages; the
 * rest goes on `after` a chat by another job. May run twice.
 */
export const rescope = async (
  ctx: WorkCtx<ScopesFamily>,
  license: string,
  after: string | undefined,
): Promise<void> => {
  const names = await readRoutingState(ctx.read, license, { strong: true })
  if (names === undefined) return
  const rescopeAll = (chats: readonly { id: string; scopes: ChatScopes }[]) =>
    mapIsolated(
      chats.filter(({ scopes }) => !isLiving(scopes, names)),
      ({ id }) => rescopeChat(ctx, id, names),
      atOnce,
    )
  if (after === undefined) await rescopeAll(await readActiveChats(ctx.read, license))
  for (let last = after; ;) {
    const ids = await readChatIdsAfter(ctx.read, license, last, chatsPerPage)
    const items = await ctx.read.batchGet(ids.map((id) => keys.chat(id)))
    await rescopeAll(items.map((item) => ChatItem.parse(item)))
    last = ids.at(-1)
    if (last === undefined || ids.length < chatsPerPage) return
    if (ctx.endsAt - performance.now() < pageMs)
      return ctx.enqueue({ job: 'rescope', license_id: license, after: last }, 0)
  }
}
