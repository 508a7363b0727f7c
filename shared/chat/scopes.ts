import { ProtocolError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { agentActive, groupExists } from '../table/accounts.ts'
import { activeChatChanged, type Chat, chatChanged, type ChatScopes } from '../table/chats.ts'
import { keys } from '../table/keys.ts'
import type { Tail } from '../table/log.ts'
import type { Op, Reader } from '../table/ops.ts'
import { type Attempt, untilPlaced } from './place.ts'
import { stands, type Writing } from './threads.ts'

/** Scopes as a request gives them. */
interface AskedScopes {
  groups?: number[] | undefined
  agents?: string[] | undefined
}

export const filledScopes = ({ groups = [], agents = [] }: AskedScopes = {}): ChatScopes => ({
  groups,
  agents,
})

const without = (some: ChatScopes, others: ChatScopes): ChatScopes => ({
  groups: some.groups.filter((group) => !others.groups.includes(group)),
  agents: some.agents.filter((agent) => !others.agents.includes(agent)),
})

const together = (some: ChatScopes, others: ChatScopes): ChatScopes => ({
  groups: [...some.groups, ...without(others, some).groups],
  agents: [...some.agents, ...without(others, some).agents],
})

const isEmpty = ({ groups, agents }: ChatScopes): boolean => groups.length + agents.length === 0

// a transaction takes 100 ops: with 20 events and 6 items of the chat itself, so many can be checked in it
const checksInTransaction = 70

/**
 * What a transaction checks, so that scopes name what exists and may work; more than fit into one are read instead.
 * Throws `not_found` where one of these does not.
 */
export const scopeChecks = async (read: Reader, license: string, scopes: ChatScopes): Promise<Op[]> => {
  if (scopes.groups.length + scopes.agents.length > checksInTransaction) {
    await expectScopes(read, license, scopes)
    return []
  }
  return [
    ...scopes.groups.map((group) => groupExists(license, group)),
    ...scopes.agents.map((agent) => agentActive(license, agent)),
  ]
}

/** Throws `not_found` where scopes name a group or an agent that the licence does not have, or who may not work. */
export const expectScopes = async (read: Reader, license: string, scopes: ChatScopes): Promise<void> => {
  if (isEmpty(scopes)) return
  const wanted = [
    ...scopes.groups.map((group) => keys.group(license, group)),
    ...scopes.agents.map((agent) => keys.agent(license, agent)),
  ]
  const found = await read.batchGet(wanted, { strong: true })
  // a deleted agent's item stays
  const working = found.filter((item) => item['deleted'] !== true && item['suspended'] !== true)
  if (working.length < wanted.length) throw new ProtocolError('not_found')
}

export interface ScopesChanged {
  before: Chat
  chat: Chat
  added: ChatScopes
  removed: ChatScopes
  /** The log's end beside it. */
  tail: Tail
}

/** Changes a chat's scopes: adds first, then removes. `chat` is `before` where that changes nothing. */
export const changeScopes = (
  ctx: Writing & { read: Reader },
  add: ChatScopes,
  remove: ChatScopes,
): Promise<ScopesChanged> =>
  untilPlaced(ctx, async ({ chat: before, tail }): Promise<Attempt<ScopesChanged>> => {
    const { license_id, scopes: held } = before
    const scopes = without(together(held, add), remove)
    const [added, removed] = [without(scopes, held), without(held, scopes)]
    // what stands there already may have been deleted since, and can be taken away all the same
    const checks = await scopeChecks(ctx.read, license_id, without(together(add, remove), held))
    const result = (chat: Chat) => ({ before, chat, added, removed, tail })
    if (isEmpty(added) && isEmpty(removed)) {
      const refusals = checks.length === 0 ? [] : await ctx.write.transact(checks)
      if (refusals.some(({ reason }) => reason === 'condition')) throw new ProtocolError('not_found')
      return { result: result(before), placed: refusals.length === 0 }
    }
    if (scopes.groups.length > limits.ids || scopes.agents.length > limits.ids)
      throw new ProtocolError('validation', {
        details: [
          { path: 'payload.add_scopes', message: `A chat has at most ${limits.ids} groups and agents each` },
        ],
      })
    const { nonce } = ctx
    const version = before.version + 1
    const chat: Chat = { ...before, scopes, version, changed_at: ctx.now(), nonce }
    const refusals = await ctx.write.transact([
      ...checks,
      chatChanged(chat),
      ...(chat.active ? [activeChatChanged(chat)] : []),
    ])
    if (refusals.some(({ index, reason }) => index < checks.length && reason === 'condition'))
      throw new ProtocolError('not_found')
    return { result: result(chat), placed: stands(refusals, nonce) }
  })
