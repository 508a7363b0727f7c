import type { Command } from 'commander'
import * as z from 'zod/mini'
import { AdminError } from '../../../shared/provisioning/admin-error.ts'
import { listAgents } from '../../../shared/provisioning/change-agent.ts'
import { listGroups } from '../../../shared/provisioning/change-group.ts'
import {
  changeLicense,
  createLicense,
  findLicense,
  listLicenses,
} from '../../../shared/provisioning/change-license.ts'
import { LicenseItem } from '../../../shared/table/accounts.ts'
import {
  Expiry,
  LicenseId,
  Minutes,
  Name,
  OnOff,
  Origins,
  randomId,
  RoutingMode,
} from '../cli/account-fields.ts'
import { action } from '../cli/command.ts'
import { noLicense } from '../cli/not-found.ts'
import { columns, details, type Io, isoTime, json, print } from '../cli/output.ts'
import { addLicenseErase } from './erase.ts'
import { addLicenseExport } from './export.ts'

const expiryHelp = 'when it runs out: 2027-01-31 (00:00 UTC), 2027-01-31T12:00:00Z, or unix seconds'
const defaultDays = 365

export function addLicenseCommands(program: Command, io: Io): void {
  const license = program.command('license').description('Licenses: the accounts to which all else belongs.')

  action(
    license
      .command('create')
      .description('Creates a license.')
      .option('--id <id>', 'letters, digits and -, up to 64; made up by default')
      .option('--plan <plan>', 'what its agents are told they have', 'team')
      .option('--expires <time>', `${expiryHelp}; in ${defaultDays} days by default`)
      .option('--json', 'print it as JSON')
      .addHelpText(
        'after',
        `
Examples:
  npm run admin -- license create
  npm run admin -- license create --id acme --plan enterprise --expires 2027-12-31`,
      ),
    io,
    z.object({
      id: z.optional(LicenseId),
      plan: Name,
      expires: z.optional(Expiry),
      json: z.optional(z.boolean()),
    }),
    async (input, { table }) => {
      const nowS = Math.floor(io.now() / 1000)
      const { outcome, license } = await createLicense(table, {
        id: input.id ?? randomId(),
        plan: input.plan,
        expires_at: input.expires ?? nowS + defaultDays * 86_400,
        created_at: nowS,
      })
      if (outcome === 'exists')
        throw new AdminError(
          `License ${license.id} exists. Choose another --id, or change it with license set.`,
        )
      if (input.json) return json(io, viewOf(license))
      print(io, `Created license ${license.id}: plan ${license.plan}, ${expiry(license, io)}.`)
    },
  )

  action(
    license
      .command('list')
      .description('Lists all licenses.')
      .option('--json', 'print them as JSON')
      .addHelpText(
        'after',
        '\nExample:\n  npm run admin -- license list --table agent-chat --region eu-west-1',
      ),
    io,
    z.object({ json: z.optional(z.boolean()) }),
    async (input, { table }) => {
      const licenses = await listLicenses(table)
      if (input.json) return json(io, licenses.map(viewOf))
      const rows = licenses.map((each) => [each.id, each.plan, isoTime(each.expires_at), state(each, io)])
      columns(io, ['LICENSE', 'PLAN', 'EXPIRES', 'STATE'], rows, 'There are no licenses.')
    },
  )

  action(
    license
      .command('show')
      .description('Shows a license.')
      .argument('<license>')
      .option('--json', 'print it as JSON')
      .addHelpText('after', '\nExample:\n  npm run admin -- license show acme'),
    io,
    z.object({ license: LicenseId, json: z.optional(z.boolean()) }),
    async (input, { table }) => {
      const license = await findLicense(table, input.license)
      if (license === undefined) throw noLicense(input.license)
      const [groups, agents] = await Promise.all([
        listGroups(table, license.id),
        listAgents(table, license.id),
      ])
      const counts = { groups: groups.length, agents: agents.filter(({ deleted }) => !deleted).length }
      if (input.json) return json(io, { ...viewOf(license), ...counts })
      details(io, `License ${license.id}`, {
        plan: license.plan,
        expiry: expiry(license, io),
        groups: String(counts.groups),
        agents: String(counts.agents),
        origins: license.origins.join(', ') || 'any',
        routing: license.routing,
        'unseen chats': `go to another agent after ${minutes(license.unseen_minutes)}`,
        'silent chats': `are idle after ${minutes(license.idle_minutes)}, archived after ${minutes(license.archive_minutes)}`,
        'message texts': license.index_texts ? 'searched' : 'not searched',
        version: String(license.version),
      })
    },
  )

  action(
    license
      .command('set')
      .description('Changes what is given, and leaves the rest. Agents who are logged in feel it at once.')
      .argument('<license>')
      .option('--plan <plan>', 'what its agents are told they have')
      .option('--expires <time>', expiryHelp)
      .option(
        '--origin <url...>',
        'where pages with the chat come from: scheme, host, port; in place of those it had',
      )
      .option('--any-origin', 'lets pages from anywhere have the chat')
      .option(
        '--routing <mode>',
        "automatic: gives customers' chats to agents; manual: they wait for one to join",
      )
      .option('--unseen-minutes <n>', 'until a chat that its agent does not look at goes to another one')
      .option('--idle-minutes <n>', 'until a chat in which nothing happens is idle')
      .option('--archive-minutes <n>', 'until it is archived')
      .option(
        '--index-texts <on|off>',
        'whether archives are searched by the words of messages: off saves what indexing them costs',
      )
      .option('--json', 'print the license as JSON')
      .addHelpText(
        'after',
        `
Examples:
  npm run admin -- license set acme --plan business
  npm run admin -- license set acme --expires 2028-12-31
  npm run admin -- license set acme --origin https://www.example.com https://shop.example.com:8443
  npm run admin -- license set acme --routing manual --idle-minutes 5 --archive-minutes 60
  npm run admin -- license set acme --index-texts off`,
      ),
    io,
    z
      .object({
        license: LicenseId,
        plan: z.optional(Name),
        expires: z.optional(Expiry),
        origin: z.optional(Origins),
        anyOrigin: z.optional(z.boolean()),
        routing: z.optional(RoutingMode),
        unseenMinutes: z.optional(Minutes),
        idleMinutes: z.optional(Minutes),
        archiveMinutes: z.optional(Minutes),
        indexTexts: z.optional(OnOff),
        json: z.optional(z.boolean()),
      })
      .check(
        z.refine(({ origin, anyOrigin }) => origin === undefined || anyOrigin !== true, {
          error: 'Clears what --origin sets: leave one of the two out',
          path: ['anyOrigin'],
        }),
        z.refine(
          ({ license: _, json: __, ...changes }) =>
            Object.values(changes).some((value) => value !== undefined),
          {
            error:
              'Say what to change: --plan, --expires, --origin, --any-origin, --routing, --unseen-minutes, --idle-minutes, --archive-minutes, --index-texts',
            path: ['license'],
          },
        ),
      ),
    async (input, { table }) => {
      const change = await changeLicense(table, input.license, {
        plan: input.plan,
        expires_at: input.expires,
        origins: input.anyOrigin === true ? [] : input.origin,
        routing: input.routing,
        unseen_minutes: input.unseenMinutes,
        idle_minutes: input.idleMinutes,
        archive_minutes: input.archiveMinutes,
        index_texts: input.indexTexts,
      })
      if (change.outcome === 'no_license') throw noLicense(input.license)
      if (change.outcome === 'being_erased')
        throw new AdminError(
          `License ${input.license} is being erased. Give license erase ${input.license} again to go on with it.`,
        )
      const { license } = change
      if (change.outcome === 'idle_too_late')
        throw new AdminError(
          `Chats would be archived after ${minutes(license.archive_minutes)} and idle after ${minutes(license.idle_minutes)}. ` +
            'Set --archive-minutes to more than --idle-minutes.',
        )
      if (input.json) return json(io, viewOf(license))
      print(io, `Changed license ${license.id}: plan ${license.plan}, ${expiry(license, io)}.`)
      if (input.indexTexts === undefined) return
      print(
        io,
        license.index_texts
          ? `The words of new messages are indexed. For those of old ones: reindex ${license.id}.`
          : `The words of new messages are not indexed, and archives not searched by words. Those of old messages stay in the table until: reindex ${license.id}.`,
      )
    },
  )
  addLicenseExport(license, io)
  addLicenseErase(license, io)
}

/** Without what only commands need. */
const viewOf = (license: LicenseItem): LicenseItem => LicenseItem.parse(license)

const minutes = (count: number): string => (count === 1 ? '1 minute' : `${count} minutes`)

const hasExpired = (license: LicenseItem, io: Io): boolean => license.expires_at * 1000 <= io.now()
const state = (license: LicenseItem, io: Io): string => (hasExpired(license, io) ? 'expired' : 'valid')
const expiry = (license: LicenseItem, io: Io): string =>
  `${hasExpired(license, io) ? 'expired' : 'expires'} ${isoTime(license.expires_at)}`
