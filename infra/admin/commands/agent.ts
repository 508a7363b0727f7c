import * as z from 'zod/mini'
import { roleOf } from '../../../shared/access/permissions.ts'
import { activeChats, countActiveChats } from '../../../shared/provisioning/active-chats.ts'
import { changeAgent, deleteAgent, findAgent, listAgents } from '../../../shared/provisioning/change-agent.ts'
import type { AgentItem } from '../../../shared/table/accounts.ts'
import { AgentId, LicenseId } from '../cli/account-fields.ts'
import { type Noun, verb } from '../cli/command.ts'
import { refusal, requireLicense } from '../cli/obstacles.ts'
import { type Columns, columns, details, say } from '../cli/output.ts'
import { argument, flag } from '../cli/parameters.ts'
import { createAgentVerb, setAgentVerb } from './agent-profile.ts'

function state({ deleted, suspended, online }: AgentItem): string {
  if (deleted) return 'deleted'
  if (suspended) return 'suspended'
  return online ? 'online' : 'offline'
}

const listed: Columns<AgentItem> = {
  AGENT: ({ id }) => id,
  NAME: ({ name }) => name,
  PERMISSION: ({ permission }) => permission,
  GROUPS: ({ groups }) => groups.join(', '),
  STATE: state,
  BOT: ({ bot, priority = 'normal' }) => (bot ? priority : ''),
  EMAIL: ({ email = '' }) => email,
}

const shown = (agent: AgentItem): Record<string, string | undefined> =>
  agent.deleted
    ? { name: agent.name, state: state(agent) }
    : {
        name: agent.name,
        email: agent.email,
        avatar: agent.avatar,
        permission: agent.permission,
        groups: agent.groups.join(', ') || 'none',
        state: state(agent),
        ...(agent.bot
          ? { bot: `its priority is ${agent.priority ?? 'normal'}` }
          : { 'status after login': agent.default_status }),
        'chats at most': String(agent.max_chats),
        'logs in as':
          agent.identities.map((each) => `${each.subject} of ${each.issuer}`).join(', ') || 'nobody',
        version: String(agent.version),
      }

const list = verb({
  about: 'Lists the agents of a license.',
  input: z.object({
    license: argument(LicenseId),
    deleted: flag('--deleted', 'the deleted ones too'),
    json: flag('--json', 'print them as JSON'),
  }),
  examples: ['agent list acme'],
  run: async ({ license, deleted }, { table }) => {
    const [all] = await Promise.all([listAgents(table, license), requireLicense(table, license)])
    const agents = all.filter((agent) => deleted === true || !agent.deleted)
    return { json: agents, lines: columns(listed, agents, `License ${license} has no agents.`) }
  },
})

const one = { license: argument(LicenseId), agent: argument(AgentId) }

const show = verb({
  about: 'Shows an agent.',
  input: z.object({ ...one, json: flag('--json', 'print it as JSON') }),
  examples: ['agent show acme ana'],
  run: async ({ license, agent }, { table }) => {
    const found = await findAgent(table, license, agent)
    if (found === undefined) throw refusal({ license, agent }, { outcome: 'no_agent' })
    return { json: found, lines: details(`Agent ${agent} of license ${license}`, shown(found)) }
  },
})

const suspension = (
  suspended: boolean,
  { about, done, isSo }: { about: string; done: string; isSo: string },
) =>
  verb({
    about,
    input: z.object(one),
    examples: [`agent ${suspended ? 'suspend' : 'resume'} acme ana`],
    run: async ({ license, agent }, { table }) => {
      const change = await changeAgent(table, license, agent, { suspended })
      const who = `${agent} of license ${license}`
      if (change.outcome === 'changed') return say(`${done} agent ${who}.`)
      if (change.outcome === 'unchanged') return say(`Agent ${who} is ${isSo}.`)
      throw refusal({ license, agent }, change)
    },
  })

const suspend = suspension(true, {
  about: 'Suspends an agent: it is logged out, and cannot log in until it is resumed.',
  done: 'Suspended',
  isSo: 'suspended already',
})
const resume = suspension(false, {
  about: 'Lets a suspended agent log in again.',
  done: 'Resumed',
  isSo: 'not suspended',
})

const remove = verb({
  about: 'Deletes an agent, for good. Its name stays with what it wrote, its id is never given again.',
  input: z.object(one),
  examples: ['agent delete acme ana'],
  run: async ({ license, agent }, { table }) => {
    // before it is deleted: it leaves them at once
    const chats = await countActiveChats(
      table,
      license,
      ({ users, scopes }) => roleOf(agent, { users }) !== undefined || scopes.agents.includes(agent),
    )
    const { outcome } = await deleteAgent(table, license, agent)
    if (outcome === 'no_agent') throw refusal({ license, agent }, { outcome })
    const who = `${agent} of license ${license}`
    if (outcome === 'unchanged') return say(`Agent ${who} is deleted already.`)
    const then = chats > 0 ? ': it leaves them, and their customers go to whoever is free' : ''
    const concerned = `${activeChats(chats, 'has it or names', 'have it or name')} it${then}.`
    return say(`Deleted agent ${who}. ${concerned}`)
  },
})

export const agent: Noun = {
  about: 'Agents: who they are and what they may do.',
  verbs: { create: createAgentVerb, list, show, set: setAgentVerb, suspend, resume, delete: remove },
}
