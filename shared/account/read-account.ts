import { ProtocolError } from '../protocol/errors.ts'
import { AgentItem, type IdentityItem, LicenseItem } from '../table/accounts.ts'
import type { Clock, Reads } from '../table/capabilities.ts'
import { keys } from '../table/keys.ts'
import type { TokenIdentity } from './tokens.ts'

/**
 * The agent and the license of a token's identity, as they are. A token of a machine stands for bots alone; a
 * bot may have another of its issuer's kinds. Throws `auth` and `license_expired`.
 */
export const readAccount = async (
  { read, now }: Reads & Clock,
  who: IdentityItem,
  token: TokenIdentity,
): Promise<{ agent: AgentItem; license: LicenseItem }> => {
  const [agentItem, licenseItem] = await Promise.all([
    read.get(keys.agent(who.license_id, who.agent_id), { strong: true }),
    read.get(keys.license(who.license_id), { strong: true }),
  ])
  if (agentItem === undefined || licenseItem === undefined) throw new ProtocolError('auth')
  const agent = AgentItem.parse(agentItem)
  const license = LicenseItem.parse(licenseItem)
  if (agent.suspended || agent.deleted) throw new ProtocolError('auth')
  // the identity was read before the agent, whose version a login holds: it may have been taken away since
  const isKnown = agent.identities.some(
    ({ issuer, subject }) => issuer === token.issuer && subject === token.subject,
  )
  if (!isKnown || (token.machine && !agent.bot)) throw new ProtocolError('auth')
  if (license.expires_at * 1000 <= now()) throw new ProtocolError('license_expired')
  return { agent, license }
}
