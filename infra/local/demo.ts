import type { Permission } from '../../shared/protocol/objects.ts'
import { createAgent } from '../../shared/provisioning/change-agent.ts'
import { createGroup } from '../../shared/provisioning/change-group.ts'
import { changeLicense, createLicense } from '../../shared/provisioning/change-license.ts'
import type { Table } from '../../shared/table/client.ts'
import { mintToken, type TokenKey } from './secrets/token-key.ts'

const license = 'demo'
const groups = ['Support', 'Sales']
const people: { id: string; name: string; permission: Permission; groups: number[] }[] = [
  { id: 'olivia', name: 'Olivia', permission: 'owner', groups: [] },
  { id: 'adam', name: 'Adam', permission: 'administrator', groups: [1, 2] },
  { id: 'nora', name: 'Nora', permission: 'normal', groups: [1] },
  { id: 'noah', name: 'Noah', permission: 'normal', groups: [2] },
  { id: 'nina', name: 'Nina', permission: 'normal', groups: [] },
]

const year = 365 * 24 * 3600

export interface Demo {
  license_id: string
  agents: { id: string; token: string; permission: Permission }[]
}

/** A license to try things with, made where it is missing, and fresh tokens for its agents. */
export const openDemo = async (
  table: Table,
  tokens: { key: TokenKey; issuer: string; audience: string },
  /** Whether events go out of it. */
  { events = false } = {},
): Promise<Demo> => {
  const nowS = Math.floor(Date.now() / 1000)
  await createLicense(table, { id: license, plan: 'enterprise', expires_at: nowS + 10 * year })
  if (events) await changeLicense(table, license, { events })
  for (const [index, name] of groups.entries())
    await createGroup(table, { license_id: license, id: index + 1, name })
  const agents = await Promise.all(
    people.map(async ({ id, name, permission, groups: group_ids }) => {
      const subject = `${license}/${id}`
      const identity = { issuer: tokens.issuer, subject }
      await createAgent(table, { license_id: license, id, name, permission, groups: group_ids, identity })
      return { id, token: await mintToken({ ...tokens, subject, expiresInS: year }), permission }
    }),
  )
  return { license_id: license, agents }
}
