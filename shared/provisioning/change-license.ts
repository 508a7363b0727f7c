import * as z from 'zod/mini'
import { LicenseItem } from '../table/accounts.ts'
import type { Table } from '../table/client.ts'
import { keys, licensesPk } from '../table/keys.ts'
import { exists, put, remove } from '../table/update.ts'
import { added, changed } from './account-ops.ts'
import { conflict, retryOnConflict, writeTogether } from './retries.ts'

const LicenseRecord = z.extend(LicenseItem, {
  /** Since when (ms) all of it is being erased. */
  erasing_at: z.optional(z.int()),
})
export type LicenseRecord = z.output<typeof LicenseRecord>

export async function findLicense(table: Table, id: string): Promise<LicenseRecord | undefined> {
  return z.optional(LicenseRecord).parse(await table.read.get(keys.license(id), { strong: true }))
}

export async function listLicenses(table: Table): Promise<LicenseRecord[]> {
  const listed = await table.read.query({ pk: licensesPk, strong: true })
  const ids = listed.map((row) => z.object({ id: z.string() }).parse(row).id)
  const found = await table.read.batchGet(ids.map(keys.license), { strong: true })
  return found.map((item) => LicenseRecord.parse(item)).toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

/** `expires_at` in unix seconds. `exists`: the license of that id, which stays as it is. */
type LicenseCreation =
  { outcome: 'created'; license: LicenseItem } | { outcome: 'exists'; license: LicenseItem }

export async function createLicense(
  table: Table,
  draft: Pick<LicenseItem, 'id' | 'plan' | 'expires_at'> & { created_at?: number },
): Promise<LicenseCreation> {
  const { id, plan, expires_at, created_at = Math.floor(Date.now() / 1000) } = draft
  const item = { id, plan, expires_at, created_at, version: 1 }
  return retryOnConflict<LicenseCreation>(async () => {
    const refused = await writeTogether<LicenseCreation>(table, [
      {
        op: added(keys.license(id), item),
        refused: (found) => (found ? { outcome: 'exists', license: LicenseItem.parse(found) } : conflict),
      },
      { op: put(keys.licenseListed(id), { id }), refused: () => conflict },
    ])
    return refused ?? { outcome: 'created', license: LicenseItem.parse(item) }
  })
}

type Changeable = Omit<LicenseItem, 'id' | 'version' | 'created_at'>
export type LicenseChanges = { [Name in keyof Changeable]?: Changeable[Name] | undefined }

type LicenseChange =
  | { outcome: 'changed'; license: LicenseItem }
  | { outcome: 'no_license' }
  | { outcome: 'being_erased' }
  /** As it would be: with chats archived before they are idle, or when. Nothing is written. */
  | { outcome: 'idle_too_late'; license: LicenseItem }

/** Sets what is given, and nothing else. */
export async function changeLicense(
  table: Table,
  id: string,
  wanted: LicenseChanges,
): Promise<LicenseChange> {
  return retryOnConflict<LicenseChange>(async () => {
    const license = await findLicense(table, id)
    if (license === undefined) return { outcome: 'no_license' }
    if (license.erasing_at !== undefined) return { outcome: 'being_erased' }
    const changes = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined))
    const changedTo = LicenseItem.parse({ ...license, ...changes, version: license.version + 1 })
    if (changedTo.archive_minutes <= changedTo.idle_minutes)
      return { outcome: 'idle_too_late', license: changedTo }
    const { done } = await table.write.write(changed(keys.license(id), license.version, changes))
    if (!done) return conflict
    return { outcome: 'changed', license: changedTo }
  })
}

type Erasing =
  { outcome: 'erasing' } | { outcome: 'no_license' } | { outcome: 'in_force'; license: LicenseItem }

/**
 * The license, which must be over, is being erased: it cannot be changed any more, and all its sessions end.
 */
export async function beginErasing(table: Table, id: string, nowMs: number): Promise<Erasing> {
  return retryOnConflict<Erasing>(async () => {
    const license = await findLicense(table, id)
    if (license === undefined) return { outcome: 'no_license' }
    if (license.expires_at * 1000 > nowMs) return { outcome: 'in_force', license }
    if (license.erasing_at !== undefined) return { outcome: 'erasing' }
    const { done } = await table.write.write(
      changed(keys.license(id), license.version, { erasing_at: nowMs }),
    )
    return done ? { outcome: 'erasing' } : conflict
  })
}

/** The license is gone; whatever else there is of it must be gone by then. */
export async function endErasing(table: Table, id: string): Promise<void> {
  await retryOnConflict<'gone'>(async () => {
    const refused = await writeTogether<'gone'>(table, [
      {
        op: remove(keys.license(id), exists('erasing_at')),
        refused: (found) => (found === undefined ? 'gone' : conflict),
      },
      { op: remove(keys.licenseListed(id)), refused: () => conflict },
    ])
    return refused ?? 'gone'
  })
}
