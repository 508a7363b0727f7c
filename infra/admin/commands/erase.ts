import { setTimeout as wait } from 'node:timers/promises'
import * as z from 'zod/mini'
import { AdminError } from '../../../shared/provisioning/admin-error.ts'
import { beginErasing, endErasing } from '../../../shared/provisioning/change-license.ts'
import { customerChatId } from '../../../shared/table/ids.ts'
import { CustomerId, LicenseId } from '../cli/account-fields.ts'
import { verb } from '../cli/command.ts'
import { interruptibly } from '../cli/interrupt.ts'
import { refusal, requireLicense } from '../cli/obstacles.ts'
import { type Answer, counted, duration, type Io, warn } from '../cli/output.ts'
import { argument, flag } from '../cli/parameters.ts'
import { openProgress } from '../cli/progress.ts'
import { eraseChat, type Erased } from '../data/erase-chat.ts'
import { eraseRest, lockCustomer } from '../data/erase-customer.ts'
import { eraseChats, eraseOthers, lockLicense, type Run } from '../data/erase-license.ts'
import { openAccess, withRetries } from '../data/retries.ts'

/**
 * What may be under way on a chat, or as a customer, when these are taken away, has ended by then: the clock
 * has 60 s, and nothing has longer.
 */
const underWayMs = 65_000

const kept =
  'Point-in-time backups keep what was erased for 35 days, and the stream for a day; backups made on demand keep it until they are deleted.'

const options = {
  yes: flag('--yes', 'erase it without asking'),
  json: flag('--json', 'print what came of it as JSON'),
}

export const eraseCustomer = verb({
  about: 'Erases all that is stored of a customer, for good, while all goes on.',
  input: z.object({ license: argument(LicenseId), customer: argument(CustomerId), ...options }),
  notes: `Its tabs are closed, and its active thread, of which agents are told. Its id is kept for a year, and nothing else: until the
last of its tokens has run out, nobody becomes this customer again. It takes some seconds over a minute. A run that was stopped
goes on when the command is given again.

${kept}`,
  examples: [
    'customer erase acme 5f1c0a7e',
    'customer erase acme 5f1c0a7e --yes --table agent-chat --region eu-west-1',
  ],
  run: async ({ license, customer, yes }, { table, within, io }) => {
    await confirm(io, yes, `customer ${customer} of license ${license}`, customer)
    return resumably(io, async (stopped) => {
      const { index_texts: texts } = await requireLicense(table, license)
      const locked = await lockCustomer(table, license, customer, io.now)
      if (locked === undefined) throw refusal({ license, customer }, { outcome: 'no_customer' })
      await settle(io, locked.erasedAt + underWayMs, stopped)
      const of = { license, id: customerChatId(license, customer), texts }
      const access = openAccess(within, io.now)
      const erased = await withRetries(access, (ctx) => eraseChat(ctx, of), { stopped })
      await withRetries(access, (ctx) => eraseRest(ctx, license, customer), { stopped })
      const erased_at = Math.floor(locked.erasedAt / 1000)
      return {
        json: { license_id: license, customer_id: customer, erased_at, ...erased },
        lines: [`Erased customer ${customer} of license ${license}: ${inWords(erased)}.`, kept],
      }
    })
  },
})

export const eraseLicense = verb({
  about: 'Erases a license that has expired, with all that is stored of it, for good.',
  input: z.object({ license: argument(LicenseId), ...options }),
  notes: `End it first, and think it over: license set acme --expires 2026-01-31. Whoever is logged in is logged out by that. It reads
the whole table three times: for customers without a chat, for what no list leads to, and once more to find nothing. A run that
was stopped goes on when the command is given again. How far it is goes to standard error.

${kept}`,
  examples: ['license erase acme', 'license erase acme --yes --table agent-chat --region eu-west-1'],
  run: async ({ license, yes }, { table, within, scan, io }) => {
    const item = await requireLicense(table, license)
    if (item.expires_at * 1000 > io.now()) throw refusal({ license }, { outcome: 'in_force', license: item })
    await confirm(io, yes, `license ${license} with all that is stored of it`, license)
    return resumably(io, async (stopped) => {
      const begun = await beginErasing(table, license, io.now())
      if (begun.outcome !== 'erasing') throw refusal({ license }, begun)
      const run: Run = { ...openAccess(within, io.now), license, scan, stopped }
      await lockLicense(run)
      await settle(io, io.now() + underWayMs, stopped)
      const count = openCount(io)
      await eraseChats(run, item.index_texts, count.add)
      count.clear()
      const others = await eraseOthers(run, item.index_texts)
      await endErasing(table, license)
      const erased = count.sum()
      const of = `${counted(others.agents, 'agent')}, ${counted(others.customers, 'customer')}, ${counted(erased.chats, 'chat')}`
      return {
        json: { license_id: license, ...others, ...erased },
        lines: [`Erased license ${license}: ${of}, ${inWords(erased)}.`, kept],
      }
    })
  },
})

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
const resumably = (io: Io, run: (stopped: AbortSignal) => Promise<Answer>): Promise<Answer> =>
  interruptibly(io, (stopped) =>
    run(stopped).catch((error: unknown) => {
      throw stopped.aborted ? new AdminError('Stopped. Give the command again to go on.') : error
    }),
  )

/** Counts chats, and shows on `err` how many are done. */
const openCount = (io: Io) => {
  const progress = openProgress(io)
  const total = { chats: 0, threads: 0, events: 0, postings: 0 }
  return {
    add: ({ threads, events, postings }: Erased) => {
      total.chats += 1
      total.threads += threads
      total.events += events
      total.postings += postings
      progress.show(() => `${counted(total.chats, 'chat')} erased, ${inWords(total)}`)
    },
    clear: progress.clear,
    sum: () => total,
  }
}
