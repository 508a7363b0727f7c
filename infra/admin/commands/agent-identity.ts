import * as z from 'zod/mini'
import type { Identity } from '../../../shared/provisioning/change-agent.ts'
import { Issuer, Subject, UserPoolId } from '../cli/account-fields.ts'
import { option, rule } from '../cli/parameters.ts'
import type { Target } from '../cli/target.ts'
import { issuerOf } from '../cli/user-pool.ts'

// Who logs in as an agent, as options say it.

export const identityOptions = (subjectHelp: string, userPoolHelp: string) => ({
  subject: option('--subject <sub>', subjectHelp, Subject),
  issuer: option(
    '--issuer <issuer>',
    "the tokens' iss, where it is not the local stack's or a user pool's",
    Issuer,
  ),
  userPool: option('--user-pool <id>', userPoolHelp, UserPoolId),
  table: z.optional(z.string()),
})

interface IdentityInput {
  subject?: string | undefined
  issuer?: string | undefined
  userPool?: string | undefined
  table?: string | undefined
}

export const identityRules = [
  rule<IdentityInput>(
    'userPool',
    ({ userPool, table }) => userPool === undefined || table !== undefined,
    'A user pool belongs to a deployed stack: name its table with --table',
  ),
  rule<IdentityInput>(
    'issuer',
    ({ userPool, issuer }) => userPool === undefined || issuer === undefined,
    'The user pool is the issuer: leave one of the two out',
  ),
  rule<IdentityInput>(
    'subject',
    ({ table, subject, issuer, userPool }) =>
      table === undefined || subject === undefined || issuer !== undefined || userPool !== undefined,
    'Whose subject is it? Add --issuer <issuer> or --user-pool <id>',
  ),
  rule<IdentityInput>(
    'issuer',
    ({ issuer, subject }) => issuer === undefined || subject !== undefined,
    'Which subject of it? Add --subject <sub>',
  ),
] as const

/**
 * The identity of a subject that was given: its issuer is the one given, the pool's, or the local stack's.
 */
export function identityOf(subject: string, { issuer, userPool }: IdentityInput, target: Target): Identity {
  if (userPool !== undefined) return { issuer: issuerOf(userPool), subject }
  if (issuer !== undefined) return { issuer, subject }
  if (target.place === 'local') return { issuer: target.issuer, subject }
  throw new Error('A deployed table has no issuer of its own')
}
