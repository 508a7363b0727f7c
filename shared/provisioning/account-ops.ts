import { type Key, keys } from '../table/keys.ts'
import type { Attributes, Op } from '../table/ops.ts'
import { absent, and, check, exists, is, lacks, or, put, remove, update } from '../table/update.ts'

/**
 * Sets and removes just these attributes of an item, and raises its version, if it still is the one that was
 * read.
 */
export const changed = (key: Key, version: number, set: Attributes, remove: readonly string[] = []): Op =>
  update(key, { set: { ...set, version: version + 1 }, remove, when: is({ version }) })

/** Puts an item whose key is free. */
export const added = (key: Key, attributes: Attributes): Op => put(key, attributes, absent())

export const licenseExists = (license: string): Op => check(keys.license(license), exists())

/** The license exists, and never had a group of this id that was deleted. */
export const groupIdUnused = (license: string, group: number): Op =>
  check(keys.license(license), and(exists(), lacks('deleted_groups', group)))

/**
 * The group exists and gets a member: raising its version makes a delete that did not see the member start
 * over. Costs as much as a check that it exists.
 */
export const groupJoined = (license: string, group: number): Op =>
  update(keys.group(license, group), { add: { version: 1 }, when: exists() })

export const groupDeleted = (license: string, group: number, version: number): Op =>
  remove(keys.group(license, group), is({ version }))

/** Takes the identity from this agent, and from no other. */
export const identityDeleted = (
  { issuer, subject }: { issuer: string; subject: string },
  { license_id, id }: { license_id: string; id: string },
): Op => remove(keys.identity(issuer, subject), or(absent(), is({ license_id, agent_id: id })))
