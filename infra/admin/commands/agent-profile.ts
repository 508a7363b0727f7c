import * as z from 'zod/mini'
import {
  type AgentCreation,
  type AgentDraft,
  changeAgent,
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
  BotPriority,
  DefaultStatus,
  Email,
  GroupIds,
  LicenseId,
  MaxChats,
  Name,
  randomId,
} from '../cli/account-fields.ts'
import { clientSecretOf, openTokenKey } from '../../local/secrets/token-key.ts'
import { verb } from '../cli/command.ts'
import { refusal } from '../cli/obstacles.ts'
import { argument, changesSomething, flag, option, required, rule } from '../cli/parameters.ts'
import { createPoolUser, issuerOf } from '../cli/user-pool.ts'
import { identityOf, identityOptions, identityRules } from './agent-identity.ts'

const nameHelp = 'what all see, up to 256 bytes'

/** Attributes of agents, and how they are given. */
const profile = {
  email: option('--email <address>', 'for agents only', Email),
  avatar: option('--avatar <url>', 'http or https', Avatar),
  permission: option(
    '--permission <permission>',
    'owner, administrator or normal; a new agent is normal by default',
    AgentPermission,
  ),
  groups: option('--group <id...>', 'the groups it is in, all of them', GroupIds),
  default_status: option(
    '--status <status>',
    'its status after login: accepting_chats (the default of a new agent) or not_accepting_chats',
    DefaultStatus,
  ),
  max_chats: option(
    '--max-chats <n>',
    'how many active chats routing lets it be in: 0 to 1000; a new agent 6',
    MaxChats,
  ),
  priority: option(
    '--priority <priority>',
    'when routing asks a bot: first, before people; normal, as one of them; last, while none of these is free',
    BotPriority,
  ),
}

type Profile = { [Name in keyof typeof profile]?: z.output<(typeof profile)[Name]> }
/** The attributes among what was given, and nothing else: whatever is handed on is written. */
const profileOf = (of: Profile) => {
  const { email, avatar, permission, groups, default_status, max_chats, priority } = of
  return { email, avatar, permission, groups, default_status, max_chats, priority }
}

export const createAgentVerb = verb({
  about: 'Creates an agent, and who logs in as it.',
  input: z
    .object({
      license: argument(LicenseId),
      name: required('--name <name>', nameHelp, Name),
      id: option(
        '--id <id>',
        'letters, digits and . _ @ + -, up to 64; customers see it; made up by default',
        AgentId,
      ),
      ...profile,
      bot: flag('--bot', "a program: --subject is its client id with the tokens' issuer"),
      json: flag('--json', 'print it as JSON'),
      ...identityOptions(
        "the sub of its tokens; locally <license>/<agent> by default, with --user-pool a new user's",
        "the stack's Cognito user pool: creates the user, unless --subject names one",
      ),
    })
    .check(
      ...identityRules,
      rule(
        'table',
        ({ table, subject, userPool }) => table === undefined || (subject ?? userPool) !== undefined,
        "Who logs in as it? Add --user-pool <id> for a new user of the stack's pool, or --subject <sub>",
      ),
      rule(
        'userPool',
        ({ userPool, subject, email, bot }) =>
          userPool === undefined || (subject ?? email) !== undefined || bot === true,
        'The pool invites its new user by mail. Add --email <address>',
      ),
      rule(
        'bot',
        ({ bot, userPool, subject }) => bot !== true || userPool === undefined || subject !== undefined,
        'Which client of the pool is it? Add --subject <client id>',
      ),
      rule(
        'priority',
        ({ bot, priority }) => bot === true || priority === undefined,
        'People have no priority: routing asks them by load. Add --bot, or leave it out',
      ),
      rule(
        'default_status',
        ({ bot, default_status }) => bot !== true || default_status === undefined,
        'A bot has no status after login: it sets its own with update_agent',
      ),
    ),
  examples: [
    'agent create acme --name Ana --id ana --group 1 2',
    'agent create acme --name Olga --permission owner --email olga@example.com \\\n    --table agent-chat --user-pool us-east-1_AbCdEf123',
    'agent create acme --name Robin --bot --priority first --subject 3k9v0example \\\n    --table agent-chat --user-pool us-east-1_AbCdEf123',
    'agent create acme --name Tom --subject 00u1a2 --issuer https://login.example.com \\\n    --table agent-chat',
  ],
  run: async (input, target) => {
    const { license, id = randomId(), subject, userPool } = input
    const draft = { license_id: license, id, name: input.name, bot: input.bot, ...profileOf(input) }
    const creation =
      userPool !== undefined && subject === undefined && draft.email !== undefined
        ? await createWithPoolUser(target.table, draft, userPool, draft.email)
        : await createAgent(target.table, {
            ...draft,
            identity: identityOf(subject ?? `${license}/${id}`, input, target),
          })
    if (creation.outcome !== 'created') throw refusal({ license }, creation)
    const { agent } = creation
    const groups = agent.groups.length > 0 ? `, in groups ${agent.groups.join(', ')}` : ''
    const kind = agent.bot ? `bot, priority ${agent.priority ?? 'normal'}` : agent.permission
    const lines = [`Created agent ${id} of license ${license}: ${agent.name}, ${kind}${groups}.`]
    for (const identity of agent.identities) {
      lines.push(`The subject ${identity.subject} of ${identity.issuer} logs in as it.`)
      if (target.place !== 'local' || identity.issuer !== target.issuer) continue
      lines.push(`A token for it: npm run -s admin -- token ${id} --license ${license}`)
      if (agent.bot && target.tokenUrl !== undefined) {
        const secret = clientSecretOf(await openTokenKey(target.io.localDir), identity.subject)
        lines.push(
          `Or: curl -u '${identity.subject}:${secret}' -d grant_type=client_credentials ${target.tokenUrl}`,
        )
      }
    }
    return { json: agent, lines }
  },
})

/** Creates all or nothing: the pool's user goes again if the agent cannot be written. */
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

const Clearable = z.enum(['email', 'avatar', 'groups'], 'Only email, avatar and groups can be cleared')

const identity = identityOptions(
  'the sub of its tokens, in place of the one it had',
  "the Cognito user pool whose user's sub this is",
)
const { subject, issuer, userPool } = identity
const changes = {
  name: option('--name <name>', nameHelp, Name),
  ...profile,
  subject,
  clear: option('--clear <what...>', 'takes away email, avatar or groups', z.array(Clearable)),
}

export const setAgentVerb = verb({
  about: 'Changes what is given, and leaves the rest.',
  input: z
    .object({
      license: argument(LicenseId),
      agent: argument(AgentId),
      ...changes,
      ...identity,
      json: flag('--json', 'print the agent as JSON'),
    })
    .check(
      ...identityRules,
      rule(
        'userPool',
        ({ userPool, subject }) => userPool === undefined || subject !== undefined,
        'Which user of it? Add --subject <sub>',
      ),
      rule(
        'clear',
        ({ email, avatar, groups, clear = [] }) =>
          !(email && clear.includes('email')) &&
          !(avatar && clear.includes('avatar')) &&
          !(groups && clear.includes('groups')),
        'Clears what another option sets: leave one of the two out',
      ),
      changesSomething('agent', changes, { issuer, userPool }),
    ),
  notes: `A new --subject is for logins: sessions of the old one last until their token expires. To end them
at once, suspend and resume the agent.`,
  examples: [
    'agent set acme ana --permission administrator',
    'agent set acme ana --group 2 3 --clear avatar',
    'agent set acme ana --max-chats 3',
    'agent set acme robin --priority last',
  ],
  run: async (input, target) => {
    const { license, agent, name, subject, clear = [] } = input
    const change = await changeAgent(target.table, license, agent, {
      name,
      ...profileOf(input),
      ...(clear.includes('email') ? { email: null } : {}),
      ...(clear.includes('avatar') ? { avatar: null } : {}),
      ...(clear.includes('groups') ? { groups: [] } : {}),
      identity: subject === undefined ? undefined : identityOf(subject, input, target),
    })
    if (change.outcome !== 'changed' && change.outcome !== 'unchanged')
      throw refusal({ license, agent }, change)
    const line =
      change.outcome === 'changed'
        ? `Changed agent ${agent} of license ${license}.`
        : `Agent ${agent} of license ${license} is so already.`
    return { json: change.agent, lines: [line] }
  },
})
