import { placesOf } from '../access/audience-lists.ts'
import type { WorkCtx } from '../delivery/worker-context.ts'
import { refreshSession } from '../table/session-writes.ts'
import { type AgentSocketItem, agentsSession, readSocket, type Session } from '../table/sockets.ts'

/**
 * Has the session and the rows of an agent's connection follow its account. What changes the session
 * meanwhile comes first. Without an account: the rows alone, where they are not as the session would have
 * them.
 */
export const refreshConnection = async (
  ctx: WorkCtx,
  { connection, agent_id }: Pick<AgentSocketItem, 'connection' | 'agent_id'>,
  account: Partial<Pick<Session, 'name' | 'permission' | 'groups'>> = {},
): Promise<void> => {
  for (let tries = 1; ; tries += 1) {
    const socket = await readSocket(ctx.read, connection, ctx.now())
    const session = agentsSession(socket?.session)
    if (socket === undefined || session?.agent_id !== agent_id || session.ended !== undefined) return
    const { name, permission, groups } = { ...session, ...account }
    const places = placesOf({ ...session, permission, groups })
    const refused = await ctx.write.transact(
      refreshSession(socket, session, { name, permission, groups, places }),
    )
    if (refused.length === 0) return
    await ctx.pause(tries)
  }
}
