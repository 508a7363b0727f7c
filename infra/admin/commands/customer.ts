import type { Command } from 'commander'
import * as z from 'zod/mini'
import { findLicense } from '../../../shared/provisioning/change-license.ts'
import { type CustomerItem, isBanned, readCustomer } from '../../../shared/table/customers.ts'
import { CustomerId, LicenseId } from '../cli/account-fields.ts'
import { action } from '../cli/command.ts'
import { noCustomer, noLicense } from '../cli/not-found.ts'
import { columns, details, type Io, isoTime, json } from '../cli/output.ts'
import { listCustomers } from '../data/find-customers.ts'
import { addCustomerErase } from './erase.ts'
import { addCustomerExport } from './export.ts'

export function addCustomerCommands(program: Command, io: Io): void {
  const customer = program
    .command('customer')
    .description('Customers: who they are and who is banned. Agents ban and unban.')
  addCustomerList(customer, io)
  addCustomerShow(customer, io)
  addCustomerExport(customer, io)
  addCustomerErase(customer, io)
}

function addCustomerList(customer: Command, io: Io): void {
  action(
    customer
      .command('list')
      .description('Lists the customers of a license that have chatted.')
      .argument('<license>')
      .option('--banned', 'only those who are banned now')
      .option('--json', 'print them as JSON')
      .addHelpText(
        'after',
        `
Examples:
  npm run admin -- customer list acme
  npm run admin -- customer list acme --banned --json`,
      ),
    io,
    z.object({ license: LicenseId, banned: z.optional(z.boolean()), json: z.optional(z.boolean()) }),
    async (input, { table }) => {
      if ((await findLicense(table, input.license)) === undefined) throw noLicense(input.license)
      const all = await listCustomers(table, input.license)
      const customers = all.filter((each) => input.banned !== true || isBanned(each, io.now()))
      if (input.json)
        return json(
          io,
          customers.map((each) => viewOf(each, io)),
        )
      const rows = customers.map((each) => [
        each.id,
        each.name ?? '',
        each.email ?? '',
        state(each),
        bannedUntil(each, io) ?? '',
      ])
      const none = `License ${input.license} has no ${input.banned ? 'banned ' : ''}customers.`
      columns(io, ['CUSTOMER', 'NAME', 'EMAIL', 'STATE', 'BANNED UNTIL'], rows, none)
    },
  )
}

function addCustomerShow(customer: Command, io: Io): void {
  action(
    customer
      .command('show')
      .description('Shows a customer.')
      .argument('<license>')
      .argument('<customer>')
      .option('--json', 'print it as JSON')
      .addHelpText('after', '\nExample:\n  npm run admin -- customer show acme 5f1c0a7e'),
    io,
    z.object({ license: LicenseId, customer: CustomerId, json: z.optional(z.boolean()) }),
    async (input, { table }) => {
      const found = await readCustomer(table.read, input.license, input.customer)
      if (found === undefined) throw noCustomer(input.license, input.customer)
      if (input.json) return json(io, viewOf(found, io))
      const { name, email, properties, visit, visits, threads } = found
      const title = `Customer ${found.id} of license ${found.license_id}`
      if (found.erased_at !== undefined)
        return details(io, title, { erased: isoTime(Math.floor(found.erased_at / 1000)) })
      const until = bannedUntil(found, io)
      details(io, title, {
        ...(name === undefined ? {} : { name }),
        ...(email === undefined ? {} : { email }),
        state: state(found),
        banned: until === undefined ? 'no' : `until ${until}, by ${found.ban?.by ?? 'nobody'}`,
        threads: String(threads),
        visits: String(visits),
        ...(visit === undefined ? {} : { 'last visit': isoTime(visit.started_timestamp) }),
        ...Object.fromEntries(
          // the table keeps no order
          Object.entries(properties)
            .toSorted(([a], [b]) => (a < b ? -1 : 1))
            .map(([property, value]) => [`property ${property}`, value]),
        ),
      })
    },
  )
}

/** What people may want to know; not what the backend keeps its books with. */
const viewOf = (customer: CustomerItem, io: Io) => {
  const { id, license_id, name, email, properties, online, visits, visit, threads, ban, erased_at } = customer
  if (erased_at !== undefined) return { id, license_id, erased_at: Math.floor(erased_at / 1000) }
  const banned = isBanned(customer, io.now())
  return { id, license_id, name, email, properties, online, visits, visit, threads, banned, ban }
}

const state = ({ online }: CustomerItem): string => (online ? 'online' : 'offline')

const bannedUntil = (customer: CustomerItem, io: Io): string | undefined =>
  customer.ban !== undefined && isBanned(customer, io.now()) ? isoTime(customer.ban.until) : undefined
