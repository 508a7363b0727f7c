import {
  AdminCreateUserCommand,
  AdminDeleteUserCommand,
  CognitoIdentityProviderClient,
  InvalidParameterException,
  ResourceNotFoundException,
  UsernameExistsException,
} from '@aws-sdk/client-cognito-identity-provider'
import { AdminError } from '../../../shared/provisioning/admin-error.ts'

const regionOf = (pool: string): string => pool.slice(0, pool.indexOf('_'))

export const issuerOf = (pool: string): string => {
  const region = regionOf(pool)
  return `https://cognito-idp.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}/${pool}`
}

interface PoolUser {
  subject: string
  /** Takes the user just created away again. */
  remove(): Promise<void>
}

/** Creates the pool's user of an address. The pool mails it an invitation with a first password. */
export async function createPoolUser(
  pool: string,
  { email, name }: { email: string; name: string },
): Promise<PoolUser> {
  const client = new CognitoIdentityProviderClient({ region: regionOf(pool) })
  const command = new AdminCreateUserCommand({
    UserPoolId: pool,
    Username: email,
    DesiredDeliveryMediums: ['EMAIL'],
    UserAttributes: [
      { Name: 'email', Value: email },
      { Name: 'email_verified', Value: 'true' },
      { Name: 'name', Value: name },
    ],
  })
  const { User } = await client.send(command).catch((error: unknown) => {
    throw explained(error, pool, email)
  })
  const username = User?.Username ?? email
  const remove = async () => {
    await client
      .send(new AdminDeleteUserCommand({ UserPoolId: pool, Username: username }))
      .catch((error: unknown) => {
        throw new AdminError(
          `The user ${email} was created in the pool ${pool}, and could not be deleted again (${String(error)}). ` +
            `Delete it: aws cognito-idp admin-delete-user --user-pool-id ${pool} --username ${username}`,
        )
      })
  }
  const subject = User?.Attributes?.find(({ Name }) => Name === 'sub')?.Value
  if (subject !== undefined) return { subject, remove }
  await remove()
  throw new AdminError(`The pool ${pool} created ${email} without a sub. Nothing was written.`)
}

function explained(error: unknown, pool: string, email: string): unknown {
  if (error instanceof UsernameExistsException)
    return new AdminError(
      `The pool ${pool} already has a user ${email}. Add its sub with --subject <sub>; it is in the output of: ` +
        `aws cognito-idp admin-get-user --user-pool-id ${pool} --username ${email}`,
    )
  if (error instanceof ResourceNotFoundException)
    return new AdminError(`There is no user pool ${pool}. The stack's output names it.`)
  if (error instanceof InvalidParameterException)
    return new AdminError(`The pool ${pool} refuses the user ${email}: ${error.message}`)
  return error
}
