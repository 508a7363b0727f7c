import * as z from 'zod/mini'
import { AgentStatus } from './agent-status.ts'
import { GroupsStatus, trueOrAbsent, Permission } from './objects.ts'

const aboutAgent = z.strictObject({ agent_id: z.string(), name: z.string() })
const aboutGroup = z.strictObject({ group_id: z.int(), name: z.string() })

/** The pushes about a license's agents and groups: what they carry and who gets them. */
export const accountPushes = {
  agent_updated: {
    summary:
      "An agent's routing status changed, or it came or went; or what is named besides was changed in its account (an `avatar` of '': it has none any more).",
    to: 'every agent of the license',
    payload: z.strictObject({
      agent_id: z.string(),
      routing_status: AgentStatus,
      name: z.optional(z.string()),
      avatar: z.optional(z.string()),
      permission: z.optional(Permission),
      group_ids: z.optional(z.array(z.int())),
    }),
  },
  agent_created: {
    summary: 'The license has a new agent.',
    to: 'every agent of the license',
    payload: z.strictObject({
      agent_id: z.string(),
      name: z.string(),
      avatar: z.optional(z.string()),
      permission: Permission,
      group_ids: z.array(z.int()),
      is_bot: trueOrAbsent,
    }),
  },
  agent_deleted: {
    summary: 'An agent was deleted; its name stays in what it was in.',
    to: 'every agent of the license',
    payload: aboutAgent,
  },
  agent_suspended: {
    summary: 'An agent was suspended: it cannot log in.',
    to: 'every agent of the license',
    payload: aboutAgent,
  },
  agent_unsuspended: {
    summary: 'An agent that was suspended may log in again.',
    to: 'every agent of the license',
    payload: aboutAgent,
  },
  group_created: {
    summary: 'The license has a new group.',
    to: 'every agent of the license',
    payload: aboutGroup,
  },
  group_updated: {
    summary: 'A group has another name.',
    to: 'every agent of the license',
    payload: aboutGroup,
  },
  groups_status_updated: {
    summary:
      'Whether somebody is there for these groups has changed; one that was created is offline until then.',
    to: 'every agent of the license',
    payload: z.strictObject({ groups_status: GroupsStatus }),
  },
  group_deleted: {
    summary: 'A group was deleted.',
    to: 'every agent of the license',
    payload: aboutGroup,
  },
} as const
