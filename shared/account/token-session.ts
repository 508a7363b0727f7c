import { ProtocolError } from '../protocol/errors.ts'
import { IdentityItem, type LicenseItem } from '../table/accounts.ts'
import type { Clock, Reads } from '../table/capabilities.ts'
import type { Common } from '../table/families.ts'
import { keys } from '../table/keys.ts'
import type { Session } from '../table/sockets.ts'
import { sessionFor } from './session-for.ts'
import { readAccount } from './read-account.ts'
import type { TokenIdentity } from './tokens.ts'

/**
 * What a token's agent may do now, without a connection: the session that a login would make. Two rounds of
 * reads. Throws `auth` and `license_expired`.
 */
export const sessionOfToken = async (
  ctx: Reads<Common | 'identity'> & Clock,
  token: TokenIdentity,
): Promise<{ session: Session; license: LicenseItem }> => {
  const identity = await ctx.read.get(keys.identity(token.issuer, token.subject), { strong: true })
  if (identity === undefined) throw new ProtocolError('auth')
  const { agent, license } = await readAccount(ctx, IdentityItem.parse(identity), token)
  return { session: sessionFor(agent, license, token, {}), license }
}
