import type { Command } from 'commander'
import * as z from 'zod/mini'
import { type AgentChanges, changeAgent } from '../../../shared/provisioning/change-agent.ts'
import {
  AgentId,
  AgentPermission,
  Avatar,
  DefaultStatus,
  Email,
  GroupIds,
  LicenseId,
  MaxChats,
  Name,
} from '../cli/account-fields.ts'
import { isDeleted, noAgent, obstacleError } from '../cli/agent-errors.ts'
import {
  identityFields,
  identityOf,
  identityOptions,
  issuerHasSubject,
  oneIssuer,
  poolHasTable,
  subjectHasIssuer,
} from '../cli/agent-identity.ts'
import { action } from '../cli/command.ts'
import { type Io, json, print } from '../cli/output.ts'
import type { Target } from '../cli/target.ts'

const Clearable = z.enum(['email', 'avatar', 'groups'], 'Only email, avatar and groups can be cleared')

const values = ['name', 'email', 'avatar', 'permission', 'group', 'status', 'maxChats'] as const
const identities = ['subject', 'issuer', 'userPool'] as const

const Input = z
  .object({
    license: LicenseId,
    agent: AgentId,
    name: z.optional(Name),
    email: z.optional(Email),
    avatar: z.optional(Avatar),
    permission: z.optional(AgentPermission),
    group: z.optional(GroupIds),
    status: z.optional(DefaultStatus),
    maxChats: z.optional(MaxChats),
    clear: z._default(z.array(Clearable), []),
    json: z.optional(z.boolean()),
    ...identityFields,
  })
  .check(
    poolHasTable,
    oneIssuer,
    subjectHasIssuer,
    issuerHasSubject,
    z.refine(({ userPool, subject }) => userPool === undefined || subject !== undefined, {
      error: 'Which user of it? Add --subject <sub>',
      path: ['userPool'],
    }),
    z.refine(
      ({ email, avatar, group, clear }) =>
        !(email && clear.includes('email')) &&
        !(avatar && clear.includes('avatar')) &&
        !(group && clear.includes('groups')),
      { error: 'Clears what another option sets: leave one of the two out', path: ['clear'] },
    ),
    z.refine(
      (input) =>
        input.clear.length > 0 || [...values, ...identities].some((name) => input[name] !== undefined),
      {
        error:
          'Say what to change: --name, --email, --avatar, --permission, --group, --status, --max-chats, --subject, --clear',
        path: ['agent'],
      },
    ),
  )

export function addAgentSet(agent: Command, io: Io): void {
  const command = agent
    .command('set')
    .description('Changes what is given, and leaves the rest.')
    .argument('<license>')
    .argument('<agent>')
    .option('--name <name>', 'what all see, up to 256 bytes')
    .option('--email <address>', 'for agents only')
    .option('--avatar <url>', 'http or https')
    .option('--permission <permission>', 'owner, administrator or normal')
    .option('--group <id...>', 'the groups it is in, in place of those it was in')
    .option('--status <status>', 'its status after login: accepting_chats or not_accepting_chats')
    .option('--max-chats <n>', 'how many active chats routing lets it be in: 0 to 1000')
    .option('--clear <what...>', 'takes away email, avatar or groups')
    .option('--json', 'print the agent as JSON')
    .addHelpText(
      'after',
      `
A new --subject is for logins: sessions of the old one last until their token expires. To end them
at once, suspend and resume the agent.

Examples:
  npm run admin -- agent set acme ana --permission administrator
  npm run admin -- agent set acme ana --group 2 3 --clear avatar
  npm run admin -- agent set acme ana --max-chats 3`,
    )
  const options = identityOptions(
    'the sub of its tokens, in place of the one it had',
    "the Cognito user pool whose user's sub this is",
  )
  for (const option of options) command.addOption(option)

  action(command, io, Input, async (input, target) => {
    const { license, agent: id } = input
    const change = await changeAgent(target.table, license, id, changesOf(input, target))
    switch (change.outcome) {
      case 'no_agent':
        throw noAgent(license, id)
      case 'deleted':
        throw isDeleted(license, id)
      case 'no_group':
      case 'subject_taken':
        throw obstacleError(license, change)
      case 'changed':
      case 'unchanged':
        if (input.json) return json(io, change.agent)
        return print(
          io,
          change.outcome === 'changed'
            ? `Changed agent ${id} of license ${license}.`
            : `Agent ${id} of license ${license} is so already.`,
        )
    }
  })
}

function changesOf(input: z.output<typeof Input>, target: Target): AgentChanges {
  const { name, email, avatar, permission, group, status, maxChats, subject, clear } = input
  return {
    name,
    email: clear.includes('email') ? null : email,
    avatar: clear.includes('avatar') ? null : avatar,
    permission,
    groups: clear.includes('groups') ? [] : group,
    default_status: status,
    max_chats: maxChats,
    identity: subject === undefined ? undefined : identityOf(subject, input, target),
  }
}
