import { Aws, CfnOutput, Duration, RemovalPolicy, Validations } from 'aws-cdk-lib'
import { AccountRecovery, FeaturePlan, Mfa, ResourceServerScope, UserPool } from 'aws-cdk-lib/aws-cognito'
import { Construct } from 'constructs'
import { tokenScopes } from '../../shared/protocol/action.ts'
import { SettingsError, type StackSettings } from './stack-settings.ts'

/** Whose tokens `login` believes. */
export interface TokenIssuer {
  readonly issuer: string
  /** `aud` of a token; with Cognito, its `client_id`. */
  readonly audience: string
  readonly jwksUrl: string
  /** Whose scopes count, where the stack has made it. */
  readonly resourceServer?: string | undefined
}

/** The resource server of the stack's own pool, whose scopes its clients get. */
const resourceServer = 'agent-chat'

/** The issuer of the settings; without one, a user pool of the stack's own. */
export const tokenIssuer = (scope: Construct, settings: StackSettings): TokenIssuer => {
  const { issuer, audience, jwksUrl, botDomain } = settings
  if (issuer !== undefined && botDomain !== undefined)
    throw new SettingsError(
      "-c botDomain= is for the stack's own user pool: the bots of an issuer of your own get their tokens there.",
    )
  if (botDomain !== undefined && settings.resourceServer !== undefined)
    throw new SettingsError(
      `-c botDomain= makes the resource server ${resourceServer}, whose scopes count then: leave -c resourceServer= out.`,
    )
  if (issuer !== undefined && audience !== undefined && jwksUrl !== undefined)
    return { issuer, audience, jwksUrl }
  const missing = Object.entries({ issuer, audience, jwksUrl }).flatMap(([name, value]) =>
    value === undefined ? [name] : [],
  )
  if (missing.length < 3)
    throw new SettingsError(
      `A token issuer needs all of -c issuer=, -c audience= and -c jwksUrl= (missing: ${missing.join(', ')}); ` +
        'give all three, or none to have a Cognito user pool made.',
    )
  return new CognitoIssuer(scope, 'Agents', settings)
}

const passwordPolicy = {
  minLength: 12,
  requireLowercase: true,
  requireUppercase: true,
  requireDigits: true,
  requireSymbols: true,
  tempPasswordValidity: Duration.days(3),
}

/** A user pool whose people the provisioning makes: nobody signs up. */
class CognitoIssuer extends Construct implements TokenIssuer {
  readonly issuer: string
  readonly audience: string
  readonly jwksUrl: string
  readonly resourceServer: string | undefined

  constructor(
    scope: Construct,
    id: string,
    { retain, botDomain }: Pick<StackSettings, 'retain' | 'botDomain'>,
  ) {
    super(scope, id)
    const pool = new UserPool(this, 'Pool', {
      selfSignUpEnabled: false,
      signInAliases: { email: true },
      signInCaseSensitive: false,
      accountRecovery: AccountRecovery.EMAIL_ONLY,
      passwordPolicy,
      mfa: Mfa.OPTIONAL,
      mfaSecondFactor: { otp: true, sms: false },
      featurePlan: FeaturePlan.ESSENTIALS,
      deletionProtection: retain,
      removalPolicy: retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    // SRP for apps: the password never leaves the device. The admin flow for people with AWS credentials, so
    // that a fresh deployment gives a token with one AWS CLI command. No hosted page, so no OAuth.
    const client = pool.addClient('App', {
      authFlows: { userSrp: true, adminUserPassword: true },
      disableOAuth: true,
      generateSecret: false,
      preventUserExistenceErrors: true,
      enableTokenRevocation: true,
      accessTokenValidity: Duration.hours(1),
      idTokenValidity: Duration.hours(1),
      refreshTokenValidity: Duration.days(30),
    })
    Validations.of(pool).acknowledge(
      {
        id: 'AwsSolutions-COG2',
        reason:
          'A second factor is offered (TOTP) and left to each agent: a required one could not be set up by ' +
          'the one command that gives a fresh deployment its first token. Who must require it brings an issuer.',
      },
      {
        id: 'AwsSolutions-COG8',
        reason:
          'Threat protection of the Plus plan costs per active user and month, and matters where strangers sign ' +
          'up; here administrators make every user.',
      },
    )

    this.issuer = `https://cognito-idp.${Aws.REGION}.${Aws.URL_SUFFIX}/${pool.userPoolId}`
    this.audience = client.userPoolClientId
    this.jwksUrl = `${this.issuer}/.well-known/jwks.json`
    this.resourceServer = botDomain === undefined ? undefined : resourceServer
    if (botDomain !== undefined) letBotsIn(this, pool, botDomain)
    new CfnOutput(this, 'PoolId', {
      key: 'UserPoolId',
      value: pool.userPoolId,
      description: 'Where agents’ users are',
    })
    new CfnOutput(this, 'ClientId', {
      key: 'UserPoolClientId',
      value: client.userPoolClientId,
      description: 'What apps sign in with',
    })
  }
}

/**
 * Adds to the pool what a client needs to get a token for itself: Cognito gives one at a domain alone, and
 * for the scope of a resource server. Operators make the clients, so that no template has their secrets.
 */
const letBotsIn = (scope: Construct, pool: UserPool, domainPrefix: string): void => {
  const scopes = [
    // without a colon: it restricts nothing
    { scopeName: 'all', scopeDescription: 'Everything that the agent may do' },
    ...tokenScopes.map((scopeName) => ({ scopeName, scopeDescription: `The token scope ${scopeName}` })),
  ]
  pool.addResourceServer('Scopes', {
    identifier: resourceServer,
    scopes: scopes.map((one) => new ResourceServerScope(one)),
  })
  const domain = pool.addDomain('Domain', { cognitoDomain: { domainPrefix } })
  new CfnOutput(scope, 'BotTokens', {
    key: 'BotTokenUrl',
    value: `${domain.baseUrl()}/oauth2/token`,
    description: 'Where bots get their tokens',
  })
}
