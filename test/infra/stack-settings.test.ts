import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { settingsFrom } from '../../infra/stack/stack-settings.ts'
import { bulkheadOf, laterAtOnce, throttleOf } from '../../infra/stack/throttles.ts'
import { compileCache } from '../support/compile-cache.ts'
import { allowed, app, bundleNames, bundles, findings, synthesize } from './synthesized.ts'

const ours = synthesize()
const issuer = {
  issuer: 'https://id.example.com',
  audience: 'chat',
  jwksUrl: 'https://id.example.com/keys',
}
const kmsKey = 'arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab'
const proxySecret = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:chat/proxy-AbC123'
const theirs = synthesize({
  ...issuer,
  accountConcurrency: '4000',
  reserveConcurrency: 'true',
  proxySecret,
  kmsKey,
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
    }
    expect(only(theirs, 'AWS::ApiGatewayV2::Stage').Properties.DefaultRouteSettings).toEqual({
      ThrottlingRateLimit: 50,
      ThrottlingBurstLimit: 20,
    })
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
    [{ retain: 'no' }, /-c retain: must be true or false$/],
    [{ reserveConcurrency: '1' }, /-c reserveConcurrency: must be true or false$/],
    [{ memory: '64' }, /-c memory: must be a whole number from 128 to 10240$/],
    // no limit at all is asked for in so many words
    [{ customerOtherRate: '' }, /-c customerOtherRate: must be a whole number from 0 to 10000$/],
    [{ burst: '1e3' }, /-c burst: must be a whole number from 1 to 1000000$/],
    [{ memory: 512.5 }, /-c memory: must be a whole number from 128 to 10240$/],
    [{ rate: '-1' }, /-c rate: must be a number above 0$/],
    [{ name: 'My Stack' }, /-c name: must be up to 64 letters, digits and hyphens, a letter first$/],
    [{ name: 5 }, /-c name: must be up to 64 letters/],
    [{ ...issuer, audience: '' }, /-c audience: must not be empty$/],
    [{ tokenType: 'id' }, /-c tokenType: must be access or any$/],
    [{ resourceServer: 'a b' }, /-c resourceServer: must be the identifier of a resource server$/],
    [{ logDays: '' }, /-c logDays: must be one that CloudWatch knows: 1, 3, 5, 7/],
    [{ dist: '' }, /-c dist: must be a folder$/],
    [{ kmskey: kmsKey }, /-c kmskey: is no setting; did you mean kmsKey\?$/],
    [{ 'alarm-mail': 'a@b.example', memry: '512' }, /-c alarm-mail: .* alarmEmail\?; -c memry: .* memory\?$/],
    [{ constructor: 'x' }, /-c constructor: is no setting; did you mean /],
    [{ logDays: '8' }, /-c logDays: must be one that CloudWatch knows: 1, 3, 5, 7/],
    [{ alarmEmail: 'night' }, /-c alarmEmail: must be an e-mail address$/],
    [{ fcmSecret: 'a secret' }, /-c fcmSecret: must be the name of a secret or its whole ARN/],
    [{ fcmSecret: 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:fcm' }, /-c fcmSecret: /],
    [{ fcmSecret: 'arn:aws:s3:::bucket' }, /-c fcmSecret: /],
    [{ fcmSecret: '' }, /-c fcmSecret: /],
    [{ gatewayLogs: 'yes' }, /-c gatewayLogs: must be set or keep$/],
    [{ customerStartChatRate: '-1' }, /-c customerStartChatRate: /],
    [
      { customerSendEventRate: '1.5', customerOtherRate: 'x' },
      /-c customerSendEventRate: .*; -c customerOtherRate: /,
    ],
    [{ customerAddressFactor: '10001' }, /-c customerAddressFactor: /],
    [{ accountConcurrency: '9' }, /-c accountConcurrency: /],
    [
      { accountConcurrency: '10', reserveConcurrency: 'true' },
      /-c reserveConcurrency: would reserve 48 of the 10 functions .* keeps 100 unreserved: leave it out, or ask AWS/,
    ],
    [{ proxySecret: 'a secret' }, /-c proxySecret: must be the name of a secret or its whole ARN/],
    [{ proxyAddressHeader: 'X Client' }, /-c proxyAddressHeader: must be the name of a header/],
    [{ kmsKey: 'alias/chat' }, /-c kmsKey: must be the ARN of a key/],
    [{ rate: '0', burst: 'x' }, /-c rate: .*; -c burst: /],
    [{ dist: '/nowhere' }, /nowhere.*missing: run "npm run build" first/],
  ])('%j is refused with a sentence that says what to mend', (context, message) => {
    expect(() => synthesize(context)).toThrow(message)
  })

  test('are not asked for in what cdk itself keeps in the context', () => {
    const ofCdk = {
      '@aws-cdk/core:newFlag': true,
      'aws:cdk:enable-path-metadata': true,
      'availability-zones:account=123456789012:region=eu-west-1': ['eu-west-1a'],
      'acknowledged-issue-numbers': [1],
      'cli-telemetry': false,
    }
    expect(settingsFrom(app(ofCdk).node).memory).toBe(1024)
  })

  test('may be numbers and booleans, as in cdk.json', () => {
    const context = { memory: 512, rate: 0.5, logDays: 7, retain: false }
    expect(settingsFrom(app(context).node)).toMatchObject(context)
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
      accountConcurrency: 1000,
      reserveConcurrency: false,
    })
  })
})

describe('the account’s concurrency', () => {
  test('decides what strangers may take of it, and how many batches of the delay queue run at once', () => {
    const { DefaultRouteSettings, RouteSettings } = only(
      theirs.customers,
      'AWS::ApiGatewayV2::Stage',
    ).Properties
    expect(DefaultRouteSettings).toEqual({ ThrottlingBurstLimit: 20, ThrottlingRateLimit: 200 })
    expect(RouteSettings.login).toEqual({ ThrottlingBurstLimit: 80, ThrottlingRateLimit: 800 })
    const later = theirs
      .of('AWS::Lambda::EventSourceMapping')
      .flatMap(([, { Properties }]) => Properties.ScalingConfig ?? [])
    expect(later).toEqual([{ MaximumConcurrency: 200 }])
  })

  test('of a new account, 10, still lets each route through', () => {
    const { routes, others } = bulkheadOf('customer', 10)
    for (const functions of [...Object.values(routes), others!])
      expect(throttleOf(functions)).toEqual({ burstLimit: 1, rateLimit: 10 })
    expect(laterAtOnce(10)).toBe(2)
  })

  test('is reserved for what strangers reach, exactly as much as the throttles let through, where asked for', () => {
    const reserved = (stack: Pick<typeof ours, 'of'>) =>
      Object.fromEntries(
        stack
          .of('AWS::Lambda::Function')
          .map(([id, { Properties }]): [string, number] => [
            id.replace(/Function[0-9A-F]{8}$/, ''),
            Properties.ReservedConcurrentExecutions,
          ])
          .filter(([, functions]) => functions !== undefined),
      )
    expect(reserved(theirs)).toEqual({
      AgentApiconnect: 240,
      AgentApilogin: 320,
      AgentApistartchat: 80,
      AgentApidefault: 40,
    })
    const { CustomerApiconnect, CustomerApisendevent, CustomerApiping, ...rest } = reserved(theirs.customers)
    expect([CustomerApiconnect, CustomerApisendevent, CustomerApiping]).toEqual([160, 240, 40])
    expect(Object.keys(rest)).toHaveLength(theirs.customers.of('AWS::Lambda::Function').length - 3)
  })
})

describe('a proxy before the customers’ endpoint', () => {
  test('has a secret that their $connect alone may read, and alone is told of', () => {
    for (const stack of [theirs, theirs.customers])
      for (const [id, { Properties }] of stack.of('AWS::Lambda::Function')) {
        const { PROXY_SECRET_ID, PROXY_ADDRESS_HEADER } = Properties.Environment?.Variables ?? {}
        const grants = allowed(stack.resources, id).filter((line) => line.includes('chat/proxy'))
        const isConnect = id.startsWith('CustomerApiconnect')
        expect(grants, id).toEqual(isConnect ? [`secretsmanager:GetSecretValue on ${proxySecret}`] : [])
        expect([PROXY_SECRET_ID, PROXY_ADDRESS_HEADER], id).toEqual(
          isConnect ? [proxySecret, 'CloudFront-Viewer-Address'] : [undefined, undefined],
        )
      }
  })
})

describe('a key of the deployment’s own', () => {
  test('encrypts table, queues and logs', () => {
    const { Properties } = only(theirs, 'AWS::DynamoDB::GlobalTable')
    expect(Properties.SSESpecification).toEqual({ SSEEnabled: true, SSEType: 'KMS' })
    expect(Properties.Replicas[0].SSESpecification).toEqual({ KMSMasterKeyId: kmsKey })
    const queues = theirs.of('AWS::SQS::Queue')
    expect(queues.map(([, queue]) => queue.Properties.KmsMasterKeyId)).toEqual(queues.map(() => kmsKey))
    for (const stack of [theirs, theirs.customers])
      for (const [id, group] of stack.of('AWS::Logs::LogGroup'))
        expect(group.Properties.KmsKeyId, id).toBe(kmsKey)
    expect(JSON.stringify([ours.resources, ours.customers.resources])).not.toMatch(/kms/i)
  })

  test('is used by functions that touch what it encrypts, through DynamoDB and SQS alone', () => {
    const keyOf = (name: string): any => {
      const stack = name.startsWith('Customer') ? theirs.customers : theirs
      const [id = ''] = Object.keys(stack.resources).filter((found) =>
        new RegExp(`^${name}Function[0-9A-F]{8}$`).test(found),
      )
      const lines = allowed(stack.resources, id).filter((line) => line.includes('kms:'))
      expect(lines.length, name).toBe(1)
      return JSON.parse(lines[0] ?? '')
    }
    const reads = ['kms:Decrypt', 'kms:DescribeKey']
    const writes = ['kms:Encrypt', 'kms:GenerateDataKey', 'kms:GenerateDataKeyWithoutPlaintext']
    const all = [...reads, ...writes, 'kms:ReEncryptFrom', 'kms:ReEncryptTo']
    for (const name of ['AgentApisendevent', 'CustomerApiconnect', 'Workerslater', 'Workersfanout'])
      expect(keyOf(name), name).toMatchObject({ Action: all, Resource: kmsKey })
    expect(keyOf('AgentApisendevent').Condition).toEqual({
      StringEquals: {
        'kms:ViaService': [
          { 'Fn::Join': ['', ['dynamodb.', { Ref: 'AWS::Region' }, '.', { Ref: 'AWS::URLSuffix' }]] },
          { 'Fn::Join': ['', ['sqs.', { Ref: 'AWS::Region' }, '.', { Ref: 'AWS::URLSuffix' }]] },
        ],
      },
    })
  })

  test('leaves nothing for cdk-nag to find', () => {
    expect(findings(theirs.root)).toEqual([])
  })
})

describe('the app', () => {
  test('synthesizes without AWS credentials, checks included', { tags: ['full'] }, async () => {
    const out = mkdtempSync(join(tmpdir(), 'synth-'))
    const context = { ...app().node.getAllContext(), dist: bundles(bundleNames) }
    const environment = Object.entries(process.env).filter(([name]) => !/^(AWS|NODE_ENV|VITEST)/.test(name))
    const run = async (context: object) => {
      const program = spawn(process.execPath, ['infra/run.mjs', 'infra/stack/app.ts'], {
        cwd: join(import.meta.dirname, '../..'),
        env: {
          ...{ ...Object.fromEntries(environment), ...compileCache },
          CDK_OUTDIR: out,
          CDK_CONTEXT_JSON: JSON.stringify(context),
        },
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      const [stderr, [status]] = await Promise.all([text(program.stderr), once(program, 'close')])
      return [status, stderr]
    }
    const [refused, done] = await Promise.all([run({ ...context, memry: '512' }), run(context)])
    expect(refused).toEqual([
      1,
      "The stack's settings are wrong. -c memry: is no setting; did you mean memory?\n",
    ])
    expect(done).toEqual([0, ''])
    expect(existsSync(join(out, 'AgentChat.template.json'))).toBe(true)
    rmSync(out, { recursive: true })
  })
})
