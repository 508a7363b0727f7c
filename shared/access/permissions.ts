import { type ActionSpec, type TokenScope, tokenScopes } from '../protocol/action.ts'
import { ProtocolError } from '../protocol/errors.ts'
import type { ChatUser } from '../table/chat/chat-users.ts'
import type { ChatScopes } from '../table/chat/chats.ts'
import { type AnySession, isCustomers, type Session } from '../table/sockets.ts'

/** Who looks: a session, or a row of the license's sockets. */
export type Viewer = Pick<Session, 'agent_id' | 'permission' | 'groups' | 'token_scopes'>
/** A chat, or its row among the active ones, as permissions are decided on it. */
export interface VisibleChat {
  users: readonly ChatUser[]
  scopes: ChatScopes
}

export const isAdministrator = ({ permission }: Pick<Viewer, 'permission'>): boolean =>
  permission !== 'normal'

/** The agent's place in the chat, where it is present: as agent or as supervisor. */
export const roleOf = (
  agent: string,
  { users }: Pick<VisibleChat, 'users'>,
): 'agent' | 'supervisor' | undefined => {
  const user = users.find(({ id, type, present }) => id === agent && type !== 'customer' && present)
  return user === undefined || user.type === 'customer' ? undefined : user.type
}

/** Protocol §4: whether an agent of the chat's license has access to it. */
export const hasAccess = (viewer: Viewer, chat: VisibleChat): boolean => {
  const { groups, agents } = chat.scopes
  return (
    isAdministrator(viewer) ||
    roleOf(viewer.agent_id, chat) !== undefined ||
    (groups.length === 0 && agents.length === 0) ||
    agents.includes(viewer.agent_id) ||
    groups.some((group) => viewer.groups.includes(group))
  )
}

/** How far a token scope reaches, by its name: everything else of a scope is which actions it is for. */
const reaches = (scope: TokenScope, viewer: Viewer, chat: VisibleChat | undefined): boolean => {
  if (scope.includes('--all:')) return isAdministrator(viewer)
  if (chat === undefined) return true
  if (scope.includes('--my:')) return roleOf(viewer.agent_id, chat) !== undefined
  return hasAccess(viewer, chat)
}

const tokenAllows = (any: readonly TokenScope[], viewer: Viewer, chat: VisibleChat | undefined): boolean =>
  viewer.token_scopes === undefined ||
  any.some((scope) => viewer.token_scopes?.includes(scope) === true && reaches(scope, viewer, chat))

const readScopes: readonly TokenScope[] = ['chats--all:read', 'chats--chat_scopes:read', 'chats--my:read']

/** Whether a chat is shown to this viewer: in answers and by pushes. */
export const mayRead = (viewer: Viewer, chat: VisibleChat): boolean =>
  hasAccess(viewer, chat) && tokenAllows(readScopes, viewer, chat)

/**
 * Which chats a viewer is shown at all, by its token: all that it has access to, or only those that it is in.
 */
export const reachOf = ({ permission, token_scopes: scopes }: Viewer): 'accessible' | 'own' =>
  scopes === undefined ||
  scopes.includes('chats--chat_scopes:read') ||
  (scopes.includes('chats--all:read') && permission !== 'normal')
    ? 'accessible'
    : 'own'

const concernsOnly = (me: string, payload: object): boolean => {
  const named = (field: string): unknown => Reflect.get(payload, field)
  const agents = named('agent_ids')
  const customers = named('customer_ids')
  const agent = named('agent_id')
  return (
    (agent === undefined || agent === me) &&
    (!Array.isArray(agents) || agents.every((id) => id === me)) &&
    (!Array.isArray(customers) || customers.length === 0)
  )
}

/**
 * Refuses with the action's own sentence where the requester may not do it (protocol §4). A customer may do
 * everything in its own chat, but what takes a member once it was removed.
 */
export const authorize = (
  spec: ActionSpec,
  me: AnySession,
  chat: VisibleChat | undefined,
  payload: object,
): void => {
  const denied = () => new ProtocolError('authorization', { message: spec.denied })
  if (isCustomers(me)) {
    const isIn = chat?.users.some(
      ({ id, type, present }) => id === me.customer_id && type === 'customer' && present,
    )
    if (chat !== undefined && spec.may === 'member' && isIn !== true) throw denied()
    return
  }
  if (chat !== undefined && !hasAccess(me, chat)) throw denied()
  if (chat !== undefined && spec.may === 'member' && roleOf(me.agent_id, chat) === undefined) throw denied()
  if (spec.tokenScopes === undefined) return
  const { any, forSelf = [] } = spec.tokenScopes
  const enough = concernsOnly(me.agent_id, payload) ? [...any, ...forSelf] : any
  if (!tokenAllows(enough, me, chat)) throw denied()
}

const knownScopes: ReadonlySet<string> = new Set(tokenScopes)

/**
 * What a token's scopes grant: undefined where they restrict nothing, which is where none contains a colon.
 *
 * @param resourceServer the one whose scopes count, as `<resourceServer>/<scope>`; without it those of any
 *   count, and those without a prefix
 */
export const grantsOf = (scopes: readonly string[], resourceServer?: string): string[] | undefined => {
  if (!scopes.some((scope) => scope.includes(':'))) return undefined
  const prefix = resourceServer === undefined ? undefined : `${resourceServer}/`
  const names = scopes
    .map((scope) => [scope.slice(0, scope.lastIndexOf('/') + 1), scope.slice(scope.lastIndexOf('/') + 1)])
    .filter(([server]) => prefix === undefined || server === prefix)
    .map(([, name = '']) => name)
  return [...new Set(names)].filter((name) => knownScopes.has(name))
}
