import { AdminError } from '../../../shared/provisioning/admin-error.ts'

export const noLicense = (license: string): AdminError =>
  new AdminError(`There is no license ${license}. See license list, or make it with license create.`)

export const noCustomer = (license: string, customer: string): AdminError =>
  new AdminError(`License ${license} has no customer ${customer}. See customer list ${license}.`)

export const noGroup = (license: string, group: number): AdminError =>
  new AdminError(
    `License ${license} has no group ${group}. See group list ${license}, or make it with group create.`,
  )
