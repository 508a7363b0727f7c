import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { agentActions, httpActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { testFirst } from '../support/sample.ts'
import { leadingKeys } from '../../infra/stack/grants.ts'
import { common as commonFamilies } from '../../shared/table/families.ts'
import { allowed, findings, flat, list, named, synthesize, whereOf } from './synthesized.ts'

const { root, stack, customers, outputs, ...outer } = synthesize()
/** Of both stacks: no two resources have one logical id. */
const resources = { ...outer.resources, ...customers.resources }
const of = (type: string) => [...outer.of(type), ...customers.of(type)]
const functions = of('AWS::Lambda::Function')

test('no resource of one stack hides one of the other from these tests', () => {
  const [ours, theirs] = [outer.resources, customers.resources].map((of) => Object.keys(of).length)
  expect(Object.keys(resources)).toHaveLength(ours! + theirs!)
})

const idOf = (path: string): string => {
  const stem = path.replaceAll(/[^A-Za-z]/g, '')
  const found = functions.filter(([id]) => new RegExp(`^${stem}Function[0-9A-F]{8}$`).test(id))
  expect(found, path).toHaveLength(1)
  return found[0]![0]
}
const endpoints = [
  { api: 'AgentApi', audience: 'agent', actions: agentActions, ...outer },
  { api: 'CustomerApi', audience: 'customer', actions: customerActions, ...customers },
] as const
const everyAction = endpoints.flatMap(({ api, actions }) =>
  actions.map((spec) => [`${api}/${spec.name}`, spec] as const),
)

describe('policies', () => {
  const table = '<ChatsTable.Arn>'
  const rows = 'SOCKET#* LICENSE#*#SOCKETS AUDIENCE#*#* CUSTOMER#*#*#SOCKETS'
  const writing = (where: string) =>
    `dynamodb:ConditionCheckItem dynamodb:DeleteItem dynamodb:PutItem dynamodb:UpdateItem on ${table} where ${where}`
  const onBoth = (method: string) => {
    const arns = ['AgentApi', 'CustomerApi'].map(
      (api) =>
        `arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<${api}>/v1/${method}/@connections/*`,
    )
    return `execute-api:ManageConnections on ${arns.join(' ')}`
  }
  const logsOf = (whose: string) => `logs:CreateLogStream logs:PutLogEvents on <${whose}Logs.Arn>`
  const logs = logsOf('AgentApi')
  const customerLogs = logsOf('CustomerApi')
  const counters = `dynamodb:UpdateItem on ${table} where ADDRESS#* COUNT#*#*`
  const session = [
    `dynamodb:GetItem on ${table} where SOCKET#*`,
    counters,
    'sqs:SendMessage on <LaterQueue.Arn>',
  ]
  const token = `dynamodb:GetItem on ${table} where IDENTITY#*#* LICENSE#* but LICENSE#*#SOCKETS LICENSE#*#CHATS LICENSE#*#ACTIVE LICENSE#*#WAITING LICENSE#*#CHANGED LICENSE#*#LOAD`
  const readAll = [`dynamodb:BatchGetItem dynamodb:GetItem dynamodb:Query on ${table}`]
  const common = 'LICENSE#* CUSTOMER#*#* CHAT#* SOCKET#* LICENSE#*#SOCKETS AUDIENCE#*#* CUSTOMER#*#*#SOCKETS'
  const reading = (where: string) => [`${readAll[0]} where ${where}`]
  const read = reading(
    `${common} but LICENSE#*#CHATS LICENSE#*#ACTIVE LICENSE#*#WAITING LICENSE#*#CHANGED LICENSE#*#LOAD`,
  )
  const readForStart = reading(
    `${common} LICENSE#*#LOAD but LICENSE#*#CHATS LICENSE#*#ACTIVE LICENSE#*#WAITING LICENSE#*#CHANGED`,
  )
  const needed = {
    push: [onBoth('POST'), `dynamodb:DeleteItem dynamodb:UpdateItem on ${table} where ${rows}`],
    fan_out: [
      'lambda:InvokeFunction on arn:<AWS::Partition>:lambda:<AWS::Region>:<AWS::AccountId>:function:AgentChat-fan-out',
    ],
    connection_status: [
      'execute-api:ManageConnections on arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<CustomerApi>/v1/GET/@connections/*',
    ],
  }
  const key = 'secretsmanager:GetSecretValue on <Key>'

  test.each(everyAction)('%s may do exactly what it needs, and what its session takes', (path, spec) => {
    const isCustomers = path.startsWith('CustomerApi')
    const expected = [
      isCustomers ? customerLogs : logs,
      ...session,
      ...spec.needs.flatMap((need) =>
        need === 'read'
          ? reading(whereOf(leadingKeys([...commonFamilies, ...(spec.alsoReads ?? [])])))
          : needed[need],
      ),
      ...(spec.writes ? [writing(whereOf(leadingKeys(spec.writes)))] : []),
      ...(isCustomers && spec.session === 'login' ? [key] : []),
      ...(httpActions.includes(spec) ? [token] : []),
    ]
    expect(allowed(resources, idOf(path))).toEqual(expected.sort())
  })

  test('the key of customers’ tokens is the only secret, and their login alone may read it', () => {
    expect(of('AWS::SecretsManager::Secret').map(([id]) => id)).toEqual([
      expect.stringMatching(/^Key[0-9A-F]{8}$/),
    ])
    const readers = functions.filter(([id]) => allowed(resources, id).join().includes('secretsmanager'))
    expect(readers.map(([id]) => id)).toEqual([idOf('CustomerApi/login')])
  })

  const workerLogs = 'logs:CreateLogStream logs:PutLogEvents on <WorkersLogs.Arn>'
  const threads = 'LICENSE#*#CHANGED LICENSE#*#LOAD'
  const routed = `CHAT#* LICENSE#*#ACTIVE LICENSE#*#WAITING ${threads}`
  const worker = (keys: string, but = 'LICENSE#*#CHATS') => [
    workerLogs,
    ...readAll,
    writing(`${keys} ${rows} but ${but}`),
    ...needed.push,
    onBoth('DELETE'),
    'sqs:SendMessage on <LaterQueue.Arn>',
  ]
  const opening = writing(
    'LICENSE#* CUSTOMER#*#* CHAT#* LICENSE#*#CHATS LICENSE#*#ACTIVE LICENSE#*#LOAD LICENSE#*#CHANGED but LICENSE#*#SOCKETS LICENSE#*#WAITING CUSTOMER#*#*#SOCKETS',
  )
  const index = `dynamodb:BatchWriteItem on ${table} where INDEX#*#LIST#*#* INDEX#*#MARKS#*`
  const { push, fan_out: fanOut, connection_status: look } = needed
  test.each([
    // Spelled out, whatever the action table says.
    ['AgentApi/ping', [logs, ...session]],
    ['AgentApi/get_chat_threads', [logs, ...session, token, ...read]],
    [
      'AgentApi/login',
      [
        logs,
        ...session,
        ...reading(
          `${common} IDENTITY#*#* DEVICE#* LICENSE#*#ACTIVE but LICENSE#*#CHATS LICENSE#*#WAITING LICENSE#*#CHANGED LICENSE#*#LOAD`,
        ),
        writing(
          'LICENSE#* DEVICE#* SOCKET#* LICENSE#*#SOCKETS AUDIENCE#*#* but LICENSE#*#CHATS LICENSE#*#ACTIVE LICENSE#*#WAITING LICENSE#*#CHANGED LICENSE#*#LOAD',
        ),
        ...push,
        ...fanOut,
      ],
    ],
    [
      'AgentApi/close_thread',
      [
        logs,
        ...session,
        token,
        ...read,
        writing('CHAT#* LICENSE#*#ACTIVE LICENSE#*#LOAD'),
        ...push,
        ...fanOut,
      ],
    ],
    ['AgentApi/send_typing_indicator', [logs, ...session, token, ...read, ...push]],
    ['AgentApi/send_event', [logs, ...session, token, ...readForStart, opening, ...push, ...fanOut]],
    [
      'AgentApi/$connect',
      [logs, `dynamodb:PutItem on ${table} where SOCKET#*`, counters, 'sqs:SendMessage on <LaterQueue.Arn>'],
    ],
    ['AgentApi/$disconnect', [logs, `dynamodb:DeleteItem on ${table} where ${rows}`]],
    ['AgentApi/$default', [logs, ...session]],
    ['CustomerApi/ping', [customerLogs, ...session]],
    ['CustomerApi/get_chats_summary', [customerLogs, ...session, ...read]],
    ['CustomerApi/send_sneak_peek', [customerLogs, ...session, ...read, ...push]],
    ['CustomerApi/send_event', [customerLogs, ...session, ...readForStart, opening, ...push, ...fanOut]],
    [
      'CustomerApi/update_customer',
      [
        customerLogs,
        ...session,
        ...read,
        writing('CUSTOMER#*#* SOCKET#* but CUSTOMER#*#*#SOCKETS'),
        ...push,
        ...fanOut,
      ],
    ],
    [
      'CustomerApi/login',
      [
        customerLogs,
        ...session,
        ...read,
        writing('CUSTOMER#*#* CUSTOMER#*#*#SOCKETS SOCKET#*'),
        ...push,
        ...fanOut,
        ...look,
        key,
      ],
    ],
    [
      'CustomerApi/$connect',
      [
        customerLogs,
        `dynamodb:PutItem on ${table} where SOCKET#*`,
        `dynamodb:GetItem on ${table} where LICENSE#* but LICENSE#*#SOCKETS LICENSE#*#CHATS LICENSE#*#ACTIVE LICENSE#*#WAITING LICENSE#*#CHANGED LICENSE#*#LOAD`,
        counters,
        'sqs:SendMessage on <LaterQueue.Arn>',
      ],
    ],
    ['CustomerApi/$disconnect', [customerLogs, `dynamodb:DeleteItem on ${table} where ${rows}`]],
    ['CustomerApi/$default', [customerLogs, ...session]],
    ['Workers/clock', worker(`LICENSE#* ${routed}`)],
    [
      'Workers/fan_out',
      [
        workerLogs,
        ...push,
        'sqs:SendMessage on <LaterQueue.Arn>',
        'sqs:SendMessage on <WorkersFanOutFailures.Arn>',
      ],
    ],
    [
      'Workers/later',
      [
        ...worker(
          `LICENSE#* CUSTOMER#*#* ${routed} STATUS#*#GROUPS INDEX#*#LIST#*#* INDEX#*#MARKS#* INDEX#*#COUNTS#* COUNT#*#*`,
        ),
        index,
        'sqs:DeleteMessage sqs:GetQueueAttributes sqs:ReceiveMessage on <LaterQueue.Arn>',
      ],
    ],
    [
      'Workers/notify',
      [
        ...worker(
          `LICENSE#* DEVICE#* CHAT#* LICENSE#*#ACTIVE ${threads} STATUS#*#GROUPS`,
          'LICENSE#*#CHATS LICENSE#*#WAITING',
        ),
        'dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator dynamodb:ListStreams on <ChatsTable.StreamArn>',
        'sqs:SendMessage on <WorkersNotifyFailures.Arn>',
      ],
    ],
    [
      'Workers/index',
      [
        workerLogs,
        ...readAll,
        `dynamodb:PutItem dynamodb:UpdateItem on ${table} where CHAT#*`,
        `dynamodb:UpdateItem on ${table} where COUNT#*#*`,
        index,
        'sqs:SendMessage on <LaterQueue.Arn>',
        'dynamodb:DescribeStream dynamodb:GetRecords dynamodb:GetShardIterator dynamodb:ListStreams on <ChatsTable.StreamArn>',
        'sqs:SendMessage on <WorkersIndexFailures.Arn>',
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
    expect(allowing.length).toBeGreaterThan(100)
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

const bucket = (burst: number, rate: number) => ({
  ThrottlingBurstLimit: burst,
  ThrottlingRateLimit: rate,
})

describe('the bulkhead', () => {
  const stageOf = ({ of }: Pick<typeof outer, 'of'>) => of('AWS::ApiGatewayV2::Stage')[0]![1]
  const ofAgents = stageOf(outer).Properties.RouteSettings
  const ofCustomers = stageOf(customers).Properties.RouteSettings

  test('gives each route that strangers reach a throttle of its own', () => {
    expect(ofAgents).toEqual({
      $connect: bucket(30, 300),
      login: bucket(40, 400),
      start_chat: bucket(10, 100),
      $default: bucket(5, 50),
    })
    expect(ofCustomers).toEqual({
      $connect: bucket(20, 200),
      login: bucket(20, 200),
      start_chat: bucket(15, 150),
      send_event: bucket(30, 300),
      $default: bucket(3, 30),
    })
  })

  test('leaves half of 1,000 functions to others where each request of strangers takes 100 ms', () => {
    const busy = ({ ThrottlingBurstLimit, ThrottlingRateLimit }: ReturnType<typeof bucket>) =>
      ThrottlingBurstLimit + ThrottlingRateLimit * 0.1
    // the worse of two readings of AWS's words: the default is a bucket of each route's own
    const routes = customers.of('AWS::ApiGatewayV2::Route').map(([, { Properties }]) => Properties.RouteKey)
    const others = routes.filter((route) => ofCustomers[route] === undefined)
    expect(others).toHaveLength(customerActions.length + 3 - 5)
    const each = stageOf(customers).Properties.DefaultRouteSettings
    const buckets = [
      ...Object.values<any>(ofAgents),
      ...Object.values<any>(ofCustomers),
      ...others.map(() => each),
    ]
    const sum = buckets.map(busy).reduce((one, other) => one + other, 0)
    expect(sum).toBeLessThanOrEqual(500)
    expect(sum).toBeGreaterThan(450)
  })

  test.each([
    ['AgentApi', outer, Object.keys(ofAgents)],
    ['CustomerApi', customers, Object.keys(ofCustomers)],
  ] as const)('a stage is not made before the routes that it names: %s', (_, stack, wanted) => {
    const waits = stageOf(stack).DependsOn ?? []
    const routes = stack
      .of('AWS::ApiGatewayV2::Route')
      .filter(([id]) => waits.includes(id))
      .map(([, { Properties }]) => Properties.RouteKey)
    expect(routes.sort()).toEqual([...wanted].sort())
  })

  test('reserves nothing unless it is asked to', () => {
    for (const [id, { Properties }] of functions)
      expect(Properties.ReservedConcurrentExecutions, id).toBeUndefined()
  })
})

describe.each(endpoints)('routes of $api', ({ api, audience, actions, of }) => {
  const routes = of('AWS::ApiGatewayV2::Route')
  const keys = routes.map(([, { Properties }]) => Properties.RouteKey)

  test('are the action table and the gateway’s own three', () => {
    expect(keys.sort()).toEqual(
      [...actions.map(({ name }) => name), '$connect', '$disconnect', '$default'].sort(),
    )
    const [[, endpoint] = []] = of('AWS::ApiGatewayV2::Api')
    expect(endpoint?.Properties).toMatchObject({
      Name: `AgentChat-${audience}`,
      RouteSelectionExpression: '$request.body.action',
    })
  })

  test('each lead to the function of that name and its bundle, which only the gateway may invoke', () => {
    const assets = JSON.parse(readFileSync(join(root.outdir, 'AgentChat.assets.json'), 'utf8')).files
    const bundleOf = (key: string) => {
      if (!key.startsWith('$')) return `'${audience}/${key}'`
      return key === '$connect' && audience === 'customer'
        ? `'socket/connect-customer'`
        : `'socket/${key.slice(1)}'`
    }
    for (const [, { Properties }] of routes) {
      const key: string = Properties.RouteKey
      const [, integrationId] = /^integrations\/<(\w+)>$/.exec(flat(Properties.Target)) ?? []
      const integration = resources[integrationId!]!.Properties
      expect(integration.IntegrationType).toBe('AWS_PROXY')
      const target = idOf(`${api}/${key}`)
      expect(flat(integration.IntegrationUri)).toContain(`functions/<${target}.Arn>/invocations`)
      const code = resources[target]!.Properties.Code.S3Key.replace('.zip', '')
      const bundle = readFileSync(join(root.outdir, assets[code].source.path, 'index.mjs'), 'utf8')
      expect(bundle).toContain(bundleOf(key))
      const permissions = of('AWS::Lambda::Permission').filter(
        ([, permission]) => flat(permission.Properties.FunctionName) === `<${target}.Arn>`,
      )
      expect(permissions.map(([, permission]) => permission.Properties.Principal)).toEqual([
        'apigateway.amazonaws.com',
      ])
      expect(named(permissions[0]![1].Properties.SourceArn)).toBe(
        `arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<${api}>/*${key}`,
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
    expect({ AutoDeploy, StageName }).toEqual({ AutoDeploy: true, StageName: 'v1' })
    expect(DefaultRouteSettings).toEqual(audience === 'agent' ? bucket(1000, 2000) : bucket(5, 50))
    const fields: string[] = Object.values(JSON.parse(AccessLogSettings.Format))
    expect(fields).toContain('$context.connectionId')
    for (const field of fields) expect(field).not.toMatch(/\$input|\$request|\$context\.authorizer/)
    expect(named(AccessLogSettings.DestinationArn)).toBe(`<${api}AccessLogs.Arn>`)
  })

  test('are not made before API Gateway may write their logs', () => {
    const [[, nested] = []] = outer.of('AWS::CloudFormation::Stack')
    const [[, stage] = []] = outer.of('AWS::ApiGatewayV2::Stage')
    const waits = api === 'AgentApi' ? stage : nested
    expect(waits!.DependsOn).toContain('GatewayAccount')
  })
})

describe('functions', () => {
  test('are alike in all but bundle, grants, environment, time, and the memory of the index', () => {
    expect(functions).toHaveLength(agentActions.length + customerActions.length + 4 + 3 + 4)
    for (const [id, { Properties }] of functions) {
      const { Runtime, Architectures, MemorySize, Handler, LoggingConfig, Timeout } = Properties
      expect({ Runtime, Architectures, MemorySize, Handler }, id).toEqual({
        Runtime: 'nodejs24.x',
        Architectures: ['arm64'],
        MemorySize: id.startsWith('Workersindex') ? 512 : 1024,
        Handler: 'index.handler',
      })
      expect(Timeout, id).toBe(
        /^Workers(notify|clock)/.test(id) ? 60 : id.startsWith('Workersindex') ? 30 : 20,
      )
      expect({ ...LoggingConfig, LogGroup: named(LoggingConfig.LogGroup) }, id).toEqual({
        LogFormat: 'JSON',
        ApplicationLogLevel: 'INFO',
        SystemLogLevel: 'WARN',
        LogGroup: `<${/^(Workers|AgentApi|CustomerApi)/.exec(id)?.[0]}Logs>`,
      })
    }
  })

  const table = { TABLE_NAME: '<ChatsTable>' }
  const session = { ...table, LATER_QUEUE_URL: '<LaterQueue>' }
  const push = {
    AGENT_CALLBACK_URL: 'https://<AgentApi>.execute-api.<AWS::Region>.<AWS::URLSuffix>/v1',
    CUSTOMER_CALLBACK_URL: 'https://<CustomerApi>.execute-api.<AWS::Region>.<AWS::URLSuffix>/v1',
  }
  const fanOut = {
    FAN_OUT_URL:
      'https://lambda.<AWS::Region>.<AWS::URLSuffix>/2015-03-31/functions/AgentChat-fan-out/invocations',
  }
  const rates = {
    RATE_START_CHAT: '5',
    RATE_SEND_EVENT: '60',
    RATE_OTHER: '120',
    RATE_ADDRESS_FACTOR: '20',
    RATE_LICENSE_START_CHAT: '600',
  }
  const limited = { ...session, ...rates }
  const issuer = 'https://cognito-idp.<AWS::Region>.<AWS::URLSuffix>/<AgentsPool>'
  const token = {
    TOKEN_ISSUER: issuer,
    TOKEN_AUDIENCE: '<AgentsPoolApp>',
    TOKEN_JWKS_URL: `${issuer}/.well-known/jwks.json`,
    TOKEN_TYPE: 'access',
  }
  test.each([
    ['AgentApi/ping', limited],
    ['AgentApi/get_chat_threads', { ...limited, ...token }],
    ['AgentApi/send_event', { ...limited, ...push, ...fanOut, ...token }],
    ['AgentApi/send_typing_indicator', { ...limited, ...push, ...token }],
    ['AgentApi/login', { ...limited, ...push, ...fanOut, ...token, CLOCK_SKEW_MS: '250' }],
    ['AgentApi/$connect', limited],
    ['AgentApi/$disconnect', table],
    ['AgentApi/$default', limited],
    ['CustomerApi/ping', limited],
    ['CustomerApi/get_chats_summary', limited],
    ['CustomerApi/send_event', { ...limited, ...push, ...fanOut }],
    [
      'CustomerApi/login',
      { ...limited, ...push, ...fanOut, CUSTOMER_KEY_SECRET_ID: '<Key>', CLOCK_SKEW_MS: '250' },
    ],
    ['CustomerApi/$connect', limited],
    ['CustomerApi/$disconnect', table],
    ['CustomerApi/$default', limited],
    ['Workers/notify', { ...session, ...push, PRESENCE_GRACE_S: '20' }],
    ['Workers/index', session],
    ['Workers/later', { ...session, ...push }],
    ['Workers/clock', { ...session, ...push }],
    ['Workers/fan_out', { ...session, ...push }],
  ])('%s is told what it uses and no more', (path, expected) => {
    const variables: Record<string, any> = resources[idOf(path)]!.Properties.Environment?.Variables ?? {}
    expect(
      Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, named(value)])),
    ).toEqual({ DEPLOYMENT: 'AgentChat', ...expected })
  })
})

describe('mobile notifications', () => {
  const arn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:chat/fcm-AbC123'
  testFirst(
    'with the secret given as %s, notify alone may read it and is told of it',
    [
      [
        'a name',
        'chat/fcm',
        'arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:secret:chat/fcm-??????',
      ],
      ['an ARN', arn, arn],
    ],
    (_, fcmSecret, secret) => {
      const theirs = synthesize({ fcmSecret })
      for (const [id, { Properties }] of theirs.of('AWS::Lambda::Function')) {
        const reads = allowed(theirs.resources, id).filter((line) => line.includes('secretsmanager'))
        const isNotify = id.startsWith('Workersnotify')
        expect(reads, id).toEqual(isNotify ? [`secretsmanager:GetSecretValue on ${secret}`] : [])
        expect(Properties.Environment?.Variables.FCM_SECRET_ID, id).toBe(isNotify ? fcmSecret : undefined)
      }
      expect(findings(theirs.root)).toEqual(findings(root))
    },
  )

  test('are off without a secret: nothing may read one, is told of one or is handed messages', () => {
    const all = JSON.stringify(outer.resources)
    for (const word of ['secretsmanager', 'FCM_']) expect(all).not.toContain(word)
    const streams = Object.entries(outer.resources).filter(([id]) => id.startsWith('WorkersnotifyStream'))
    expect(streams).toHaveLength(1)
    expect(JSON.stringify(streams)).not.toContain('LOG#')
  })
})

test('what clients and people need to know comes out', () => {
  const out = Object.fromEntries(
    Object.entries<any>(outputs).map(([name, { Value }]) => [name, named(Value)]),
  )
  expect(out).toEqual({
    AgentUrl: 'wss://<AgentApi>.execute-api.<AWS::Region>.<AWS::URLSuffix>/v1',
    CustomerUrl: 'wss://<CustomerApi>.execute-api.<AWS::Region>.<AWS::URLSuffix>/v1',
    HttpUrl: expect.stringMatching(/Http\w+Api\w+ApiEndpoint|Http.*Api/),
    CustomerKeyArn: '<Key>',
    TableName: '<ChatsTable>',
    LaterQueueUrl: '<LaterQueue>',
    UserPoolId: '<AgentsPool>',
    UserPoolClientId: '<AgentsPoolApp>',
  })
})

test('what holds data or an address keeps its logical id: another one would replace it', () => {
  const nested = 'CustomersNestedStackCustomersNestedStackResource14487E48'
  for (const id of [
    ...['ChatsTableD30DF6B9', 'AgentsPool2DB823AF', 'LaterQueueC90AD27C', 'AgentApiE9E491E1', nested],
  ])
    expect(Object.keys(outer.resources)).toContain(id)
  for (const id of ['Key961B73FD', 'CustomerApiB06449FA'])
    expect(Object.keys(customers.resources)).toContain(id)
})

test('the stack is deployable wherever, and looks nothing up', () => {
  expect(stack.environment).toBe('aws://unknown-account/unknown-region')
  expect(root.synth().manifest.missing ?? []).toEqual([])
})
