import { placesOf } from '../access/audience-lists.ts'
import { grantsOf } from '../access/permissions.ts'
import type { AgentItem, LicenseItem } from '../table/accounts.ts'
import type { Session } from '../table/sockets.ts'
import type { TokenIdentity } from './tokens.ts'

/** What `serve` and the audience decide by, of an agent that came with this token. */
export const sessionFor = (
  agent: AgentItem,
  license: LicenseItem,
  token: TokenIdentity,
  own: Pick<Session, 'application' | 'device' | 'nonce' | 'pushes' | 'chats'>,
): Session => {
  const session: Session = {
    license_id: license.id,
    agent_id: agent.id,
    name: agent.name,
    permission: agent.permission,
    groups: agent.groups,
    ...(agent.bot ? { bot: true } : {}),
    token_scopes: grantsOf(token.scopes, token.resourceServer),
    token_expires_at: token.expiresAt,
    license_expires_at: license.expires_at,
    license_created_at: license.created_at,
    ...own,
  }
  return { ...session, places: placesOf(session) }
}
