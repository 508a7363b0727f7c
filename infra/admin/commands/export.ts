import * as z from 'zod/mini'
import { CustomerId, LicenseId } from '../cli/account-fields.ts'
import { verb } from '../cli/command.ts'
import { refusal, requireLicense } from '../cli/obstacles.ts'
import { warn } from '../cli/output.ts'
import { argument, option } from '../cli/parameters.ts'
import { customerRecords, licenseRecords } from '../data/export-license.ts'
import { inWords, writeRecords } from '../data/write-records.ts'

const out = option(
  '--out <file>',
  'where to; it must not exist yet. By default standard output',
  z.string().check(z.minLength(1)),
)

const notes = `A record a line, as JSON: the first says of what it is, and the last, { "record": "end" }, how many there were of each kind.
Without that line it is not complete. With --out the file has its name once it is. docs/data.md says what is in it.`

export const exportCustomer = verb({
  about: 'Writes out all that is stored of a customer.',
  input: z.object({ license: argument(LicenseId), customer: argument(CustomerId), out }),
  notes,
  examples: ['customer export acme 5f1c0a7e --out c.jsonl'],
  isPiped: true,
  run: async (input, { table, io }) => {
    const { license, customer } = input
    const of = { license_id: license, customer_id: customer }
    const counts = await writeRecords(io, input.out, of, customerRecords(table.read, license, customer))
    if (counts === undefined) throw refusal(input, { outcome: 'no_customer' })
    warn(io, `Exported customer ${customer} of license ${license}: ${inWords(counts)}.`)
  },
})

export const exportLicense = verb({
  about: 'Writes out all that is stored of a license.',
  input: z.object({ license: argument(LicenseId), out }),
  notes: `${notes}

It reads the whole table once, for customers without a chat.`,
  examples: ['license export acme --out acme.jsonl'],
  isPiped: true,
  run: async (input, { table, scan, io }) => {
    const { license } = input
    const records = licenseRecords(table.read, scan, await requireLicense(table, license))
    const counts = await writeRecords(io, input.out, { license_id: license }, records)
    if (counts === undefined) throw refusal(input, { outcome: 'no_license' })
    warn(io, `Exported license ${license}: ${inWords(counts)}.`)
  },
})
