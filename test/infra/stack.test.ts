import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { allowed, findings, flat, list, named, synthesize } from './synthesized.ts'

const { root, stack, resources, of, outputs } = synthesize()
const functions = of('AWS::Lambda::Function')

const idOf = (path: string): string => {
  const stem = path.replaceAll(/[^A-Za-z]/g, '')
  const found = functions.filter(([id]) => new RegExp(`^${stem}Function[0-9A-F]{8}$`).test(id))
  expect(found, path).toHaveLength(1)
  return found[0]![0]
}

describe('policies', () => {
  const table = '<ChatsTable.Arn>'
  const rows = 'SOCKET#* LICENSE#*#SOCKETS CUSTOMER#*#SOCKETS'
  const api = 'arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<AgentApi>'
  const logs = 'logs:CreateLogStream logs:PutLogEvents on <AgentApiLogs.Arn>'
  const session = [
    `dynamodb:GetItem dynamodb:UpdateItem on ${table} where SOCKET#*`,
    'sqs:SendMessage on <LaterQueue.Arn>',
  ]
  const needed = {
    read: [`dynamodb:BatchGetItem dynamodb:GetItem dynamodb:Query on ${table}`],
    write: [
      `dynamodb:ConditionCheckItem dynamodb:DeleteItem dynamodb:PutItem dynamodb:UpdateItem on ${table}`,
    ],
    push: [
      `execute-api:ManageConnections on ${api}/v1/POST/@connections/*`,
      `dynamodb:DeleteItem dynamodb:UpdateItem on ${table} where ${rows}`,
    ],
  }

  test.each(agentActions.map((spec) => [spec.name, spec] as const))(
    '%s may do exactly what it needs, and what its session takes',
    (name, spec) => {
      const base = spec.session === 'none' ? [] : session
      const expected = [logs, ...base, ...spec.needs.flatMap((need) => needed[need])]
      expect(allowed(resources, idOf(`AgentApi/${name}`))).toEqual(expected.sort())
    },
  )

  const workerLogs = 'logs:CreateLogStream logs:PutLogEvents on <WorkersLogs.Arn>'
  const worker = [
    workerLogs,
    ...needed.read,
    ...needed.write,
    ...needed.push,
    `execute-api:ManageConnections on ${api}/v1/DELETE/@connections/*`,
    'sqs:SendMessage on <LaterQueue.Arn>',
  ]
  const { read, write, push } = needed
  test.each([
    // Spelled out, whatever the action table says.
    ['AgentApi/ping', [logs]],
    ['AgentApi/get_chat_threads', [logs, ...session, ...read]],
    ['AgentApi/login', [logs, ...session, ...read, ...write, ...push]],
    ['AgentApi/send_event', [logs, ...session, ...read, ...write, ...push]],
    [
      'AgentApi/$connect',
      [logs, `dynamodb:PutItem on ${table} where SOCKET#*`, 'sqs:SendMessage on <LaterQueue.Arn>'],
    ],
    ['AgentApi/$disconnect', [logs, `dynamodb:DeleteItem on ${table} where SOCKET#* LICENSE#*#SOCKETS`]],
    ['AgentApi/$default', [logs]],
    ['Workers/clock', worker],
    [
      'Workers/later',
      [...worker, 'sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage on <LaterQueue.Arn>'],
    ],
    [
      'Workers/notify',
      [
        ...worker,
        'dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator dynamodb:ListStreams on <ChatsTable.StreamArn>',
        'sqs:SendMessage on <WorkersNotifyFailures.Arn>',
      ],
    ],
  ])('%s may do exactly this', (path, expected) => {
    expect(allowed(resources, idOf(path))).toEqual([...expected].sort())
  })

  test('no function shares a role, and no policy stands outside of a role', () => {
    const roles = functions.map(([, { Properties }]) => flat(Properties.Role))
    expect(new Set(roles).size).toBe(functions.length)
    expect([...of('AWS::IAM::Policy'), ...of('AWS::IAM::ManagedPolicy')]).toEqual([])
  })

  test('nothing anywhere allows a wildcard action, every resource, or a Scan', () => {
    const statements = Object.values(resources).flatMap((resource) => statementsIn(resource.Properties))
    const allowing = statements.filter(({ Effect }) => Effect === 'Allow')
    expect(allowing.length).toBeGreaterThan(60)
    for (const { Action, Resource } of allowing) {
      for (const action of list(Action)) expect(action).not.toMatch(/\*|Scan|PartiQL/)
      for (const on of list(Resource ?? [])) expect(flat(on)).not.toBe('*')
    }
  })
})

/** All statements in all policy documents, however deep. */
const statementsIn = (value: any): any[] => {
  if (typeof value !== 'object' || value === null) return []
  const own = Array.isArray(value.Statement) ? value.Statement : []
  return [...own, ...Object.values(value).flatMap(statementsIn)]
}

describe('routes', () => {
  const routes = of('AWS::ApiGatewayV2::Route')
  const keys = routes.map(([, { Properties }]) => Properties.RouteKey)

  test('are the action table and the gateway’s own three', () => {
    expect(keys.sort()).toEqual(
      [...agentActions.map(({ name }) => name), '$connect', '$disconnect', '$default'].sort(),
    )
    const [[, api] = []] = of('AWS::ApiGatewayV2::Api')
    expect(api?.Properties.RouteSelectionExpression).toBe('$request.body.action')
  })

  test('each lead to the function of that name and its bundle, which only the gateway may invoke', () => {
    const assets = JSON.parse(readFileSync(join(root.outdir, 'AgentChat.assets.json'), 'utf8')).files
    for (const [, { Properties }] of routes) {
      const key: string = Properties.RouteKey
      const [, integrationId] = /^integrations\/<(\w+)>$/.exec(flat(Properties.Target)) ?? []
      const integration = resources[integrationId!]!.Properties
      expect(integration.IntegrationType).toBe('AWS_PROXY')
      const target = idOf(`AgentApi/${key}`)
      expect(flat(integration.IntegrationUri)).toContain(`functions/<${target}.Arn>/invocations`)
      const code = resources[target]!.Properties.Code.S3Key.replace('.zip', '')
      const bundle = readFileSync(join(root.outdir, assets[code].source.path, 'index.mjs'), 'utf8')
      expect(bundle).toContain(key.startsWith('$') ? `'socket/${key.slice(1)}'` : `'agent/${key}'`)
      const permissions = of('AWS::Lambda::Permission').filter(
        ([, permission]) => flat(permission.Properties.FunctionName) === `<${target}.Arn>`,
      )
      expect(permissions.map(([, permission]) => permission.Properties.Principal)).toEqual([
        'apigateway.amazonaws.com',
      ])
      expect(named(permissions[0]![1].Properties.SourceArn)).toBe(
        `arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<AgentApi>/*${key}`,
      )
    }
  })

  test('are two-way, but for $connect and $disconnect', () => {
    const answered = of('AWS::ApiGatewayV2::RouteResponse').map(([, { Properties }]) =>
      flat(Properties.RouteId),
    )
    for (const [id, { Properties }] of routes) {
      const twoWay = !['$connect', '$disconnect'].includes(Properties.RouteKey)
      expect(Properties.RouteResponseSelectionExpression, Properties.RouteKey).toBe(
        twoWay ? '$default' : undefined,
      )
      expect(answered.includes(`<${id}>`), Properties.RouteKey).toBe(twoWay)
    }
  })

  test('go out at once, with a limit, and are logged without payloads', () => {
    const [[, stage] = []] = of('AWS::ApiGatewayV2::Stage')
    const { AutoDeploy, DefaultRouteSettings, AccessLogSettings, StageName } = stage!.Properties
    expect({ AutoDeploy, StageName, ...DefaultRouteSettings }).toEqual({
      AutoDeploy: true,
      StageName: 'v1',
      ThrottlingBurstLimit: 1000,
      ThrottlingRateLimit: 2000,
    })
    const fields: string[] = Object.values(JSON.parse(AccessLogSettings.Format))
    expect(fields).toContain('$context.connectionId')
    for (const field of fields) expect(field).not.toMatch(/\$input|\$request|\$context\.authorizer/)
    expect(named(AccessLogSettings.DestinationArn)).toBe('<AgentApiAccessLogs.Arn>')
    expect(stage!.DependsOn).toContain('GatewayAccount')
  })
})

describe('functions', () => {
  test('are alike in all but bundle, grants, environment and time', () => {
    expect(functions).toHaveLength(agentActions.length + 6)
    for (const [id, { Properties }] of functions) {
      const { Runtime, Architectures, MemorySize, Handler, LoggingConfig, Timeout } = Properties
      expect({ Runtime, Architectures, MemorySize, Handler }, id).toEqual({
        Runtime: 'nodejs24.x',
        Architectures: ['arm64'],
        MemorySize: 1024,
        Handler: 'index.handler',
      })
      expect(Timeout, id).toBe(/^Workers(notify|clock)/.test(id) ? 60 : 20)
      expect({ ...LoggingConfig, LogGroup: named(LoggingConfig.LogGroup) }, id).toEqual({
        LogFormat: 'JSON',
        ApplicationLogLevel: 'INFO',
        SystemLogLevel: 'WARN',
        LogGroup: id.startsWith('Workers') ? '<WorkersLogs>' : '<AgentApiLogs>',
      })
    }
  })

  const table = { TABLE_NAME: '<ChatsTable>' }
  const session = { ...table, LATER_QUEUE_URL: '<LaterQueue>' }
  const push = { AGENT_CALLBACK_URL: 'https://<AgentApi>.execute-api.<AWS::Region>.<AWS::URLSuffix>/v1' }
  const issuer = 'https://cognito-idp.<AWS::Region>.amazonaws.com/<AgentsPool>'
  test.each([
    ['AgentApi/ping', {}],
    ['AgentApi/get_chat_threads', session],
    ['AgentApi/send_event', { ...session, ...push }],
    [
      'AgentApi/login',
      {
        ...session,
        ...push,
        TOKEN_ISSUER: issuer,
        TOKEN_AUDIENCE: '<AgentsPoolApp>',
        TOKEN_JWKS_URL: `${issuer}/.well-known/jwks.json`,
        CLOCK_SKEW_MS: '250',
      },
    ],
    ['AgentApi/$connect', session],
    ['AgentApi/$disconnect', table],
    ['AgentApi/$default', {}],
    ['Workers/notify', { ...session, ...push, PRESENCE_GRACE_S: '20' }],
    ['Workers/later', { ...session, ...push }],
    ['Workers/clock', { ...session, ...push }],
  ])('%s is told what it uses and no more', (path, expected) => {
    const variables: Record<string, any> = resources[idOf(path)]!.Properties.Environment?.Variables ?? {}
    expect(
      Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, named(value)])),
    ).toEqual(expected)
  })
})

describe('mobile notifications', () => {
  const arn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:chat/fcm-AbC123'
  test.each([
    [
      'a name',
      'chat/fcm',
      'arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:chat/fcm-??????',
    ],
    ['an ARN', arn, arn],
  ])('with the secret given as %s, notify alone may read it and is told of it', (_, fcmSecret, secret) => {
    const theirs = synthesize({ fcmSecret })
    for (const [id, { Properties }] of theirs.of('AWS::Lambda::Function')) {
      const reads = allowed(theirs.resources, id).filter((line) => line.includes('secretsmanager'))
      const isNotify = id.startsWith('Workersnotify')
      expect(reads, id).toEqual(isNotify ? [`secretsmanager:GetSecretValue on ${secret}`] : [])
      expect(Properties.Environment?.Variables.FCM_SECRET_ID, id).toBe(isNotify ? fcmSecret : undefined)
    }
    expect(findings(theirs.root)).toEqual(findings(root))
  })

  test('are off without a secret: nothing may read one, is told of one or is handed messages', () => {
    const all = JSON.stringify(resources)
    for (const word of ['secretsmanager', 'FCM_', 'LOG#']) expect(all).not.toContain(word)
  })
})

test('what clients and people need to know comes out', () => {
  const out = Object.fromEntries(
    Object.entries<any>(outputs).map(([name, { Value }]) => [name, named(Value)]),
  )
  expect(out).toEqual({
    AgentUrl: 'wss://<AgentApi>.execute-api.<AWS::Region>.<AWS::URLSuffix>/v1',
    TableName: '<ChatsTable>',
    LaterQueueUrl: '<LaterQueue>',
    UserPoolId: '<AgentsPool>',
    UserPoolClientId: '<AgentsPoolApp>',
  })
})

test('what holds data or an address keeps its logical id: another one would replace it', () => {
  for (const id of ['ChatsTableD30DF6B9', 'AgentsPool2DB823AF', 'LaterQueueC90AD27C', 'AgentApiE9E491E1'])
    expect(Object.keys(resources)).toContain(id)
})

test('the stack is deployable wherever, and looks nothing up', () => {
  expect(stack.environment).toBe('aws://unknown-account/unknown-region')
  expect(root.synth().manifest.missing ?? []).toEqual([])
})
