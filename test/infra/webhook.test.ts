import { Stack } from 'aws-cdk-lib'
import { EventBus } from 'aws-cdk-lib/aws-events'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import { describe, expect, test } from 'vitest'
import { Webhook, type WebhookProps } from '../../infra/stack/webhook.ts'
import { runSnippet, snippet } from '../events/snippets.ts'
import { allowed, app, findings, flat, named, read, synthesize } from './synthesized.ts'

const shipped = synthesize()
const withBus = synthesize({ events: true, fcmSecret: 'chat/fcm' })
const notifyOf = ({ of }: typeof shipped, type: string) => {
  const [found] = of(type).filter(([id]) => id.startsWith('Workersnotify'))
  return found!
}

describe('the event bus', () => {
  test('is made where it is asked for, and known to `notify` alone, which may put events on it', () => {
    expect(withBus.of('AWS::Events::EventBus')).toHaveLength(1)
    for (const [id, { Properties }] of withBus.of('AWS::Lambda::Function')) {
      const isNotify = id.startsWith('Workersnotify')
      expect(
        allowed(withBus.resources, id).filter((line) => line.includes('events:')),
        id,
      ).toEqual(isNotify ? ['events:PutEvents on <Events.Arn>'] : [])
      const { EVENT_BUS_NAME: bus, EVENTS_URL: url } = Properties.Environment?.Variables ?? {}
      expect([bus && named(bus), url && named(url)], id).toEqual(
        isNotify ? ['<Events>', 'https://events.<AWS::Region>.<AWS::URLSuffix>/'] : [undefined, undefined],
      )
    }
    expect(named(withBus.outputs.EventBusName.Value)).toBe('<Events>')
    expect(findings(withBus.root)).toEqual(findings(shipped.root))
    expect(Object.keys(withBus.resources).length).toBeLessThan(400)
  })

  test('has `notify` handed what is written to chats, and what it was; without it nothing differs', () => {
    const filtersOf = (stack: typeof shipped) =>
      notifyOf(stack, 'AWS::Lambda::EventSourceMapping')[1].Properties.FilterCriteria.Filters.map(
        ({ Pattern }: any) => JSON.parse(Pattern),
      )
    expect(filtersOf(withBus)).toEqual([
      ...filtersOf(shipped),
      {
        eventName: ['INSERT', 'MODIFY'],
        dynamodb: {
          Keys: { pk: { S: [{ prefix: 'CHAT#' }] }, sk: { S: [{ prefix: 'CHAT' }, { prefix: 'LOG#' }] } },
        },
      },
    ])
    const retries = (stack: typeof shipped) =>
      notifyOf(stack, 'AWS::Lambda::EventSourceMapping')[1].Properties.MaximumRetryAttempts
    expect([retries(shipped), retries(withBus)]).toEqual([10, 1000])
    const table = Object.values(shipped.resources).find(({ Type }) => Type.startsWith('AWS::DynamoDB'))
    expect(JSON.stringify(table)).toContain('NEW_AND_OLD_IMAGES')
    expect(JSON.stringify(shipped.resources)).not.toMatch(/EVENT_BUS|PutEvents|Events::EventBus/)
  })
})

const hooked = (props: Partial<WebhookProps> = {}) => {
  const root = app()
  const stack = new Stack(root, 'Crm')
  new Webhook(stack, 'Orders', {
    bus: EventBus.fromEventBusName(stack, 'Bus', 'AgentChatEvents'),
    url: 'https://crm.example.com/hooks/chat',
    secret: Secret.fromSecretNameV2(stack, 'Key', 'crm/key'),
    peopleSuffer: 'Sellers do not see in the CRM what customers wrote to agents.',
    ...props,
  })
  return { root, ...read(stack) }
}
const only = ({ of }: ReturnType<typeof read>, type: string) => {
  const [found, ...more] = of(type)
  expect(more).toEqual([])
  return found![1].Properties
}

/** Whether EventBridge takes an event for one of a pattern, for what is used of patterns here. */
const matches = (pattern: any, event: any): boolean =>
  Object.entries<any>(pattern).every(([field, wanted]) =>
    Array.isArray(wanted)
      ? wanted.some((one) => {
          const value = event[field]
          if (one?.exists === false) return value === undefined
          if (one?.['anything-but'] !== undefined)
            return value !== undefined && !one['anything-but'].includes(value)
          return value === one
        })
      : matches(wanted, event[field] ?? {}),
  )

describe('a webhook', () => {
  test('posts events to a URL with a secret, tries for a day, and keeps what it gave up on', () => {
    const stack = hooked()
    expect(only(stack, 'AWS::Events::ApiDestination')).toMatchObject({
      HttpMethod: 'POST',
      InvocationEndpoint: 'https://crm.example.com/hooks/chat',
    })
    const connection = only(stack, 'AWS::Events::Connection')
    expect(connection).toMatchObject({
      AuthorizationType: 'API_KEY',
      AuthParameters: { ApiKeyAuthParameters: { ApiKeyName: 'x-agent-chat-key' } },
    })
    expect(flat(connection.AuthParameters.ApiKeyAuthParameters.ApiKeyValue)).toMatch(
      /^{{resolve:secretsmanager:.*crm\/key:SecretString:::}}$/,
    )
    const rule = only(stack, 'AWS::Events::Rule')
    expect([rule.EventBusName, rule.EventPattern]).toEqual(['AgentChatEvents', { source: ['agent-chat'] }])
    const [target, ...more] = rule.Targets
    expect(more).toEqual([])
    expect(named(target.Arn)).toBe('<OrdersReceiverApiDestination.Arn>')
    expect(target.RetryPolicy).toEqual({ MaximumEventAgeInSeconds: 86_400, MaximumRetryAttempts: 185 })
    expect(named(target.DeadLetterConfig.Arn)).toBe('<OrdersDeadLetters.Arn>')
    expect(only(stack, 'AWS::SQS::Queue').MessageRetentionPeriod).toBe(14 * 86_400)
    const policy = JSON.stringify(only(stack, 'AWS::SQS::QueuePolicy'))
    for (const word of ['aws:SecureTransport', 'events.amazonaws.com', 'sqs:SendMessage'])
      expect(policy).toContain(word)
    const role = only(stack, 'AWS::IAM::Policy').PolicyDocument.Statement
    expect(role.map(({ Action, Resource }: any) => [Action, named(Resource)])).toEqual([
      ['events:InvokeApiDestination', '<OrdersReceiverApiDestination.Arn>'],
    ])
    expect(findings(stack.root)).toEqual([])
  })

  test('is deployed as docs/events.md says', async () => {
    const code = snippet('ts').replace('<EventBusName>', 'AgentChatEvents')
    const rule = only(read(await runSnippet(code, 'stack')), 'AWS::Events::Rule')
    expect(rule).toMatchObject({
      EventBusName: 'AgentChatEvents',
      EventPattern: { detail: { license_id: ['acme'] } },
    })
  })

  test('has an alarm that says what people suffer, and where it says what to do', () => {
    const alarm = only(hooked(), 'AWS::CloudWatch::Alarm')
    expect(alarm).toMatchObject({
      AlarmName: 'Crm-orders-given-up',
      AlarmDescription:
        'Sellers do not see in the CRM what customers wrote to agents. What to do: docs/runbook.md#webhook-given-up',
      Threshold: 1,
      MetricName: 'ApproximateNumberOfMessagesVisible',
    })
    expect(named(alarm.Dimensions[0].Value)).toBe('<OrdersDeadLetters.QueueName>')
  })

  test('posts what is asked for: by event, by license, and not what its own bot did', () => {
    const stack = hooked({
      events: ['incoming_event', 'thread_closed', 'customer_updated'],
      licenses: ['acme'],
      exceptAuthors: ['bot', 'system'],
    })
    const pattern = only(stack, 'AWS::Events::Rule').EventPattern
    const passes = (detailType: string, detail: object) =>
      matches(pattern, { source: 'agent-chat', 'detail-type': detailType, detail })
    const acme = { license_id: 'acme' }
    expect(passes('incoming_event', { ...acme, author_type: 'customer' })).toBe(true)
    expect(passes('incoming_event', { ...acme, author_type: 'bot' })).toBe(false)
    expect(passes('thread_closed', { ...acme, author_type: 'system' })).toBe(false)
    expect(passes('customer_updated', acme)).toBe(true)
    expect(passes('incoming_chat_thread', acme)).toBe(false)
    expect(passes('incoming_event', { license_id: 'other', author_type: 'customer' })).toBe(false)
  })
})
