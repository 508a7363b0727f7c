import { AdminError } from '../../../shared/provisioning/admin-error.ts'
import type { AgentObstacle } from '../../../shared/provisioning/change-agent.ts'
import { noGroup, noLicense } from './not-found.ts'

export const noAgent = (license: string, agent: string): AdminError =>
  new AdminError(`License ${license} has no agent ${agent}. See agent list ${license}.`)

export const isDeleted = (license: string, agent: string): AdminError =>
  new AdminError(`Agent ${agent} of license ${license} is deleted, and stays so. Create another one.`)

export function obstacleError(license: string, obstacle: AgentObstacle): AdminError {
  switch (obstacle.outcome) {
    case 'no_license':
      return noLicense(license)
    case 'no_group':
      return noGroup(license, obstacle.group)
    case 'exists': {
      const { id, name, deleted } = obstacle.agent
      return deleted
        ? new AdminError(
            `Agent id ${id} of license ${license} was that of ${name}, who is deleted. Choose another --id.`,
          )
        : new AdminError(
            `Agent ${id} of license ${license} exists: ${name}. Choose another --id, or change it with agent set.`,
          )
    }
    case 'subject_taken': {
      const { identity, by } = obstacle
      return new AdminError(
        `The subject ${identity.subject} of ${identity.issuer} logs in as agent ${by.agent_id} of license ${by.license_id}. ` +
          'Give another --subject: one logs in as one agent only.',
      )
    }
  }
}
