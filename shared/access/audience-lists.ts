import type { AudienceLists } from '../delivery/outbox.ts'
import { pushKindOf } from '../protocol/push-kinds.ts'
import type { Chat } from '../table/chat/chats.ts'
import { type Hears, placeIn } from '../table/keys.ts'
import type { AgentList } from '../table/socket-lists.ts'
import type { Session } from '../table/sockets.ts'
import { isAdministrator, reachOf, roleOf, type VisibleChat } from './permissions.ts'

// The lists of agents' connections, so that an audience is read without everybody who is connected. Each
// connection stands in its license's list, by agent: members and followers of a chat are found there. A
// connection that hears of further chats stands besides in lists by what opens these to its agent.

/** The list of agents with access to every chat, and of agents in more groups than `mostGroups`. */
const everyChat = 'EVERY'
/** The list of the other agents, for what is said in chats that are open to all. */
const openChats = 'OPEN'
const groupList = (group: number): string => `GROUP${group}`

/** The most groups of an agent that are lists of its own; one of more stands in `EVERY`. */
const mostGroups = 25
/** So many short lists are read at most; where it would take more, the license's one long list is. */
export const mostLists = 25

type Listener = Pick<Session, 'agent_id' | 'permission' | 'groups' | 'token_scopes' | 'pushes' | 'chats'>

const wantsAny = ({ pushes }: Listener, kind: Hears): boolean =>
  pushes === undefined || pushes.some((name) => pushKindOf(name) === kind)

/** Where a session's connection stands in the lists; nowhere: it hears of its own chats alone. */
export const placesOf = (of: Listener): string[] | undefined => {
  const wantsContent = of.chats !== 'my' && wantsAny(of, 'content')
  const isListed = reachOf(of) === 'accessible' && (wantsContent || wantsAny(of, 'lifecycle'))
  if (!isListed) return undefined
  const groups = of.groups.map(groupList)
  const own = wantsContent ? [openChats, ...groups] : groups
  const lists = isAdministrator(of) || of.groups.length > mostGroups ? [everyChat] : own
  return lists.map((list) => placeIn(list, wantsContent ? 'content' : 'lifecycle'))
}

/** An agent who follows a chat, since a thread of it. */
export type Follower = NonNullable<Chat['followers']>[number]

/** A chat as its audience is told from it: one that is read from a list has no followers. */
export type HeardChat = VisibleChat & Partial<Pick<Chat, 'followers' | 'thread'>>

/** Who follows a chat: until the thread after the next begins. */
export const followersOf = ({ followers = [], thread = 0 }: HeardChat): Follower[] =>
  followers.filter((follower) => thread <= follower.thread + 1)

/**
 * The lists in which everyone stands who may hear such a push about these chats, and others, too. Absent: the
 * license's long list alone has them all.
 */
export const listsFor = (chats: readonly HeardChat[], hears: Hears): AudienceLists | undefined => {
  const isOpen = chats.some(({ scopes }) => scopes.groups.length + scopes.agents.length === 0)
  if (isOpen && hears === 'lifecycle') return undefined
  const groups = new Set(chats.flatMap(({ scopes }) => scopes.groups))
  const named = [everyChat, ...(isOpen ? [openChats] : []), ...[...groups].map(groupList)]
  const scoped = chats.flatMap(({ scopes }) => scopes.agents)
  const near = agentLists([...scoped, ...chats.flatMap(nearTo)])
  return atMost([...named.map((list) => ({ list, hears })), ...near], isOpen)
}

/** The lists of a chat's agents and supervisors. */
export const listsOfStaff = (chat: VisibleChat): AudienceLists | undefined =>
  atMost(agentLists(staffIn(chat)), false)

const agentLists = (agents: readonly string[]): AgentList[] =>
  [...new Set(agents)].map((agent) => ({ agent }))

const atMost = (short: readonly AgentList[], areMost: boolean): AudienceLists | undefined =>
  short.length > mostLists ? undefined : { short, areMost }

const staffIn = ({ users }: VisibleChat): string[] =>
  users.flatMap(({ id, type, present }) => (type !== 'customer' && present ? [id] : []))

const nearTo = (chat: HeardChat): string[] => [...staffIn(chat), ...followersOf(chat).map(({ id }) => id)]

/** Whether a connection that has access to a chat is told what is said in it. */
export const hearsContent = (
  { agent_id, chats }: Pick<Session, 'agent_id' | 'chats'>,
  chat: HeardChat,
): boolean =>
  chats !== 'my' ||
  roleOf(agent_id, chat) !== undefined ||
  followersOf(chat).some(({ id }) => id === agent_id)
