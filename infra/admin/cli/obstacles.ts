import { AdminError } from '../../../shared/provisioning/admin-error.ts'
import type { AgentObstacle } from '../../../shared/provisioning/change-agent.ts'
import { findLicense, type LicenseRecord } from '../../../shared/provisioning/change-license.ts'
import type { AgentItem, GroupItem, LicenseItem } from '../../../shared/table/accounts.ts'
import type { Table } from '../../../shared/table/client.ts'
import { isoTime, minutes } from './output.ts'

/** What a command was about. */
interface Subject {
  license: string
  agent?: string
  group?: number | undefined
  customer?: string
}

/** Why a command does not do what it was asked for: an outcome of the rules in `shared/provisioning`. */
type Obstacle =
  | AgentObstacle
  | {
      outcome:
        'no_agent' | 'deleted' | 'no_bot' | 'bot' | 'no_customer' | 'no_group' | 'id_used' | 'being_erased'
    }
  | { outcome: 'exists'; license: LicenseItem }
  | { outcome: 'exists'; group: GroupItem }
  | { outcome: 'has_agents'; agents: readonly AgentItem[] }
  | { outcome: 'idle_too_late' | 'in_force'; license: LicenseItem }

/** An error that says what is in the way, and how to go on. */
export const refusal = (of: Subject, obstacle: Obstacle): AdminError => new AdminError(sentence(of, obstacle))

/** The license, which must be there. */
export const requireLicense = async (table: Table, license: string): Promise<LicenseRecord> => {
  const found = await findLicense(table, license)
  if (found === undefined) throw refusal({ license }, { outcome: 'no_license' })
  return found
}

function sentence(of: Subject, obstacle: Obstacle): string {
  const { license, agent, group, customer } = of
  switch (obstacle.outcome) {
    case 'no_license':
      return `There is no license ${license}. See license list, or make it with license create.`
    case 'no_customer':
      return `License ${license} has no customer ${customer}. See customer list ${license}.`
    case 'no_agent':
      return `License ${license} has no agent ${agent}. See agent list ${license}.`
    case 'no_group': {
      const missing = 'group' in obstacle ? obstacle.group : group
      return `License ${license} has no group ${missing}. See group list ${license}, or make it with group create.`
    }
    case 'exists':
      return existing(license, obstacle)
    case 'id_used':
      return `Group ${group} of license ${license} was deleted, and chats may still name it. Choose another --id.`
    case 'deleted':
      return `Agent ${agent} of license ${license} is deleted, and stays so. Create another one.`
    case 'no_bot':
      return `Agent ${agent} of license ${license} is a person, and people have no --priority: routing asks them by load.`
    case 'bot':
      return `Agent ${agent} of license ${license} is a bot, and has no --status after login: it sets its own with update_agent.`
    case 'subject_taken': {
      const { identity, by } = obstacle
      return (
        `The subject ${identity.subject} of ${identity.issuer} logs in as agent ${by.agent_id} of license ${by.license_id}. ` +
        'Give another --subject: one logs in as one agent only.'
      )
    }
    case 'has_agents':
      return (
        `Group ${group} of license ${license} is not empty: ${someOf(obstacle.agents.map(({ id }) => id))}. ` +
        'Move them with agent set, or take them out of it with --force.'
      )
    case 'idle_too_late': {
      const { archive_minutes, idle_minutes } = obstacle.license
      return (
        `Chats would be archived after ${minutes(archive_minutes)} and idle after ${minutes(idle_minutes)}. ` +
        'Set --archive-minutes to more than --idle-minutes.'
      )
    }
    case 'in_force':
      return `License ${license} is valid until ${isoTime(obstacle.license.expires_at)}. End it first: license set ${license} --expires with a time that has passed.`
    case 'being_erased':
      return `License ${license} is being erased. Give license erase ${license} again to go on with it.`
  }
}

function existing(license: string, obstacle: Extract<Obstacle, { outcome: 'exists' }>): string {
  if ('license' in obstacle)
    return `License ${license} exists. Choose another --id, or change it with license set.`
  if ('group' in obstacle) {
    const { id, name } = obstacle.group
    return `Group ${id} of license ${license} exists: ${name}. Choose another --id.`
  }
  const { id, name, deleted } = obstacle.agent
  return deleted
    ? `Agent id ${id} of license ${license} was that of ${name}, who is deleted. Choose another --id.`
    : `Agent ${id} of license ${license} exists: ${name}. Choose another --id, or change it with agent set.`
}

const shown = 20
/** Ids in a row, the first of them where they are many. */
export const someOf = (ids: readonly string[]): string =>
  ids.slice(0, shown).join(', ') + (ids.length > shown ? ` and ${ids.length - shown} more` : '')
