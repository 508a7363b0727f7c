import type { Command } from 'commander'
import * as z from 'zod/mini'
import { roleOf } from '../../../shared/access/permissions.ts'
import { activeChats, countActiveChats } from '../../../shared/provisioning/active-chats.ts'
import { changeAgent, deleteAgent, findAgent, listAgents } from '../../../shared/provisioning/change-agent.ts'
import { findLicense } from '../../../shared/provisioning/change-license.ts'
import type { AgentItem } from '../../../shared/table/accounts.ts'
import { AgentId, LicenseId } from '../cli/account-fields.ts'
import { isDeleted, noAgent } from '../cli/agent-errors.ts'
import { action } from '../cli/command.ts'
import { noLicense } from '../cli/not-found.ts'
import { columns, details, type Io, json, print } from '../cli/output.ts'
import { addAgentCreate } from './agent-create.ts'
import { addAgentSet } from './agent-set.ts'

export function addAgentCommands(program: Command, io: Io): void {
  const agent = program.command('agent').description('Agents: who they are and what they may do.')
  addAgentCreate(agent, io)
  addAgentList(agent, io)
  addAgentShow(agent, io)
  addAgentSet(agent, io)
  addSuspension(agent, io, {
    name: 'suspend',
    description: 'Suspends an agent: it is logged out, and cannot log in until it is resumed.',
    suspended: true,
    done: 'Suspended',
  })
  addSuspension(agent, io, {
    name: 'resume',
    description: 'Lets a suspended agent log in again.',
    suspended: false,
    done: 'Resumed',
  })
  addAgentDelete(agent, io)
}

function addAgentList(agent: Command, io: Io): void {
  action(
    agent
      .command('list')
      .description('Lists the agents of a license.')
      .argument('<license>')
      .option('--deleted', 'the deleted ones too')
      .option('--json', 'print them as JSON')
      .addHelpText('after', '\nExample:\n  npm run admin -- agent list acme'),
    io,
    z.object({ license: LicenseId, deleted: z.optional(z.boolean()), json: z.optional(z.boolean()) }),
    async (input, { table }) => {
      const [license, all] = await Promise.all([
        findLicense(table, input.license),
        listAgents(table, input.license),
      ])
      if (license === undefined) throw noLicense(input.license)
      const agents = all.filter(({ deleted }) => input.deleted || !deleted)
      if (input.json) return json(io, agents)
      const heading = ['AGENT', 'NAME', 'PERMISSION', 'GROUPS', 'STATE', 'EMAIL']
      const rows = agents.map((each) => [
        each.id,
        each.name,
        each.permission,
        each.groups.join(', '),
        state(each),
        each.email ?? '',
      ])
      columns(io, heading, rows, `License ${input.license} has no agents.`)
    },
  )
}

function addAgentShow(agent: Command, io: Io): void {
  action(
    agent
      .command('show')
      .description('Shows an agent.')
      .argument('<license>')
      .argument('<agent>')
      .option('--json', 'print it as JSON')
      .addHelpText('after', '\nExample:\n  npm run admin -- agent show acme ana'),
    io,
    z.object({ license: LicenseId, agent: AgentId, json: z.optional(z.boolean()) }),
    async (input, { table }) => {
      const found = await findAgent(table, input.license, input.agent)
      if (found === undefined) throw noAgent(input.license, input.agent)
      if (input.json) return json(io, found)
      const title = `Agent ${found.id} of license ${found.license_id}`
      if (found.deleted) return details(io, title, { name: found.name, state: state(found) })
      details(io, title, {
        name: found.name,
        ...(found.email === undefined ? {} : { email: found.email }),
        ...(found.avatar === undefined ? {} : { avatar: found.avatar }),
        permission: found.permission,
        groups: found.groups.join(', ') || 'none',
        state: state(found),
        'status after login': found.default_status,
        'chats at most': String(found.max_chats),
        'logs in as':
          found.identities.map((each) => `${each.subject} of ${each.issuer}`).join(', ') || 'nobody',
        version: String(found.version),
      })
    },
  )
}

interface Suspension {
  name: string
  description: string
  suspended: boolean
  done: string
}

function addSuspension(agent: Command, io: Io, { name, description, suspended, done }: Suspension): void {
  action(
    agent
      .command(name)
      .description(description)
      .argument('<license>')
      .argument('<agent>')
      .addHelpText('after', `\nExample:\n  npm run admin -- agent ${name} acme ana`),
    io,
    z.object({ license: LicenseId, agent: AgentId }),
    async (input, { table }) => {
      const { outcome } = await changeAgent(table, input.license, input.agent, { suspended })
      if (outcome === 'no_agent') throw noAgent(input.license, input.agent)
      if (outcome === 'deleted') throw isDeleted(input.license, input.agent)
      const who = `${input.agent} of license ${input.license}`
      print(
        io,
        outcome === 'changed'
          ? `${done} agent ${who}.`
          : `Agent ${who} is ${suspended ? 'suspended already' : 'not suspended'}.`,
      )
    },
  )
}

function addAgentDelete(agent: Command, io: Io): void {
  action(
    agent
      .command('delete')
      .description(
        'Deletes an agent, for good. Its name stays with what it wrote, its id is never given again.',
      )
      .argument('<license>')
      .argument('<agent>')
      .addHelpText('after', '\nExample:\n  npm run admin -- agent delete acme ana'),
    io,
    z.object({ license: LicenseId, agent: AgentId }),
    async (input, { table }) => {
      const { license, agent: id } = input
      // before it is deleted: it leaves them at once
      const chats = await countActiveChats(
        table,
        license,
        ({ users, scopes }) => roleOf(id, { users }) !== undefined || scopes.agents.includes(id),
      )
      const { outcome } = await deleteAgent(table, license, id)
      if (outcome === 'no_agent') throw noAgent(license, id)
      const who = `${id} of license ${license}`
      if (outcome !== 'deleted') return print(io, `Agent ${who} is deleted already.`)
      const then = chats > 0 ? ': it leaves them, and their customers go to whoever is free' : ''
      print(
        io,
        `Deleted agent ${who}. ${activeChats(chats, 'has it or names', 'have it or name')} it${then}.`,
      )
    },
  )
}

function state({ deleted, suspended, online }: AgentItem): string {
  if (deleted) return 'deleted'
  if (suspended) return 'suspended'
  return online ? 'online' : 'offline'
}
