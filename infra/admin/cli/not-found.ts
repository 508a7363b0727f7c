import { AdminError } from './admin-error.ts'

export const noLicense = (license: string): AdminError =>
  new AdminError(`There is no license ${license}. See license list, or make it with license create.`)

export const noCustomer = (license: string, customer: string): AdminError =>
  new AdminError(`License ${license} has no customer ${customer}. See customer list ${license}.`)
