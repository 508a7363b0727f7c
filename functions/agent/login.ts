import { everyAgent } from '../../shared/access/audience.ts'
import { mayRead } from '../../shared/access/permissions.ts'
import { myProfile, readDirectory, showDirectory } from '../../shared/account/directory.ts'
import { beginCatchUp } from '../../shared/chat/enqueue-catch-up.ts'
import { settleSession, startSession } from '../../shared/account/login.ts'
import { tokenChecks, verifyToken } from '../../shared/account/tokens.ts'
import { enqueueRouting } from '../../shared/chat/enqueue-routing.ts'
import { profilesOf } from '../../shared/chat/view/profiles.ts'
import { readBeginning, summarize } from '../../shared/chat/view/summaries.ts'
import { fitSummaries } from '../../shared/chat/view/wire-objects.ts'
import { login } from '../../shared/protocol/agent/login.ts'
import { roomBeside } from '../../shared/protocol/budget.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { limitUser } from '../../shared/request/rate-limits.ts'
import { serve } from '../../shared/request/serve.ts'
import { encodeCursor } from '../../shared/sync/cursor.ts'
import { readActiveChats } from '../../shared/table/chat/read-chats.ts'
import { countedUser } from '../../shared/table/counters.ts'

export const handler = serve(
  login,
  async (ctx, { token, reconnect = false, application, push_notifications, pushes, chats }) => {
    const startedAt = ctx.now()
    const catchUp = beginCatchUp(ctx)
    const identity = await verifyToken(token, tokenChecks())
    const { session, agent, status, cameOnline, ...loggedIn } = await startSession(ctx, identity, {
      arrive: ctx.arrive,
      admit: async (who) => {
        await limitUser(ctx.limiting, countedUser(who), 'other')
      },
      reconnect,
      wants: { pushes, chats: chats === 'my' ? chats : undefined },
      application,
      device: push_notifications,
    })
    if (cameOnline !== undefined) {
      ctx.push(everyAgent(session.license_id), 'agent_updated', {
        agent_id: agent.id,
        routing_status: cameOnline,
      })
    }

    // read after the session was written: whatever happens from now on is pushed to it
    if (cameOnline !== undefined) ctx.prefetchAudience(everyAgent(session.license_id), 'agent_updated')
    const [license, active, directory] = await Promise.all([
      settleSession(ctx, { session, license: loggedIn.license }),
      readActiveChats(ctx.read, session.license_id),
      readDirectory(ctx.read, session.license_id),
    ])
    // written first, looked after: a chat that began to wait before is in the list
    if (active.some(({ waiting_since }) => waiting_since !== undefined)) await enqueueRouting(ctx, license.id)
    const accessible = active
      .filter((chat) => mayRead(session, chat))
      .toSorted((a, b) => b.started_at - a.started_at || (a.id < b.id ? -1 : 1))
      .slice(0, limits.chatsSummary)
    const beginning = await readBeginning(ctx.read, accessible, profilesOf(directory.agents))
    const found = await summarize(ctx.read, license.id, beginning)
    // users and scopes may have changed since the list was read
    const shown = found.filter(({ chat }) => mayRead(session, chat))
    await catchUp(
      ctx.connection,
      shown.map(({ chat, thread, order }) => ({ id: chat.id, thread, order, version: chat.version })),
    )

    const base = {
      license: { id: license.id, plan: license.plan, expiration_timestamp: license.expires_at },
      my_profile: myProfile(agent, status),
      cursor: encodeCursor(session, { since: startedAt }),
    }
    const summaries = shown.map(({ summary }) => summary)
    const bare = { ...base, agents: [], groups: [], chats_summary: fitSummaries(summaries, 0) }
    const answer = { ...base, ...showDirectory(directory, roomBeside(bare)), chats_summary: [] }
    return { ...answer, chats_summary: fitSummaries(summaries, roomBeside(answer)) }
  },
)
