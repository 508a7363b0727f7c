import type { Command } from 'commander'
import * as z from 'zod/mini'
import { activeChats, countActiveChats } from '../../../shared/provisioning/active-chats.ts'
import { AdminError } from '../../../shared/provisioning/admin-error.ts'
import { listAgents } from '../../../shared/provisioning/change-agent.ts'
import {
  changeGroup,
  createGroup,
  deleteGroup,
  listGroups,
} from '../../../shared/provisioning/change-group.ts'
import { findLicense } from '../../../shared/provisioning/change-license.ts'
import { GroupId, LicenseId, Name } from '../cli/account-fields.ts'
import { action } from '../cli/command.ts'
import { noGroup, noLicense } from '../cli/not-found.ts'
import { columns, type Io, json, print } from '../cli/output.ts'

export function addGroupCommands(program: Command, io: Io): void {
  const group = program.command('group').description('Groups of agents: the teams that chats are scoped to.')

  action(
    group
      .command('create')
      .description('Creates a group.')
      .argument('<license>')
      .requiredOption('--name <name>', 'up to 256 bytes')
      .option('--id <id>', 'a whole number; by default the next that no group ever had')
      .option('--json', 'print it as JSON')
      .addHelpText(
        'after',
        `
Examples:
  npm run admin -- group create acme --name Sales
  npm run admin -- group create acme --name Support --id 7`,
      ),
    io,
    z.object({ license: LicenseId, name: Name, id: z.optional(GroupId), json: z.optional(z.boolean()) }),
    async (input, { table }) => {
      const creation = await createGroup(table, { license_id: input.license, id: input.id, name: input.name })
      switch (creation.outcome) {
        case 'no_license':
          throw noLicense(input.license)
        case 'id_used':
          throw new AdminError(
            `Group ${input.id} of license ${input.license} was deleted, and chats may still name it. Choose another --id.`,
          )
        case 'exists':
          throw new AdminError(
            `Group ${creation.group.id} of license ${input.license} exists: ${creation.group.name}. Choose another --id.`,
          )
        case 'created': {
          const { id, name } = creation.group
          if (input.json) return json(io, { id, name })
          return print(io, `Created group ${id} of license ${input.license}: ${name}.`)
        }
      }
    },
  )

  action(
    group
      .command('list')
      .description('Lists the groups of a license, with the agents in them.')
      .argument('<license>')
      .option('--json', 'print them as JSON')
      .addHelpText('after', '\nExample:\n  npm run admin -- group list acme'),
    io,
    z.object({ license: LicenseId, json: z.optional(z.boolean()) }),
    async (input, { table }) => {
      const [license, groups, agents] = await Promise.all([
        findLicense(table, input.license),
        listGroups(table, input.license),
        listAgents(table, input.license),
      ])
      if (license === undefined) throw noLicense(input.license)
      const views = groups.map(({ id, name }) => ({
        id,
        name,
        agents: agents.filter((agent) => agent.groups.includes(id)).map((agent) => agent.id),
      }))
      if (input.json) return json(io, views)
      const rows = views.map((each) => [String(each.id), each.name, each.agents.join(', ')])
      columns(io, ['GROUP', 'NAME', 'AGENTS'], rows, `License ${input.license} has no groups.`)
    },
  )

  action(
    group
      .command('set')
      .description('Renames a group.')
      .argument('<license>')
      .argument('<group>')
      .requiredOption('--name <name>', 'up to 256 bytes')
      .addHelpText('after', '\nExample:\n  npm run admin -- group set acme 7 --name "Second level"'),
    io,
    z.object({ license: LicenseId, group: GroupId, name: Name }),
    async (input, { table }) => {
      const change = await changeGroup(table, input.license, input.group, { name: input.name })
      if (change.outcome === 'no_group') throw noGroup(input.license, input.group)
      print(io, `Renamed group ${input.group} of license ${input.license}: ${change.group.name}.`)
    },
  )

  action(
    group
      .command('delete')
      .description('Deletes a group that no agent is in. Its id is never given again.')
      .argument('<license>')
      .argument('<group>')
      .option('--force', 'take the agents in it out of it')
      .option(
        '--into <group>',
        'the group that takes its place: its chats go to it, and whoever names it means that one',
      )
      .addHelpText(
        'after',
        `
Examples:
  npm run admin -- group delete acme 7
  npm run admin -- group delete acme 7 --force
  npm run admin -- group delete acme 7 --into 5`,
      ),
    io,
    z.object({
      license: LicenseId,
      group: GroupId,
      force: z.optional(z.boolean()),
      into: z.optional(GroupId),
    }),
    async (input, { table }) => {
      const { license, into } = input
      if (into === input.group)
        throw new AdminError(`Group ${into} cannot take its own place. Choose another --into.`)
      // before it is deleted: chats follow at once
      const chats = await countActiveChats(table, license, ({ scopes }) =>
        scopes.groups.includes(input.group),
      )
      const deletion = await deleteGroup(table, license, input.group, {
        evenWithAgents: input.force === true,
        into,
      })
      switch (deletion.outcome) {
        case 'no_successor':
          throw noGroup(license, into ?? input.group)
        case 'no_group':
          throw noGroup(input.license, input.group)
        case 'has_agents':
          throw new AdminError(
            `Group ${input.group} of license ${input.license} is not empty: ${someOf(deletion.agents.map(({ id }) => id))}. ` +
              'Move them with agent set, or take them out of it with --force.',
          )
        case 'deleted': {
          const { group, left } = deletion
          const who = left.length > 0 ? ` ${someOf(left)} left it.` : ''
          const then =
            into === undefined
              ? 'those that name nobody else are open to every agent'
              : `they go to group ${into}`
          const concerned = `${activeChats(chats, 'names', 'name')} it${chats > 0 ? `: ${then}` : ''}.`
          return print(
            io,
            `Deleted group ${group.id} of license ${license}: ${group.name}.${who} ${concerned}`,
          )
        }
      }
    },
  )
}

const shown = 20
const someOf = (ids: readonly string[]): string =>
  ids.slice(0, shown).join(', ') + (ids.length > shown ? ` and ${ids.length - shown} more` : '')
