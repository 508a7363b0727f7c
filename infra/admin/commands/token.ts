import * as z from 'zod/mini'
import { AdminError } from '../../../shared/provisioning/admin-error.ts'
import { listLicenses } from '../../../shared/provisioning/change-license.ts'
import { AgentItem } from '../../../shared/table/accounts.ts'
import type { Table } from '../../../shared/table/client.ts'
import { keys } from '../../../shared/table/keys.ts'
import { mintToken, openTokenKey } from '../../local/secrets/token-key.ts'
import { AgentId, Duration, LicenseId, Scope } from '../cli/account-fields.ts'
import { verb } from '../cli/command.ts'
import { refusal } from '../cli/obstacles.ts'
import { say, warn } from '../cli/output.ts'
import { argument, defaulted, option } from '../cli/parameters.ts'

const elsewhere = 'The tokens of a deployed table come from its identity provider: log in there'

export const token = verb({
  about: 'Prints a token with which an agent of the local stack logs in.',
  input: z.object({
    agent: argument(AgentId),
    license: option('--license <id>', 'whose agent, where several licenses have one of this id', LicenseId),
    scope: option('--scope <scopes>', 'token scopes, separated by spaces; none: unrestricted', Scope),
    expiresIn: defaulted('--expires-in <span>', 'how long it lasts: 90s, 30m, 24h, 7d', Duration, '24h'),
    table: z.optional(z.never(elsewhere)),
  }),
  notes: 'Only the token goes to standard output; npm adds lines of its own unless told -s.',
  examples: ['token ana', 'token ana --license acme --scope "chats--my:read" --expires-in 1h'],
  isPiped: true,
  run: async (input, target) => {
    if (target.place === 'deployed') throw new AdminError(`${elsewhere}.`)
    const { io, issuer, audience } = target
    const agent = await onlyAgent(target.table, input.agent, input.license)
    const identity = agent.identities.find((each) => each.issuer === issuer)
    if (identity === undefined)
      throw new AdminError(
        `Agent ${agent.id} of license ${agent.license_id} logs in with tokens of another issuer. ` +
          `Give it a subject of this stack's: agent set ${agent.license_id} ${agent.id} --subject ${agent.license_id}/${agent.id}`,
      )
    if (agent.suspended) warn(io, `note: agent ${agent.id} is suspended, its login is refused`)
    const { subject } = identity
    const { scope, expiresIn: expiresInS } = input
    const key = await openTokenKey(io.localDir)
    const machine = agent.bot
    return say(await mintToken({ key, issuer, audience, subject, scope, machine, expiresInS, now: io.now() }))
  },
})

async function onlyAgent(table: Table, id: string, license: string | undefined): Promise<AgentItem> {
  const licenses = license === undefined ? (await listLicenses(table)).map((each) => each.id) : [license]
  const found = await table.read.batchGet(
    licenses.map((each) => keys.agent(each, id)),
    { strong: true },
  )
  const agents = found.map((item) => AgentItem.parse(item)).filter(({ deleted }) => !deleted)
  const [agent, ...others] = agents
  if (agent === undefined) {
    throw license === undefined
      ? new AdminError(`No license has an agent ${id}. See agent list <license>.`)
      : refusal({ license, agent: id }, { outcome: 'no_agent' })
  }
  if (others.length === 0) return agent
  const names = agents.map((each) => each.license_id).toSorted()
  throw new AdminError(`Several licenses have an agent ${id}: ${names.join(', ')}. Say which with --license.`)
}
