import { NestedStack, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { expect, test } from 'vitest'
import { socketGrants } from '../../infra/stack/grants.ts'
import { SocketApi } from '../../infra/stack/socket-api.ts'
import { action, type ActionSpec } from '../../shared/protocol/action.ts'
import { ping } from '../../shared/protocol/agent/ping.ts'
import { app, bundles, findings, read, synthesize } from './synthesized.ts'

const madeUp = (count: number): ActionSpec[] =>
  Array.from({ length: count }, (_, n) =>
    action({
      ...ping,
      name: `action_${n}`,
      needs: ['read', 'push'],
      writes: ['account'],
      session: 'required',
    }),
  )
const sockets = ['socket/connect', 'socket/disconnect', 'socket/default']

/** Two endpoints, the second in a nested stack, each pushing to the connections of both. */
const twoEndpoints = (agentActions: ActionSpec[], customerActions: ActionSpec[]) => {
  const root = app()
  const stack = new Stack(root, 'Grown')
  const nested = new NestedStack(stack, 'Customers')
  const endpoint = (scope: Stack, id: string, audience: string) =>
    new SocketApi(scope, id, {
      audience,
      deployment: 'Grown',
      throttle: { rateLimit: 1, burstLimit: 1 },
      bulkhead: { routes: { $connect: 2 }, others: undefined },
      reserveConcurrency: false,
      logs: { retention: RetentionDays.ONE_DAY, removalPolicy: RemovalPolicy.DESTROY },
      logsAllowed: undefined,
      alarmTopic: undefined,
    })
  const agents = endpoint(stack, 'AgentApi', 'agent')
  const customers = endpoint(nested, 'CustomerApi', 'customer')
  const deadLetters = new Queue(stack, 'DeadLetters', { enforceSSL: true })
  const queue = new Queue(stack, 'Queue', {
    enforceSSL: true,
    deadLetterQueue: { queue: deadLetters, maxReceiveCount: 5 },
  })
  const [ofAgents, ofCustomers] = [agents.connections('POST'), customers.connections('POST')]
  const handler = { grants: socketGrants.connect, environment: {} }
  for (const [api, audience, actions] of [
    [agents, 'agent', agentActions],
    [customers, 'customer', customerActions],
  ] as const)
    api.addRoutes({
      actions,
      connect: { ...handler, bundle: 'socket/connect' },
      disconnect: { ...handler, bundle: 'socket/disconnect' },
      default: { ...handler, bundle: 'socket/default' },
      functions: {
        dist: bundles([...sockets, ...actions.map(({ name }) => `${audience}/${name}`)]),
        memoryMb: 128,
        resources: {
          table: { arns: [queue.queueArn] },
          later: { arns: [queue.queueArn] },
          fanOut: { arns: [queue.queueArn] },
          posts: {
            arns: [...ofAgents.arns, ...ofCustomers.arns],
            wildcards: {
              reason: ofAgents.wildcards!.reason,
              findings: [...ofAgents.wildcards!.findings, ...ofCustomers.wildcards!.findings],
            },
          },
        },
      },
      environments: {
        session: {},
        push: { AGENT_CALLBACK_URL: agents.callbackUrl, CUSTOMER_CALLBACK_URL: customers.callbackUrl },
        fanOut: { FAN_OUT_URL: 'https://lambda.example/fan-out' },
        login: {},
        token: {},
      },
    })
  return { root, outer: read(stack), inner: read(nested) }
}

test(
  '38 actions and all workers to come leave every stack under 400 resources, of 500 that it may have',
  { tags: ['full'] },
  () => {
    const all = madeUp(38)
    const { outer } = twoEndpoints(all, [])
    const { resources, customers } = synthesize()
    const today = Object.keys(resources)
    const besides = today.filter((id) => !id.startsWith('AgentApi')).length
    const endpoint = Object.keys(outer.resources).filter((id) => id.startsWith('AgentApi')).length
    expect(endpoint).toBe(38 * 6 + 3 * 5 + 1 + 9)
    // Twice what stands beside the endpoint now: the workers that were planned are among it.
    const { resources: http } = synthesize().http
    const nested = [customers.resources, http].map((of) => Object.keys(of).length)
    for (const count of [endpoint + 2 * besides, today.length, ...nested]) expect(count).toBeLessThan(400)
  },
)

test(
  'two endpoints, one of them nested, push to each other without a cycle, and cdk-nag knows why',
  { tags: ['full'] },
  () => {
    // `Template.fromStack` refuses cyclic references.
    const { root, outer, inner } = twoEndpoints(madeUp(2), madeUp(3))
    expect(inner.of('AWS::ApiGatewayV2::Route')).toHaveLength(3 + 3)
    expect(outer.of('AWS::ApiGatewayV2::Route')).toHaveLength(2 + 3)
    expect(outer.of('AWS::CloudFormation::Stack')).toHaveLength(1)
    expect(findings(root)).toEqual([])
    for (const { of } of [outer, inner])
      for (const [id, { Properties }] of of('AWS::Lambda::Function').filter(([name]) =>
        name.includes('action'),
      ))
        expect(Object.keys(Properties.Environment.Variables).sort(), id).toEqual([
          'AGENT_CALLBACK_URL',
          'CUSTOMER_CALLBACK_URL',
          'DEPLOYMENT',
        ])
  },
)
