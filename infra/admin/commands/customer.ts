import * as z from 'zod/mini'
import { type CustomerItem, isBanned, readCustomer } from '../../../shared/table/customers.ts'
import { CustomerId, LicenseId } from '../cli/account-fields.ts'
import { type Noun, verb } from '../cli/command.ts'
import { refusal, requireLicense } from '../cli/obstacles.ts'
import { columns, details, isoTime } from '../cli/output.ts'
import { argument, flag } from '../cli/parameters.ts'
import { listCustomers } from '../data/find-customers.ts'
import { eraseCustomer } from './erase.ts'
import { exportCustomer } from './export.ts'

const list = verb({
  about: 'Lists the customers of a license that have chatted.',
  input: z.object({
    license: argument(LicenseId),
    banned: flag('--banned', 'only those who are banned now'),
    json: flag('--json', 'print them as JSON'),
  }),
  examples: ['customer list acme', 'customer list acme --banned --json'],
  run: async ({ license, banned = false }, { table, io }) => {
    await requireLicense(table, license)
    const all = await listCustomers(table, license)
    const customers = all.filter((each) => !banned || isBanned(each, io.now()))
    const of = {
      CUSTOMER: ({ id }: CustomerItem) => id,
      NAME: ({ name = '' }: CustomerItem) => name,
      EMAIL: ({ email = '' }: CustomerItem) => email,
      STATE: state,
      'BANNED UNTIL': (each: CustomerItem) => bannedUntil(each, io.now()) ?? '',
    }
    const none = `License ${license} has no ${banned ? 'banned ' : ''}customers.`
    return { json: customers.map((each) => viewOf(each, io.now())), lines: columns(of, customers, none) }
  },
})

const show = verb({
  about: 'Shows a customer.',
  input: z.object({
    license: argument(LicenseId),
    customer: argument(CustomerId),
    json: flag('--json', 'print it as JSON'),
  }),
  examples: ['customer show acme 5f1c0a7e'],
  run: async ({ license, customer }, { table, io }) => {
    const found = await readCustomer(table.read, license, customer)
    if (found === undefined) throw refusal({ license, customer }, { outcome: 'no_customer' })
    const title = `Customer ${customer} of license ${license}`
    return { json: viewOf(found, io.now()), lines: details(title, shown(found, io.now())) }
  },
})

export const customer: Noun = {
  about: 'Customers: who they are and who is banned. Agents ban and unban.',
  verbs: { list, show, export: exportCustomer, erase: eraseCustomer },
}

const shown = (customer: CustomerItem, nowMs: number): Record<string, string | undefined> => {
  const { name, email, properties, visit, visits, threads, ban, erased_at } = customer
  if (erased_at !== undefined) return { erased: isoTime(Math.floor(erased_at / 1000)) }
  const until = bannedUntil(customer, nowMs)
  return {
    name,
    email,
    state: state(customer),
    banned: until === undefined ? 'no' : `until ${until}, by ${ban?.by ?? 'nobody'}`,
    threads: String(threads),
    visits: String(visits),
    'last visit': visit && isoTime(visit.started_timestamp),
    ...Object.fromEntries(
      // the table keeps no order
      Object.entries(properties)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([property, value]) => [`property ${property}`, value]),
    ),
  }
}

/** A customer as people may want to know it, without what the backend keeps its books with. */
const viewOf = (customer: CustomerItem, nowMs: number) => {
  const { id, license_id, name, email, properties, online, visits, visit, threads, ban, erased_at } = customer
  if (erased_at !== undefined) return { id, license_id, erased_at: Math.floor(erased_at / 1000) }
  const banned = isBanned(customer, nowMs)
  return { id, license_id, name, email, properties, online, visits, visit, threads, banned, ban }
}

const state = ({ online }: CustomerItem): string => (online ? 'online' : 'offline')

const bannedUntil = (customer: CustomerItem, nowMs: number): string | undefined =>
  customer.ban !== undefined && isBanned(customer, nowMs) ? isoTime(customer.ban.until) : undefined
