import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { settingsFrom } from '../../infra/stack-settings.ts'
import { app, bundleNames, bundles, synthesize } from './synthesized.ts'

const ours = synthesize()
const issuer = {
  issuer: 'https://id.example.com',
  audience: 'chat',
  jwksUrl: 'https://id.example.com/keys',
}
const theirs = synthesize({
  ...issuer,
  retain: 'false',
  memory: '512',
  logDays: '7',
  rate: '50',
  burst: '20',
  presenceGraceS: '5',
  customerStartChatRate: '1',
  customerSendEventRate: '2',
  customerOtherRate: '3',
  customerAddressFactor: '0',
  alarmEmail: 'night@example.com',
  gatewayLogs: 'keep',
  name: 'Second',
})
const only = ({ of }: Pick<typeof ours, 'of'>, type: string) => {
  const found = of(type)
  expect(found, type).toHaveLength(1)
  return found[0]![1]
}

describe('the table', () => {
  test('is one, on demand, with TTL, stream and point-in-time recovery', () => {
    const { Properties } = only(ours, 'AWS::DynamoDB::GlobalTable')
    expect(Properties).toEqual({
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
      StreamSpecification: { StreamViewType: 'NEW_AND_OLD_IMAGES' },
      Replicas: [
        {
          Region: { Ref: 'AWS::Region' },
          DeletionProtectionEnabled: true,
          PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
        },
      ],
    })
  })

  test('survives the stack and cannot be deleted, unless the settings say otherwise', () => {
    const kept = only(ours, 'AWS::DynamoDB::GlobalTable')
    const given = only(theirs, 'AWS::DynamoDB::GlobalTable')
    expect([kept.DeletionPolicy, given.DeletionPolicy]).toEqual(['Retain', 'Delete'])
    expect(given.Properties.Replicas[0].DeletionProtectionEnabled).toBe(false)
    expect(given.Properties.Replicas[0].PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled).toBe(
      true,
    )
  })
})

describe('the key of customers’ tokens', () => {
  test('is made by AWS alone, and outlives the stack unless the settings say otherwise', () => {
    const [kept, given] = [ours, theirs].map(({ customers }) =>
      only(customers, 'AWS::SecretsManager::Secret'),
    )
    const { GenerateSecretString, Description: _, ...rest } = kept!.Properties
    expect(GenerateSecretString).toEqual({ PasswordLength: 64, ExcludePunctuation: true })
    expect(rest).toEqual({})
    expect([kept!.DeletionPolicy, given!.DeletionPolicy]).toEqual(['Retain', 'Delete'])
  })
})

describe('tokens', () => {
  test('come from a pool of our own without sign-up where no issuer is given', () => {
    const pool = only(ours, 'AWS::Cognito::UserPool')
    expect(pool.DeletionPolicy).toBe('Retain')
    expect(pool.Properties).toMatchObject({
      AdminCreateUserConfig: { AllowAdminCreateUserOnly: true },
      DeletionProtection: 'ACTIVE',
      UsernameAttributes: ['email'],
      MfaConfiguration: 'OPTIONAL',
      Policies: { PasswordPolicy: { MinimumLength: 12, RequireSymbols: true, RequireNumbers: true } },
    })
    expect(only(ours, 'AWS::Cognito::UserPoolClient').Properties).toMatchObject({
      ExplicitAuthFlows: [
        'ALLOW_ADMIN_USER_PASSWORD_AUTH',
        'ALLOW_USER_SRP_AUTH',
        'ALLOW_REFRESH_TOKEN_AUTH',
      ],
      GenerateSecret: false,
      PreventUserExistenceErrors: 'ENABLED',
      EnableTokenRevocation: true,
      AllowedOAuthFlowsUserPoolClient: false,
    })
  })

  test('come from the given issuer, and then no pool is made', () => {
    expect(theirs.of('AWS::Cognito::UserPool')).toEqual([])
    expect(Object.keys(theirs.outputs)).not.toContain('UserPoolId')
    const [[, login] = []] = theirs
      .of('AWS::Lambda::Function')
      .filter(([id]) => id.startsWith('AgentApilogin'))
    expect(login?.Properties.Environment.Variables).toMatchObject({
      TOKEN_ISSUER: issuer.issuer,
      TOKEN_AUDIENCE: issuer.audience,
      TOKEN_JWKS_URL: issuer.jwksUrl,
    })
  })
})

describe('settings', () => {
  test('reach what they are about', () => {
    for (const stack of [theirs, theirs.customers]) {
      for (const [, { Properties }] of stack.of('AWS::Lambda::Function'))
        expect(Properties.MemorySize).toBe(512)
      for (const [, { Properties, DeletionPolicy }] of stack.of('AWS::Logs::LogGroup'))
        expect([Properties.RetentionInDays, DeletionPolicy]).toEqual([7, 'Delete'])
      expect(only(stack, 'AWS::ApiGatewayV2::Stage').Properties.DefaultRouteSettings).toEqual({
        ThrottlingRateLimit: 50,
        ThrottlingBurstLimit: 20,
      })
    }
    const [[, sendEvent] = []] = theirs.customers
      .of('AWS::Lambda::Function')
      .filter(([id]) => id.startsWith('CustomerApisendevent'))
    expect(sendEvent?.Properties.Environment.Variables).toMatchObject({
      RATE_START_CHAT: '1',
      RATE_SEND_EVENT: '2',
      RATE_OTHER: '3',
      RATE_ADDRESS_FACTOR: '0',
    })
    const [[, notify] = []] = theirs
      .of('AWS::Lambda::Function')
      .filter(([id]) => id.startsWith('Workersnotify'))
    expect(notify?.Properties.Environment.Variables.PRESENCE_GRACE_S).toBe('5')
    expect(theirs.stack.stackName).toBe('Second')
    expect([ours, theirs].map((stack) => stack.of('AWS::ApiGateway::Account').length)).toEqual([1, 0])
  })

  test.each([
    [{ issuer: issuer.issuer }, /all of .*\(missing: audience, jwksUrl\).*all three, or none/],
    [{ audience: 'a', jwksUrl: issuer.jwksUrl }, /missing: issuer/],
    [{ ...issuer, issuer: 'http://id.example.com' }, /-c issuer: must be an https:\/\/ address/],
    [{ retain: 'no' }, /-c retain: /],
    [{ memory: '64' }, /-c memory: /],
    [{ logDays: '8' }, /-c logDays: must be one that CloudWatch knows: 1, 3, 5, 7/],
    [{ alarmEmail: 'night' }, /-c alarmEmail: /],
    [{ fcmSecret: 'a secret' }, /-c fcmSecret: must be the name of a secret or its whole ARN/],
    [{ fcmSecret: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:fcm' }, /-c fcmSecret: /],
    [{ fcmSecret: 'arn:aws:s3:::bucket' }, /-c fcmSecret: /],
    [{ fcmSecret: '' }, /-c fcmSecret: /],
    [{ gatewayLogs: 'yes' }, /-c gatewayLogs: /],
    [{ customerStartChatRate: '-1' }, /-c customerStartChatRate: /],
    [
      { customerSendEventRate: '1.5', customerOtherRate: 'x' },
      /-c customerSendEventRate: .*; -c customerOtherRate: /,
    ],
    [{ customerAddressFactor: '10001' }, /-c customerAddressFactor: /],
    [{ rate: '0', burst: 'x' }, /-c rate: .*; -c burst: /],
    [{ dist: '/nowhere' }, /nowhere.*missing: run "npm run build" first/],
  ])('%j is refused with a sentence that says what to mend', (context, message) => {
    expect(() => synthesize(context)).toThrow(message)
  })

  test('are safe where nothing is said', () => {
    expect(settingsFrom(app().node)).toMatchObject({
      retain: true,
      memory: 1024,
      logDays: 30,
      presenceGraceS: 20,
      customerStartChatRate: 5,
      customerSendEventRate: 60,
      customerOtherRate: 120,
      customerAddressFactor: 20,
      gatewayLogs: 'set',
    })
  })
})

describe('the app', () => {
  test('synthesizes without AWS credentials, checks included', { tags: ['full'] }, () => {
    const out = mkdtempSync(join(tmpdir(), 'synth-'))
    const infra = join(import.meta.dirname, '../../infra/app.ts')
    const context = JSON.stringify({ ...app().node.getAllContext(), dist: bundles(bundleNames) })
    const environment = Object.entries(process.env).filter(([name]) => !/^(AWS|NODE_ENV|VITEST)/.test(name))
    execFileSync(process.execPath, [infra], {
      env: { ...Object.fromEntries(environment), CDK_OUTDIR: out, CDK_CONTEXT_JSON: context },
      stdio: 'pipe',
    })
    expect(existsSync(join(out, 'AgentChat.template.json'))).toBe(true)
    rmSync(out, { recursive: true })
  })
})
