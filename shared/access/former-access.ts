import type { Chat, ChatScopes, FormerAccess } from '../table/chat/chats.ts'
import { changesKeptMs } from '../table/chat/changed-chats.ts'
import { mayRead, type Viewer, type VisibleChat } from './permissions.ts'

const mostKept = 10

const staffOf = ({ users }: VisibleChat): string[] =>
  users.flatMap(({ id, type, present }) => (type !== 'customer' && present ? [id] : []))

const isSame = (one: ChatScopes, other: ChatScopes): boolean =>
  one.groups.join() === other.groups.join() && one.agents.join() === other.agents.join()

/** A chat after a change at `atMs`, with who loses access by it, so that a sync can tell them. */
export const withFormerAccess = (before: Partial<VisibleChat>, after: Chat, atMs: number): Chat => {
  const { users = [], scopes = after.scopes } = before
  const present = staffOf(after)
  const staff = staffOf({ users, scopes }).filter((id) => !present.includes(id))
  const isRescoped = !isSame(scopes, after.scopes)
  if (staff.length === 0 && !isRescoped) return after
  const lost: FormerAccess = { until: atMs, staff, ...(isRescoped ? { scopes } : {}) }
  const kept = (after.formerly ?? []).filter(({ until }) => until > atMs - changesKeptMs)
  return { ...after, formerly: bounded([lost, ...kept]) }
}

/** The last ones as one where they are many: who had access by either had it until the later time. */
const bounded = (all: readonly FormerAccess[]): FormerAccess[] => {
  const rest = all.slice(mostKept - 1)
  const [first] = rest
  if (first === undefined) return [...all]
  const scopes = rest.flatMap((one) => one.scopes ?? [])
  const merged: FormerAccess = {
    until: first.until,
    staff: [...new Set(rest.flatMap(({ staff }) => staff))],
    ...(scopes.length === 0 ? {} : { scopes: union(scopes) }),
  }
  return [...all.slice(0, mostKept - 1), merged]
}

/** Empty ones are everybody's. */
const union = (all: readonly ChatScopes[]): ChatScopes => {
  if (all.some(({ groups, agents }) => groups.length + agents.length === 0)) return { groups: [], agents: [] }
  return {
    groups: [...new Set(all.flatMap(({ groups }) => groups))],
    agents: [...new Set(all.flatMap(({ agents }) => agents))],
  }
}

/** Whether a viewer could read a chat at some time since `sinceMs`, of one that it may not read now. */
export const couldRead = (viewer: Viewer, { formerly = [] }: Pick<Chat, 'formerly'>, sinceMs: number) =>
  formerly.some(
    ({ until, staff, scopes }) =>
      until >= sinceMs &&
      mayRead(viewer, {
        users: staff.map((id) => ({ id, type: 'agent', present: true })),
        // where scopes stayed as they were, only they lost it who left
        scopes: scopes ?? { groups: [], agents: staff },
      }),
  )
