import { Annotations, Match } from 'aws-cdk-lib/assertions'
import { Validations } from 'aws-cdk-lib'
import { describe, expect, test } from 'vitest'
import { matchesPattern } from '../../infra/local/stream/stream-records.ts'
import { type Key, keys } from '../../shared/table/keys.ts'
import { changedOf } from '../../shared/table/key-parts.ts'
import { findings, flat, named, synthesize } from './synthesized.ts'

const ours = synthesize()
const theirs = synthesize({
  issuer: 'https://id.example.com',
  audience: 'chat',
  jwksUrl: 'https://id.example.com/keys',
  retain: 'false',
  alarmEmail: 'night@example.com',
  gatewayLogs: 'keep',
})
const mobile = synthesize({ fcmSecret: 'chat/fcm' })
const only = ({ of }: Pick<typeof ours, 'of'>, type: string) => {
  const found = of(type)
  expect(found, type).toHaveLength(1)
  return found[0]![1]
}

describe('workers', () => {
  const mapping = (of: string) =>
    ours
      .of('AWS::Lambda::EventSourceMapping')
      .map(([, { Properties }]) => Properties)
      .find(({ FunctionName }) => named(FunctionName) === `<Workers${of}Function>`)!
  const queue = (id: string) =>
    ours.of('AWS::SQS::Queue').find(([found]) => found.replace(/[0-9A-F]{8}$/, '') === id)![1].Properties

  test('notify follows the stream, record by record where one fails, and gives up into a queue', () => {
    const { FilterCriteria, EventSourceArn, FunctionName: _, DestinationConfig, ...rest } = mapping('notify')
    expect(named(EventSourceArn)).toBe('<ChatsTable.StreamArn>')
    expect(named(DestinationConfig.OnFailure.Destination)).toBe('<WorkersNotifyFailures.Arn>')
    expect(rest).toEqual({
      StartingPosition: 'LATEST',
      BatchSize: 100,
      MaximumBatchingWindowInSeconds: 0,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      BisectBatchOnFunctionError: true,
      MaximumRetryAttempts: 10,
      MaximumRecordAgeInSeconds: 3600,
    })
    expect(FilterCriteria.Filters).toHaveLength(2)
  })

  test('index follows it too, of a second at a time, and gives up into a queue of its own', () => {
    const {
      FilterCriteria: _,
      EventSourceArn,
      FunctionName: __,
      DestinationConfig,
      ...rest
    } = mapping('index')
    expect(named(EventSourceArn)).toBe('<ChatsTable.StreamArn>')
    expect(named(DestinationConfig.OnFailure.Destination)).toBe('<WorkersIndexFailures.Arn>')
    expect(rest).toEqual({
      StartingPosition: 'LATEST',
      BatchSize: 100,
      MaximumBatchingWindowInSeconds: 1,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      BisectBatchOnFunctionError: true,
      MaximumRetryAttempts: 10,
      MaximumRecordAgeInSeconds: 23 * 3600,
    })
  })

  test('index is handed chats, their properties, threads and messages, and nothing else', () => {
    const patterns = mapping('index').FilterCriteria.Filters.map(({ Pattern }: any) => JSON.parse(Pattern))
    const passes = ({ pk, sk }: Key, type?: string) => {
      const image = type === undefined ? {} : { event: { M: { type: { S: type } } } }
      const record = { dynamodb: { Keys: { pk: { S: pk }, sk: { S: sk } }, NewImage: image } }
      return patterns.some((pattern: any) => matchesPattern(pattern, record))
    }
    for (const key of [keys.chat('c'), keys.chatProperties('c'), keys.thread('c', 2)])
      expect(passes(key), key.sk).toBe(true)
    expect(passes(keys.event('c', 2, 7), 'message')).toBe(true)
    for (const type of ['annotation', 'system_message', 'filled_form', 'custom'])
      expect(passes(keys.event('c', 2, 7), type), type).toBe(false)
    for (const key of [
      keys.chatSeen('c', 'a'),
      keys.manifest('c', 0),
      keys.words('c', 2, 0),
      keys.license('l'),
      keys.posting('l', 'T.all', { at: 0, id: 'c_1' }),
      keys.customer('l', 'c'),
    ])
      expect(passes(key), key.sk).toBe(false)
  })

  test('notify’s filter lets through all that it knows, and no message of a chat', () => {
    const patterns = mapping('notify').FilterCriteria.Filters.map(({ Pattern }: any) => JSON.parse(Pattern))
    const passes = ({ pk }: { pk: string }) =>
      patterns.some(({ dynamodb }: any) =>
        dynamodb.Keys.pk.S.some(({ prefix }: any) => pk.startsWith(prefix)),
      )
    const rows = [
      keys.license('1'),
      keys.agent('1', 'a'),
      keys.agentSocket('1', 'a', 'c='),
      keys.group('1', 0),
      keys.activeChat('1', 'c'),
      keys.customer('1', 'c'),
      keys.customerSocket('1', 'c', 'x='),
      keys.socket('c='),
      keys.chat('c'),
      keys.chatProperties('c'),
      keys.event('c', 1, 1),
      keys.identity('i', 's'),
      keys.licenseListed('1'),
    ]
    expect(rows.map((row) => changedOf(row) !== undefined && !passes(row))).not.toContain(true)
    const others = rows.slice(rows.findIndex(({ pk }) => pk === keys.socket('c=').pk))
    expect(others.map((row) => [row.pk, passes(row)])).toEqual(others.map(({ pk }) => [pk, false]))
    expect(others).toHaveLength(6)
  })

  test('notify is handed what is appended to chats too where mobile notifications are sent, and only that', () => {
    const [[, stream] = []] = mobile
      .of('AWS::Lambda::EventSourceMapping')
      .filter(([id]) => id.startsWith('Workersnotify'))
    const [accounts, customers, entries, ...more] = stream!.Properties.FilterCriteria.Filters.map(
      ({ Pattern }: any) => JSON.parse(Pattern),
    )
    expect([accounts, customers]).toEqual(
      mapping('notify').FilterCriteria.Filters.map(({ Pattern }: any) => JSON.parse(Pattern)),
    )
    expect(entries).toEqual({
      eventName: ['INSERT'],
      dynamodb: { Keys: { pk: { S: [{ prefix: 'CHAT#' }] }, sk: { S: [{ prefix: 'LOG#' }] } } },
    })
    expect(more).toEqual([])
    const { pk, sk } = keys.event('c', 1, 1)
    expect([pk.startsWith('CHAT#'), sk.startsWith('LOG#')]).toEqual([true, true])
    expect([keys.chat('c'), keys.chatProperties('c')].map((key) => key.sk.startsWith('LOG#'))).toEqual([
      ...[false, false],
    ])
  })

  test('later takes single messages that fail again, five times, then they are kept apart', () => {
    const { EventSourceArn, FunctionName: _, ...rest } = mapping('later')
    expect(named(EventSourceArn)).toBe('<LaterQueue.Arn>')
    expect(rest).toEqual({
      BatchSize: 10,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: 50 },
    })
    const { VisibilityTimeout, RedrivePolicy } = queue('LaterQueue')
    expect(VisibilityTimeout).toBe(6 * 20)
    expect(named(RedrivePolicy.deadLetterTargetArn)).toBe('<LaterDeadLetters.Arn>')
    expect(RedrivePolicy.maxReceiveCount).toBe(5)
    expect(queue('LaterDeadLetters').MessageRetentionPeriod).toBe(4 * 86_400)
  })

  test('clock runs each minute, and a minute that failed is not run beside the next', () => {
    const rule = only(ours, 'AWS::Events::Rule').Properties
    expect(rule.ScheduleExpression).toBe('rate(1 minute)')
    expect(rule.Targets.map((target: any) => [named(target.Arn), target.RetryPolicy])).toEqual([
      ['<WorkersclockFunction.Arn>', { MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 0 }],
    ])
    // the event comes as EventBridge makes it, and so with the `time` that it was due
    for (const target of rule.Targets)
      expect(Object.keys(target).filter((key) => key.startsWith('Input'))).toEqual([])
    expect(invokedBy('clock')).toEqual([{ MaximumEventAgeInSeconds: 60, MaximumRetryAttempts: 0 }])
  })

  test('fan_out is tried three times within five minutes, and what fails is kept', () => {
    expect(invokedBy('fanout')).toEqual([
      {
        MaximumEventAgeInSeconds: 300,
        MaximumRetryAttempts: 2,
        DestinationConfig: '<WorkersFanOutFailures.Arn>',
      },
    ])
  })
})

const invokedBy = (worker: string) =>
  ours
    .of('AWS::Lambda::EventInvokeConfig')
    .filter(([id]) => id.startsWith(`Workers${worker}`))
    .map(([, { Properties }]) => {
      const { FunctionName: _, Qualifier: __, DestinationConfig: given, ...rest } = Properties
      return { ...rest, ...(given && { DestinationConfig: named(given.OnFailure.Destination) }) }
    })

describe('what is open', () => {
  test('is the WebSocket endpoints and nothing else: each kind of resource is here for a reason', () => {
    const endpoint = [
      'AWS::ApiGatewayV2::Api',
      'AWS::ApiGatewayV2::Integration',
      'AWS::ApiGatewayV2::Route',
      'AWS::ApiGatewayV2::RouteResponse',
      'AWS::ApiGatewayV2::Stage',
      'AWS::CloudWatch::Alarm',
      'AWS::IAM::Role',
      'AWS::Lambda::Function',
      'AWS::Lambda::Permission',
      'AWS::Logs::LogGroup',
      'AWS::Logs::MetricFilter',
    ]
    const kindsOf = (stack: Pick<typeof ours, 'resources'>) =>
      new Set(Object.values(stack.resources).map(({ Type }) => Type))
    expect(kindsOf(ours.customers)).toEqual(new Set([...endpoint, 'AWS::SecretsManager::Secret']))
    expect(kindsOf(ours.operations)).toEqual(
      new Set(['AWS::CloudWatch::Alarm', 'AWS::CloudWatch::Dashboard']),
    )
    expect(kindsOf(ours)).toEqual(
      new Set([
        ...endpoint,
        'AWS::ApiGateway::Account',
        'AWS::CloudFormation::Stack',
        'AWS::Cognito::UserPool',
        'AWS::Cognito::UserPoolClient',
        'AWS::DynamoDB::GlobalTable',
        'AWS::Events::Rule',
        'AWS::Lambda::EventInvokeConfig',
        'AWS::Lambda::EventSourceMapping',
        'AWS::SQS::Queue',
        'AWS::SQS::QueuePolicy',
      ]),
    )
    for (const stack of [ours, ours.customers])
      expect(only(stack, 'AWS::ApiGatewayV2::Api').Properties.ProtocolType).toBe('WEBSOCKET')
  })

  test('functions answer only the gateway and the clock’s rule, each for a source of this stack', () => {
    for (const [, { Properties }] of ours.of('AWS::Lambda::Permission')) {
      expect(['apigateway.amazonaws.com', 'events.amazonaws.com']).toContain(Properties.Principal)
      expect(named(Properties.SourceArn)).toMatch(/:<AgentApi>\/\*\S+$|^<WorkersclockEachMinute.Arn>$/)
    }
    for (const [, { Properties }] of ours.customers.of('AWS::Lambda::Permission')) {
      expect(Properties.Principal).toBe('apigateway.amazonaws.com')
      expect(named(Properties.SourceArn)).toMatch(/:<CustomerApi>\/\*\S+$/)
    }
  })

  test('queues are encrypted and refuse plain HTTP', () => {
    const guarded = ours.of('AWS::SQS::QueuePolicy').map(([, { Properties }]) => {
      expect(Properties.PolicyDocument.Statement).toMatchObject([
        { Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } },
      ])
      return flat(Properties.Queues[0])
    })
    const queues = ours.of('AWS::SQS::Queue')
    expect(guarded.sort()).toEqual(queues.map(([id]) => `<${id}>`).sort())
    // SSE with SQS's own keys is on unless a queue says otherwise.
    for (const [, { Properties }] of queues) expect(Properties.SqsManagedSseEnabled ?? true).toBe(true)
  })
})

describe('cdk-nag', () => {
  test.each([
    ['the default stack', ours],
    ['one with other settings', theirs],
  ])('finds nothing in %s, and neither does the CDK', (_, { root, stack }) => {
    expect(findings(root)).toEqual([])
    // those of nested stacks among them
    const annotations = Annotations.fromStack(stack)
    expect([
      ...annotations.findError('*', Match.anyValue()),
      ...annotations.findWarning('*', Match.anyValue()),
    ]).toEqual([])
  })

  test('is silenced only with a reason', () => {
    const silenced = ours.root.node
      .findAll()
      .flatMap(({ node }) => node.metadata)
      .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
      .flatMap(({ data }) => Object.entries<string>(data))
    expect(new Set(silenced.map(([rule]) => rule.replace(/^Annotation::|\[.*/gi, '')))).toEqual(
      new Set([
        'AwsSolutions-APIG4',
        'AwsSolutions-COG2',
        'AwsSolutions-COG8',
        'AwsSolutions-IAM4',
        'AwsSolutions-IAM5',
        'AwsSolutions-SMG4',
        'AwsSolutions-SQS3',
      ]),
    )
    for (const [, reason] of silenced) expect(reason.length).toBeGreaterThan(60)
  })
})
