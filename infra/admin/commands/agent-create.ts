import type { Command } from 'commander'
import * as z from 'zod/mini'
import {
  type AgentCreation,
  type AgentDraft,
  createAgent,
  findAgent,
  findObstacle,
  isIdentityOf,
} from '../../../shared/provisioning/change-agent.ts'
import type { Table } from '../../../shared/table/client.ts'
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
  randomId,
} from '../cli/account-fields.ts'
import { obstacleError } from '../cli/agent-errors.ts'
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
import { createPoolUser, issuerOf } from '../cli/user-pool.ts'

const Input = z
  .object({
    license: LicenseId,
    id: z.optional(AgentId),
    name: Name,
    email: z.optional(Email),
    avatar: z.optional(Avatar),
    permission: z.optional(AgentPermission),
    group: z.optional(GroupIds),
    status: z.optional(DefaultStatus),
    maxChats: z.optional(MaxChats),
    json: z.optional(z.boolean()),
    ...identityFields,
  })
  .check(
    poolHasTable,
    oneIssuer,
    subjectHasIssuer,
    issuerHasSubject,
    z.refine(({ table, subject, userPool }) => table === undefined || (subject ?? userPool) !== undefined, {
      error: "Who logs in as it? Add --user-pool <id> for a new user of the stack's pool, or --subject <sub>",
      path: ['table'],
    }),
    z.refine(({ userPool, subject, email }) => userPool === undefined || (subject ?? email) !== undefined, {
      error: 'The pool invites its new user by mail. Add --email <address>',
      path: ['userPool'],
    }),
  )

export function addAgentCreate(agent: Command, io: Io): void {
  const command = agent
    .command('create')
    .description('Creates an agent, and who logs in as it.')
    .argument('<license>')
    .requiredOption('--name <name>', 'what all see, up to 256 bytes')
    .option('--id <id>', 'letters, digits and . _ @ + -, up to 64; customers see it; made up by default')
    .option('--email <address>', 'for agents only')
    .option('--avatar <url>', 'http or https')
    .option('--permission <permission>', 'owner, administrator or normal (the default)')
    .option('--group <id...>', 'the groups it is in')
    .option(
      '--status <status>',
      'its status after login: accepting_chats (the default) or not_accepting_chats',
    )
    .option('--max-chats <n>', 'how many active chats routing lets it be in, 6 by default')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `
Examples:
  npm run admin -- agent create acme --name Ana --id ana --group 1 2
  npm run admin -- agent create acme --name Olga --permission owner --email olga@example.com \\
    --table agent-chat --user-pool us-east-1_AbCdEf123
  npm run admin -- agent create acme --name Tom --subject 00u1a2 --issuer https://login.example.com \\
    --table agent-chat`,
    )
  const options = identityOptions(
    "the sub of its tokens; locally <license>/<agent> by default, with --user-pool a new user's",
    "the stack's Cognito user pool: creates the user, unless --subject names one",
  )
  for (const option of options) command.addOption(option)

  action(command, io, Input, async (input, target) => {
    const { license, email, userPool } = input
    const id = input.id ?? randomId()
    const draft = {
      license_id: license,
      id,
      name: input.name,
      email,
      avatar: input.avatar,
      permission: input.permission,
      groups: input.group,
      default_status: input.status,
      max_chats: input.maxChats,
    }
    const creation =
      userPool !== undefined && input.subject === undefined && email !== undefined
        ? await createWithPoolUser(target.table, draft, userPool, email)
        : await createAgent(target.table, {
            ...draft,
            identity: identityOf(input.subject ?? `${license}/${id}`, input, target),
          })
    if (creation.outcome !== 'created') throw obstacleError(license, creation)
    const { agent } = creation
    if (input.json) return json(io, agent)
    const groups = agent.groups.length > 0 ? `, in groups ${agent.groups.join(', ')}` : ''
    print(io, `Created agent ${id} of license ${license}: ${agent.name}, ${agent.permission}${groups}.`)
    for (const { issuer, subject } of agent.identities) {
      print(io, `The subject ${subject} of ${issuer} logs in as it.`)
      if (target.place === 'local' && issuer === target.issuer)
        print(io, `A token for it: npm run -s admin -- token ${id} --license ${license}`)
    }
  })
}

/** All or nothing: the pool's user goes again if the agent cannot be written. */
async function createWithPoolUser(
  table: Table,
  draft: Omit<AgentDraft, 'identity'>,
  pool: string,
  email: string,
): Promise<AgentCreation> {
  // before anyone is invited in vain
  const obstacle = await findObstacle(table, draft)
  if (obstacle) return obstacle
  const user = await createPoolUser(pool, { email, name: draft.name })
  const identity = { issuer: issuerOf(pool), subject: user.subject }
  const creation = await createAgent(table, { ...draft, identity }).catch((error: unknown) => ({
    outcome: 'failed' as const,
    error,
  }))
  if (creation.outcome === 'created') return creation
  // only the answer may have been lost: the subject is new, so that nobody else can have written it
  if (await isIdentityOf(table, identity, draft).catch(() => false)) {
    const agent = await findAgent(table, draft.license_id, draft.id)
    if (agent) return { outcome: 'created', agent }
  }
  await user.remove()
  if (creation.outcome === 'failed') throw creation.error
  return creation
}
