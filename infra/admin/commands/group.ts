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
import { GroupId, LicenseId, Name } from '../cli/account-fields.ts'
import { type Noun, verb } from '../cli/command.ts'
import { refusal, requireLicense, someOf } from '../cli/obstacles.ts'
import { columns, say } from '../cli/output.ts'
import { argument, flag, option, required } from '../cli/parameters.ts'

const name = required('--name <name>', 'up to 256 bytes', Name)

const create = verb({
  about: 'Creates a group.',
  input: z.object({
    license: argument(LicenseId),
    name,
    id: option('--id <id>', 'a whole number; by default the next that no group ever had', GroupId),
    json: flag('--json', 'print it as JSON'),
  }),
  examples: ['group create acme --name Sales', 'group create acme --name Support --id 7'],
  run: async (input, { table }) => {
    const { license } = input
    const creation = await createGroup(table, { license_id: license, id: input.id, name: input.name })
    if (creation.outcome !== 'created') throw refusal({ license, group: input.id }, creation)
    const { id, name } = creation.group
    return { json: { id, name }, lines: [`Created group ${id} of license ${license}: ${name}.`] }
  },
})

interface GroupView {
  id: number
  name: string
  agents: string[]
}

const list = verb({
  about: 'Lists the groups of a license, with the agents in them.',
  input: z.object({ license: argument(LicenseId), json: flag('--json', 'print them as JSON') }),
  examples: ['group list acme'],
  run: async ({ license }, { table }) => {
    const [groups, agents] = await Promise.all([
      listGroups(table, license),
      listAgents(table, license),
      requireLicense(table, license),
    ])
    const views = groups.map(({ id, name }): GroupView => {
      const members = agents.filter((agent) => agent.groups.includes(id))
      return { id, name, agents: members.map((agent) => agent.id) }
    })
    const of = {
      GROUP: ({ id }: GroupView) => String(id),
      NAME: ({ name }: GroupView) => name,
      AGENTS: ({ agents }: GroupView) => agents.join(', '),
    }
    return { json: views, lines: columns(of, views, `License ${license} has no groups.`) }
  },
})

const set = verb({
  about: 'Renames a group.',
  input: z.object({ license: argument(LicenseId), group: argument(GroupId), name }),
  examples: ['group set acme 7 --name "Second level"'],
  run: async (input, { table }) => {
    const { license, group } = input
    const change = await changeGroup(table, license, group, { name: input.name })
    if (change.outcome !== 'changed') throw refusal({ license, group }, change)
    return say(`Renamed group ${group} of license ${license}: ${change.group.name}.`)
  },
})

const remove = verb({
  about: 'Deletes a group that no agent is in. Its id is never given again.',
  input: z.object({
    license: argument(LicenseId),
    group: argument(GroupId),
    force: flag('--force', 'take the agents in it out of it'),
    into: option(
      '--into <group>',
      'the group that takes its place: its chats go to it, and whoever names it means that one',
      GroupId,
    ),
  }),
  examples: ['group delete acme 7', 'group delete acme 7 --force', 'group delete acme 7 --into 5'],
  run: async ({ license, group, force = false, into }, { table }) => {
    if (into === group)
      throw new AdminError(`Group ${into} cannot take its own place. Choose another --into.`)
    // before it is deleted: chats follow at once
    const chats = await countActiveChats(table, license, ({ scopes }) => scopes.groups.includes(group))
    const deletion = await deleteGroup(table, license, group, { evenWithAgents: force, into })
    if (deletion.outcome === 'no_successor') throw refusal({ license, group: into }, { outcome: 'no_group' })
    if (deletion.outcome !== 'deleted') throw refusal({ license, group }, deletion)
    const { left } = deletion
    const who = left.length > 0 ? ` ${someOf(left)} left it.` : ''
    const then =
      into === undefined ? 'those that name nobody else are open to every agent' : `they go to group ${into}`
    const concerned = `${activeChats(chats, 'names', 'name')} it${chats > 0 ? `: ${then}` : ''}.`
    return say(`Deleted group ${group} of license ${license}: ${deletion.group.name}.${who} ${concerned}`)
  },
})

export const group: Noun = {
  about: 'Groups of agents: the teams that chats are scoped to.',
  verbs: { create, list, set, delete: remove },
}
