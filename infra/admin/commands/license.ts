import * as z from 'zod/mini'
import { listAgents } from '../../../shared/provisioning/change-agent.ts'
import { listGroups } from '../../../shared/provisioning/change-group.ts'
import { changeLicense, createLicense, listLicenses } from '../../../shared/provisioning/change-license.ts'
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
import { type Noun, verb } from '../cli/command.ts'
import { refusal, requireLicense } from '../cli/obstacles.ts'
import { columns, details, isoTime, minutes } from '../cli/output.ts'
import { argument, changesSomething, defaulted, flag, option, rule } from '../cli/parameters.ts'
import { eraseLicense } from './erase.ts'
import { exportLicense } from './export.ts'

const defaultDays = 365
const planHelp = 'what its agents are told they have'
const expiryHelp = 'when it runs out: 2027-01-31 (00:00 UTC), 2027-01-31T12:00:00Z, or unix seconds'

const create = verb({
  about: 'Creates a license.',
  input: z.object({
    id: option('--id <id>', 'letters, digits and -, up to 64; made up by default', LicenseId),
    plan: defaulted('--plan <plan>', planHelp, Name, 'team'),
    expires_at: option('--expires <time>', `${expiryHelp}; in ${defaultDays} days by default`, Expiry),
    json: flag('--json', 'print it as JSON'),
  }),
  examples: ['license create', 'license create --id acme --plan enterprise --expires 2027-12-31'],
  run: async ({ id = randomId(), plan, expires_at }, { table, io }) => {
    const created_at = Math.floor(io.now() / 1000)
    const draft = { id, plan, expires_at: expires_at ?? created_at + defaultDays * 86_400, created_at }
    const creation = await createLicense(table, draft)
    if (creation.outcome !== 'created') throw refusal({ license: id }, creation)
    const { license } = creation
    const line = `Created license ${id}: plan ${license.plan}, ${expiry(license, io.now())}.`
    return { json: viewOf(license), lines: [line] }
  },
})

const list = verb({
  about: 'Lists all licenses.',
  input: z.object({ json: flag('--json', 'print them as JSON') }),
  examples: ['license list --table agent-chat --region eu-west-1'],
  run: async (_, { table, io }) => {
    const licenses = await listLicenses(table)
    const of = {
      LICENSE: ({ id }: LicenseItem) => id,
      PLAN: ({ plan }: LicenseItem) => plan,
      EXPIRES: ({ expires_at }: LicenseItem) => isoTime(expires_at),
      EVENTS: ({ events }: LicenseItem) => (events === true ? 'on' : 'off'),
      STATE: (license: LicenseItem) => (hasExpired(license, io.now()) ? 'expired' : 'valid'),
    }
    return { json: licenses.map(viewOf), lines: columns(of, licenses, 'There are no licenses.') }
  },
})

const show = verb({
  about: 'Shows a license.',
  input: z.object({ license: argument(LicenseId), json: flag('--json', 'print it as JSON') }),
  examples: ['license show acme'],
  run: async (input, { table, io }) => {
    const license = await requireLicense(table, input.license)
    const { id, idle_minutes: idle, archive_minutes: archive } = license
    const [groups, all] = await Promise.all([listGroups(table, id), listAgents(table, id)])
    const agents = all.filter(({ deleted }) => !deleted)
    const lines = details(`License ${id}`, {
      plan: license.plan,
      expiry: expiry(license, io.now()),
      groups: String(groups.length),
      agents: String(agents.length),
      origins: license.origins.join(', ') || 'any',
      routing: license.routing,
      'unseen chats': `go to another agent after ${minutes(license.unseen_minutes)}`,
      'silent chats': `are idle after ${minutes(idle)}, archived after ${minutes(archive)}`,
      'message texts': license.index_texts ? 'searched' : 'not searched',
      events: license.events === true ? 'go out to the event bus' : 'do not go out',
      version: String(license.version),
    })
    return { json: { ...viewOf(license), groups: groups.length, agents: agents.length }, lines }
  },
})

const changes = {
  plan: option('--plan <plan>', planHelp, Name),
  expires_at: option('--expires <time>', expiryHelp, Expiry),
  origins: option(
    '--origin <url...>',
    'where pages with the chat come from: scheme, host, port; in place of those it had',
    Origins,
  ),
  any_origin: flag('--any-origin', 'lets pages from anywhere have the chat'),
  routing: option(
    '--routing <mode>',
    "automatic: gives customers' chats to agents; manual: they wait for one to join",
    RoutingMode,
  ),
  unseen_minutes: option(
    '--unseen-minutes <n>',
    'until a chat that its agent does not look at goes to another one',
    Minutes,
  ),
  idle_minutes: option('--idle-minutes <n>', 'until a chat in which nothing happens is idle', Minutes),
  archive_minutes: option('--archive-minutes <n>', 'until it is archived', Minutes),
  index_texts: option(
    '--index-texts <on|off>',
    'whether archives are searched by the words of messages: off saves what indexing them costs',
    OnOff,
  ),
  events: option(
    '--events <on|off>',
    'whether what happens in its chats goes out to the event bus, where the stack has one',
    OnOff,
  ),
}

const set = verb({
  about: 'Changes what is given, and leaves the rest. Agents who are logged in feel it at once.',
  input: z
    .object({
      license: argument(LicenseId),
      ...changes,
      json: flag('--json', 'print the license as JSON'),
    })
    .check(
      rule(
        'any_origin',
        ({ origins, any_origin }) => origins === undefined || any_origin !== true,
        'Clears what --origin sets: leave one of the two out',
      ),
      changesSomething('license', changes),
    ),
  examples: [
    'license set acme --plan business',
    'license set acme --expires 2028-12-31',
    'license set acme --origin https://www.example.com https://shop.example.com:8443',
    'license set acme --routing manual --idle-minutes 5 --archive-minutes 60',
    'license set acme --index-texts off',
    'license set acme --events on',
  ],
  run: async (input, { table, io }) => {
    const { license: id, plan, expires_at, routing, index_texts, events } = input
    const { unseen_minutes, idle_minutes, archive_minutes } = input
    const ends = { unseen_minutes, idle_minutes, archive_minutes }
    const origins = input.any_origin === true ? [] : input.origins
    const change = await changeLicense(table, id, {
      plan,
      expires_at,
      origins,
      routing,
      ...ends,
      index_texts,
      events,
    })
    if (change.outcome !== 'changed') throw refusal(input, change)
    const { license } = change
    const lines = [`Changed license ${id}: plan ${license.plan}, ${expiry(license, io.now())}.`]
    if (index_texts === true)
      lines.push(`The words of new messages are indexed. For those of old ones: reindex ${id}.`)
    if (index_texts === false)
      lines.push(
        `The words of new messages are not indexed, and archives not searched by words. Those of old messages stay in the table until: reindex ${id}.`,
      )
    return { json: viewOf(license), lines }
  },
})

export const license: Noun = {
  about: 'Licenses: the accounts to which all else belongs.',
  verbs: { create, list, show, set, export: exportLicense, erase: eraseLicense },
}

/** A license without what only commands need. */
const viewOf = (license: LicenseItem): LicenseItem => LicenseItem.parse(license)

const hasExpired = (license: LicenseItem, nowMs: number): boolean => license.expires_at * 1000 <= nowMs
const expiry = (license: LicenseItem, nowMs: number): string =>
  `${hasExpired(license, nowMs) ? 'expired' : 'expires'} ${isoTime(license.expires_at)}`
