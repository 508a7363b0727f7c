import type { Command } from 'commander'
import { setTimeout as wait } from 'node:timers/promises'
import * as z from 'zod/mini'
import { AdminError } from '../../../shared/provisioning/admin-error.ts'
import { beginErasing, endErasing, findLicense } from '../../../shared/provisioning/change-license.ts'
import { customerChatId } from '../../../shared/table/ids.ts'
import { CustomerId, LicenseId } from '../cli/account-fields.ts'
import { action } from '../cli/command.ts'
import { noCustomer, noLicense } from '../cli/not-found.ts'
import { type Io, isoTime, json, print, progressLine, warn } from '../cli/output.ts'
import { eraseChat, type Erased } from '../data/erase-chat.ts'
import { eraseRest, lockCustomer } from '../data/erase-customer.ts'
import { eraseChats, eraseOthers, lockLicense, type Run } from '../data/erase-license.ts'
import { openAccess, withRetries } from '../data/reindex-chat.ts'
import { counted, duration } from '../data/reindex-progress.ts'

/**
 * What may be under way on a chat, or as a customer, when these are taken away, has ended by then: the clock
 * has 60 s, and nothing has longer.
 */
const underWayMs = 65_000

const kept =
  'Point-in-time backups keep what was erased for 35 days, and the stream for a day; backups made on demand keep it until they are deleted.'

const yes = ['--yes', 'erase it without asking'] as const

export function addCustomerErase(customer: Command, io: Io): void {
  action(
    customer
      .command('erase')
      .description('Erases all that is stored of a customer, for good, while all goes on.')
      .argument('<license>')
      .argument('<customer>')
      .option(...yes)
      .option('--json', 'print what came of it as JSON')
      .addHelpText(
        'after',
        `
Its tabs are closed, and its active thread, of which agents are told. Its id is kept for a year, and nothing else: until the
last of its tokens has run out, nobody becomes this customer again. It takes some seconds over a minute. A run that was stopped
goes on when the command is given again.

${kept}

Examples:
  npm run admin -- customer erase acme 5f1c0a7e
  npm run admin -- customer erase acme 5f1c0a7e --yes --table agent-chat --region eu-west-1`,
      ),
    io,
    z.object({
      license: LicenseId,
      customer: CustomerId,
      yes: z.optional(z.boolean()),
      json: z.optional(z.boolean()),
    }),
    async (input, { table, within }) => {
      const { license, customer } = input
      await confirm(io, input.yes, `customer ${customer} of license ${license}`, customer)
      await stoppably(io, async (stopped) => {
        const item = await findLicense(table, license)
        if (item === undefined) throw noLicense(license)
        const sealed = await lockCustomer(table, license, customer, io.now)
        if (sealed === undefined) throw noCustomer(license, customer)
        await settle(io, sealed.erasedAt + underWayMs, stopped)
        const of = { license, id: customerChatId(license, customer), texts: item.index_texts }
        const access = openAccess(within, io.now)
        const erased = await withRetries(access, (ctx) => eraseChat(ctx, of), { stopped })
        await withRetries(access, (ctx) => eraseRest(ctx, license, customer), { stopped })
        if (input.json)
          return json(io, {
            license_id: license,
            customer_id: customer,
            erased_at: Math.floor(sealed.erasedAt / 1000),
            ...erased,
          })
        print(io, `Erased customer ${customer} of license ${license}: ${inWords(erased)}.`, kept)
      })
    },
  )
}

export function addLicenseErase(license: Command, io: Io): void {
  action(
    license
      .command('erase')
      .description('Erases a license that has expired, with all that is stored of it, for good.')
      .argument('<license>')
      .option(...yes)
      .option('--json', 'print what came of it as JSON')
      .addHelpText(
        'after',
        `
End it first, and think it over: license set acme --expires 2026-01-31. Whoever is logged in is logged out by that. It reads
the whole table three times: for customers without a chat, for what no list leads to, and once more to find nothing. A run that
was stopped goes on when the command is given again. How far it is goes to standard error.

${kept}

Examples:
  npm run admin -- license erase acme
  npm run admin -- license erase acme --yes --table agent-chat --region eu-west-1`,
      ),
    io,
    z.object({ license: LicenseId, yes: z.optional(z.boolean()), json: z.optional(z.boolean()) }),
    async (input, { table, within, scan }) => {
      const { license: id } = input
      const item = await findLicense(table, id)
      if (item === undefined) throw noLicense(id)
      if (item.expires_at * 1000 > io.now()) throw inForce(id, item.expires_at)
      await confirm(io, input.yes, `license ${id} with all that is stored of it`, id)
      await stoppably(io, async (stopped) => {
        const begun = await beginErasing(table, id, io.now())
        if (begun.outcome === 'no_license') throw noLicense(id)
        if (begun.outcome === 'in_force') throw inForce(id, begun.license.expires_at)
        const run: Run = { ...openAccess(within, io.now), license: id, scan, stopped }
        await lockLicense(run)
        await settle(io, io.now() + underWayMs, stopped)
        const chats = openCount(io)
        await eraseChats(run, item.index_texts, chats.add)
        chats.clear()
        const others = await eraseOthers(run, item.index_texts)
        await endErasing(table, id)
        const erased = chats.sum()
        if (input.json) return json(io, { license_id: id, ...others, ...erased })
        const of = `${counted(others.agents, 'agent')}, ${counted(others.customers, 'customer')}`
        print(io, `Erased license ${id}: ${of}, ${counted(erased.chats, 'chat')}, ${inWords(erased)}.`, kept)
      })
    },
  )
}

const inForce = (license: string, expiresAt: number): AdminError =>
  new AdminError(
    `License ${license} is valid until ${isoTime(expiresAt)}. End it first: license set ${license} --expires with a time that has passed.`,
  )

const inWords = ({ threads, events }: Erased): string =>
  `${counted(threads, 'thread')}, ${counted(events, 'event')}`

const confirm = async (io: Io, isSure: boolean | undefined, what: string, id: string): Promise<void> => {
  if (isSure === true) return
  if (io.ask === undefined)
    throw new AdminError(`This erases ${what}, for good. Say --yes where that is meant.`)
  const answer = await io.ask(`This erases ${what}, for good. Type ${id} to go on: `)
  if (answer.trim() !== id) throw new AdminError('Nothing was erased.')
}

const settle = async (io: Io, untilMs: number, stopped: AbortSignal): Promise<void> => {
  const ms = untilMs - io.now()
  if (ms <= 0) return
  warn(io, `Waiting ${duration(ms / 1000)} for what is under way to end.`)
  await (io.pause ?? ((time, signal) => wait(time, undefined, { signal })))(ms, stopped)
}

/** Runs until it is interrupted, which is said, and ends the command in failure. */
const stoppably = async (io: Io, run: (stopped: AbortSignal) => Promise<void>): Promise<void> => {
  const stopping = new AbortController()
  const forget = io.onInterrupt?.(() => stopping.abort())
  try {
    await run(stopping.signal)
  } catch (error) {
    if (!stopping.signal.aborted) throw error
    throw new AdminError('Stopped. Give the command again to go on.')
  } finally {
    forget?.()
  }
}

/** Counts chats, and shows on `err` how many are done. */
const openCount = (io: Io) => {
  const line = progressLine(io)
  const everyMs = io.width === undefined ? 5000 : 100
  const total = { chats: 0, threads: 0, events: 0, postings: 0 }
  let shownAt = io.now()
  return {
    add: ({ threads, events, postings }: Erased) => {
      total.chats += 1
      total.threads += threads
      total.events += events
      total.postings += postings
      if (io.now() - shownAt < everyMs) return
      shownAt = io.now()
      line.show(`${counted(total.chats, 'chat')} erased, ${inWords(total)}`)
    },
    clear: line.clear,
    sum: () => total,
  }
}
