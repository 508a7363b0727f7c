import { Option } from 'commander'
import * as z from 'zod/mini'
import type { Identity } from '../../../shared/provisioning/change-agent.ts'
import { Issuer, Subject, UserPoolId } from './account-fields.ts'
import type { Target } from './target.ts'
import { issuerOf } from './user-pool.ts'

// Who logs in as an agent, as options say it.

export const identityOptions = (subjectHelp: string, userPoolHelp: string): Option[] => [
  new Option('--subject <sub>', subjectHelp),
  new Option('--issuer <issuer>', "the tokens' iss, where it is not the local stack's or a user pool's"),
  new Option('--user-pool <id>', userPoolHelp),
]

export const identityFields = {
  subject: z.optional(Subject),
  issuer: z.optional(Issuer),
  userPool: z.optional(UserPoolId),
  table: z.optional(z.string()),
}

interface IdentityInput {
  subject?: string | undefined
  issuer?: string | undefined
  userPool?: string | undefined
  table?: string | undefined
}

export const poolHasTable = z.refine<IdentityInput>(
  ({ userPool, table }) => userPool === undefined || table !== undefined,
  { error: 'A user pool belongs to a deployed stack: name its table with --table', path: ['userPool'] },
)
export const oneIssuer = z.refine<IdentityInput>(
  ({ userPool, issuer }) => userPool === undefined || issuer === undefined,
  { error: 'The user pool is the issuer: leave one of the two out', path: ['issuer'] },
)
export const subjectHasIssuer = z.refine<IdentityInput>(
  ({ table, subject, issuer, userPool }) =>
    table === undefined || subject === undefined || issuer !== undefined || userPool !== undefined,
  { error: 'Whose subject is it? Add --issuer <issuer> or --user-pool <id>', path: ['subject'] },
)
export const issuerHasSubject = z.refine<IdentityInput>(
  ({ issuer, subject }) => issuer === undefined || subject !== undefined,
  { error: 'Which subject of it? Add --subject <sub>', path: ['issuer'] },
)

/**
 * The identity of a subject that was given: its issuer is the one given, the pool's, or the local stack's.
 */
export function identityOf(subject: string, { issuer, userPool }: IdentityInput, target: Target): Identity {
  if (userPool !== undefined) return { issuer: issuerOf(userPool), subject }
  if (issuer !== undefined) return { issuer, subject }
  if (target.place === 'local') return { issuer: target.issuer, subject }
  throw new Error('A deployed table has no issuer of its own')
}
