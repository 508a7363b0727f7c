import * as z from 'zod/mini'
import { Permission, RoutingStatus, trueOrAbsent } from '../protocol/objects.ts'
import { keys } from './keys.ts'
import type { Op, Reader } from './ops.ts'
import { and, check, exists, is, isOff, or, update } from './update.ts'

/** `LICENSE#<l>` / `LICENSE`. Every change raises `version`. */
export const LicenseItem = z.object({
  id: z.string(),
  plan: z.string(),
  /** Unix seconds. */
  expires_at: z.int(),
  /** Where customers' pages may be served from, as `Origin` says it; empty: from anywhere. */
  origins: z._default(z.array(z.string()), []),
  /** Whether customers' chats are given to agents, or wait for one to join. */
  routing: z._default(z.enum(['automatic', 'manual']), 'automatic'),
  /** After how long a customer's chat goes to another agent, unseen by its own; is idle; is archived. */
  unseen_minutes: z._default(z.int(), 5),
  idle_minutes: z._default(z.int(), 10),
  archive_minutes: z._default(z.int(), 30),
  /** Whether archives are searched by the words of messages; turned off, that costs nothing. */
  index_texts: z._default(z.boolean(), true),
  /** Whether what happens in its chats goes out to the event bus; absent: it does not. */
  events: z.optional(z.boolean()),
  /**
   * Groups that were deleted, whose ids are never given again; and, by such an id, which group took its
   * place.
   */
  deleted_groups: z._default(z.array(z.int()), []),
  successors: z._default(z.record(z.string(), z.int()), {}),
  /** Unix seconds; absent of the oldest. No thread of it began in a month before. */
  created_at: z.optional(z.int()),
  version: z.int(),
})
export type LicenseItem = z.output<typeof LicenseItem>

/** Whether the texts of a license's messages are indexed. Eventually consistent. */
export const licenseIndexesTexts = async (read: Reader, id: string): Promise<boolean> => {
  const item = await read.get(keys.license(id))
  return item === undefined || LicenseItem.parse(item).index_texts
}

/** `LICENSES` / `<l>`: that there is such a license. */
export const LicenseListed = z.object({ id: z.string() })

/** `LICENSE#<l>` / `GROUP#<g>` */
export const GroupItem = z.object({ id: z.int(), name: z.string() })
export type GroupItem = z.output<typeof GroupItem>

const falseIfAbsent = z._default(z.boolean(), false)

/** When routing asks a bot: before people, as one of them, or while none of these is free. */
export const Priority = z.enum(['first', 'normal', 'last'])
export type Priority = z.output<typeof Priority>

/**
 * `LICENSE#<l>` / `AGENT#<a>`. `version` is raised by every change of the account, `seq` by every login.
 * `routing_status` is the last one known; the agent is shown with it while it is `online`.
 * A deleted agent stays as `{id, name, deleted}`, so that its id is never given again.
 */
export const AgentItem = z.object({
  id: z.string(),
  license_id: z.string(),
  name: z.string(),
  email: z.optional(z.string()),
  avatar: z.optional(z.string()),
  permission: Permission,
  groups: z.array(z.int()),
  default_status: z._default(RoutingStatus, 'accepting_chats'),
  /** How many active chats it is in before routing gives it no more. */
  max_chats: z._default(z.int(), 6),
  /** No person: a client's own tokens stand for it, and it is `online` by its status alone. For good. */
  bot: trueOrAbsent,
  /** A bot's; absent: `normal`. */
  priority: z.optional(Priority),
  suspended: falseIfAbsent,
  deleted: falseIfAbsent,
  /** Who may log in as it: `{issuer, subject}` of the `IDENTITY` items that name it. */
  identities: z._default(z.array(z.object({ issuer: z.string(), subject: z.string() })), []),
  version: z.int(),
  online: falseIfAbsent,
  /** Its last connection has gone; it is online still, for the time of grace. */
  away: falseIfAbsent,
  /** The check that took it offline. */
  offline_by: z.optional(z.string()),
  seq: z._default(z.int(), 0),
  routing_status: z.optional(RoutingStatus),
})
export type AgentItem = z.output<typeof AgentItem>

/** `IDENTITY#<issuer>#<subject>`: who a token is. */
export const IdentityItem = z.object({ license_id: z.string(), agent_id: z.string() })
export type IdentityItem = z.output<typeof IdentityItem>

/**
 * The login's write of presence: a login more, where `online` and the status are as they were read: a status
 * set meanwhile is answered by the login that tries again. `first` sets the status, for the first live
 * socket.
 */
export const setOnline = (agent: AgentItem, first: RoutingStatus | undefined): Op<'account'> =>
  update(keys.agent(agent.license_id, agent.id), {
    set: { online: true, ...(first && { routing_status: first }) },
    add: { seq: 1 },
    remove: ['away'],
    when: and(
      is({ version: agent.version, routing_status: agent.routing_status }),
      agent.online ? is({ online: true }) : isOff('online'),
    ),
  })

/** The agent's account is as it was read: a bot's login changes nothing of its presence. */
export const requireAccount = ({ license_id, id, version }: AgentItem): Op<'account'> =>
  check(keys.agent(license_id, id), is({ version }))

/** The last connection of an agent has gone, unless it has logged in since it was read. */
export const setAway = ({ license_id, id, seq }: AgentItem): Op<'account'> =>
  update(keys.agent(license_id, id), { set: { away: true }, when: is({ seq, online: true }) })

/**
 * Takes an agent offline unless it has logged in since it was read. The same check holds again for itself,
 * since it may have died before it told anybody.
 */
export const setOffline = ({ license_id, id, seq }: AgentItem, by: string): Op<'account'> =>
  update(keys.agent(license_id, id), {
    set: { online: false, offline_by: by },
    when: and(is({ seq }), or(is({ online: true }), is({ offline_by: by }))),
  })

/** The agent exists and may work. */
export const requireAgentActive = (license: string, agent: string): Op<'account'> =>
  check(keys.agent(license, agent), and(exists(), isOff('suspended'), isOff('deleted')))

/** The agent is as it was read, connected and accepting chats. */
export const requireAgentReady = ({ license_id, id, version, routing_status }: AgentItem): Op<'account'> =>
  check(keys.agent(license_id, id), is({ version, online: true, away: undefined, routing_status }))

export const requireGroup = (license: string, group: number): Op<'account'> =>
  check(keys.group(license, group), exists())
