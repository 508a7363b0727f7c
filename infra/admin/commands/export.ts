import type { Command } from 'commander'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import * as z from 'zod/mini'
import { stringifyJson } from '../../../shared/protocol/json.ts'
import { AdminError } from '../../../shared/provisioning/admin-error.ts'
import { findLicense } from '../../../shared/provisioning/change-license.ts'
import { CustomerId, LicenseId } from '../cli/account-fields.ts'
import { action } from '../cli/command.ts'
import { noCustomer, noLicense } from '../cli/not-found.ts'
import { type Io, progressLine, warn } from '../cli/output.ts'
import { exportCustomer, exportLicense } from '../data/export-license.ts'
import type { ExportRecord } from '../data/export-records.ts'
import { counted } from '../data/reindex-progress.ts'

const out = ['--out <file>', 'where to; it must not exist yet. By default standard output'] as const
const File = z.optional(z.string().check(z.minLength(1)))

const help = (examples: string) => `
A record a line, as JSON: the first says of what it is, and the last, { "record": "end" }, how many there were of each kind.
Without that line it is not complete. With --out the file has its name once it is. docs/data.md says what is in it.

${examples}`

export function addCustomerExport(customer: Command, io: Io): void {
  action(
    customer
      .command('export')
      .description('Writes out all that is stored of a customer.')
      .argument('<license>')
      .argument('<customer>')
      .option(...out)
      .addHelpText(
        'after',
        help('Example:\n  npm run -s admin -- customer export acme 5f1c0a7e --out c.jsonl'),
      ),
    io,
    z.object({ license: LicenseId, customer: CustomerId, out: File }),
    async (input, { table }) => {
      const { license, customer } = input
      const records = exportCustomer(table.read, license, customer)
      const of = { license_id: license, customer_id: customer }
      const { done } = await writeOut(io, input.out, of, records, () => noCustomer(license, customer))
      warn(io, `Exported customer ${customer} of license ${license}: ${done}.`)
    },
  )
}

export function addLicenseExport(license: Command, io: Io): void {
  action(
    license
      .command('export')
      .description('Writes out all that is stored of a license.')
      .argument('<license>')
      .option(...out)
      .addHelpText(
        'after',
        help('Example:\n  npm run -s admin -- license export acme --out acme.jsonl') +
          '\n\nIt reads the whole table once, for customers without a chat.',
      ),
    io,
    z.object({ license: LicenseId, out: File }),
    async (input, { table, scan }) => {
      const found = await findLicense(table, input.license)
      if (found === undefined) throw noLicense(input.license)
      const records = exportLicense(table.read, scan, found)
      const of = { license_id: found.id }
      const { done } = await writeOut(io, input.out, of, records, () => noLicense(found.id))
      warn(io, `Exported license ${found.id}: ${done}.`)
    },
  )
}

/** Where lines go to. `end`: all are written; `drop`: not all will be. */
interface Sink {
  line(text: string): Promise<void>
  end(): Promise<void>
  drop(): Promise<void>
}

const writeOut = async (
  io: Io,
  file: string | undefined,
  of: Record<string, string>,
  records: AsyncIterable<ExportRecord>,
  none: () => AdminError,
): Promise<{ done: string }> => {
  const counts = new Map<string, number>()
  const progress = progressLine(io)
  const everyMs = io.width === undefined ? 5000 : 100
  let shownAt = io.now()
  let sink: Sink | undefined
  try {
    for await (const record of records) {
      sink ??= await openSink(io, file, of)
      await sink.line(stringifyJson(record))
      counts.set(record.record, (counts.get(record.record) ?? 0) + 1)
      if (io.now() - shownAt < everyMs) continue
      shownAt = io.now()
      progress.show(inWords(counts))
    }
    if (sink === undefined) throw none()
    await sink.line(JSON.stringify({ record: 'end', counts: Object.fromEntries(counts) }))
    await sink.end()
  } catch (error) {
    await sink?.drop()
    throw error
  } finally {
    progress.clear()
  }
  return { done: inWords(counts) }
}

const inWords = (counts: ReadonlyMap<string, number>): string =>
  [...counts].map(([record, count]) => counted(count, record)).join(', ')

const openSink = async (io: Io, file: string | undefined, of: Record<string, string>): Promise<Sink> => {
  const sink = file === undefined ? toOut(io) : await toFile(file)
  await sink.line(
    JSON.stringify({ record: 'export', format: 1, ...of, exported_at: new Date(io.now()).toISOString() }),
  )
  return sink
}

const toOut = (io: Io): Sink => ({
  line: async (text) => {
    io.out(`${text}\n`)
    await io.drained?.()
  },
  end: async () => {},
  drop: async () => {},
})

/** A file that has its name once it is complete; for its owner's eyes only. */
const toFile = async (file: string): Promise<Sink> => {
  const exists = new AdminError(`${file} exists. Choose another --out.`)
  const isThere = async () =>
    open(file).then(
      async (found) => {
        await found.close()
        return true
      },
      () => false,
    )
  if (await isThere()) throw exists
  const partial = `${file}.partial`
  const handle = await openNew(partial)
  return {
    line: async (text) => void (await handle.write(`${text}\n`)),
    end: async () => {
      await handle.sync()
      await handle.close()
      if (await isThere()) throw exists
      await rename(partial, file)
    },
    drop: async () => {
      await handle.close().catch(() => {})
      await rm(partial, { force: true })
    },
  }
}

const openNew = async (file: string): Promise<FileHandle> => {
  // what a run that was killed has left
  await rm(file, { force: true })
  try {
    return await open(file, 'wx', 0o600)
  } catch (error) {
    throw new AdminError(
      `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}
