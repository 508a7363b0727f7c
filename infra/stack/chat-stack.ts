import { ArnFormat, CfnOutput, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import { CfnAccount } from 'aws-cdk-lib/aws-apigateway'
import { ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { EventBus } from 'aws-cdk-lib/aws-events'
import { Key } from 'aws-cdk-lib/aws-kms'
import type { LogGroupProps } from 'aws-cdk-lib/aws-logs'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { Construct, IDependable } from 'constructs'
import type { FunctionSurroundings, Resources } from './action-function.ts'
import { alarmTopic } from './alarms.ts'
import { ChatTable } from './chat-table.ts'
import { CustomerStack } from './customer-stack.ts'
import { HttpStack } from './http-stack.ts'
import { fanOutName } from './fan-out-name.ts'
import { LaterQueue } from './later-queue.ts'
import { Operations } from './operations.ts'
import { agentRoutes, customerRoutes } from './routes.ts'
import { SocketApi } from './socket-api.ts'
import type { StackSettings } from './stack-settings.ts'
import { bulkheadOf, laterAtOnce } from './throttles.ts'
import { tokenIssuer } from './token-issuer.ts'
import { Workers } from './workers.ts'

interface Parts {
  readonly table: ChatTable
  readonly later: LaterQueue
  readonly agents: SocketApi
  readonly customers: CustomerStack
  readonly eventBus: EventBus | undefined
}

/** What the APIs have in common. */
interface Surroundings {
  readonly logs: LogGroupProps
  readonly logsAllowed: IDependable | undefined
  readonly topic: ITopic | undefined
  readonly removalPolicy: RemovalPolicy
}

/** Everything, in one deployment. */
export class ChatStack extends Stack {
  constructor(scope: Construct, settings: StackSettings) {
    super(scope, settings.name, { description: 'An agent chat over WebSockets.' })
    const removalPolicy = settings.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY
    const encryptionKey =
      settings.kmsKey === undefined ? undefined : Key.fromKeyArn(this, 'Key', settings.kmsKey)
    const logs = { retention: settings.logDays, removalPolicy, ...(encryptionKey && { encryptionKey }) }
    const topic = settings.alarmEmail === undefined ? undefined : alarmTopic(this, settings.alarmEmail)

    const table = this.#table(settings)
    const later = new LaterQueue(this, 'Later', encryptionKey)
    const issuer = tokenIssuer(this, settings)
    const logsAllowed = settings.gatewayLogs === 'set' ? this.#allowGatewayLogs() : undefined
    const { agents, customers } = this.#endpoints(settings, { logs, logsAllowed, topic, removalPolicy })

    const eventBus = settings.events ? this.#eventBus() : undefined
    const fanOut = fanOutName(this.stackName)
    const functions: FunctionSurroundings = {
      dist: settings.dist,
      memoryMb: settings.memory,
      ...(settings.kmsKey !== undefined && { kmsKeyArn: settings.kmsKey }),
      resources: this.#resources(settings, { table, later, agents, customers, eventBus, fanOut }),
    }
    const onTable = { TABLE_NAME: table.name }
    const session = { ...onTable, LATER_QUEUE_URL: later.queue.queueUrl }
    const push = callbacksOf({ agents, customers })
    const behind = { settings, functions, fanOutName: fanOut, onTable, session, push }
    agents.addRoutes(agentRoutes(behind, issuer))
    customers.api.addRoutes(customerRoutes(behind, customers.keyArn))
    const http = new HttpStack(this, 'Http', {
      deployment: this.stackName,
      functions,
      actions: agents.functions,
      logGroup: agents.logGroup,
      bulkhead: bulkheadOf('http', settings.accountConcurrency),
      logs,
      logsAllowed,
      alarmTopic: topic,
    })
    new Workers(this, 'Workers', {
      functions,
      fanOutName: fanOut,
      later,
      streamArn: table.streamArn,
      laterAtOnce: laterAtOnce(settings.accountConcurrency),
      logs,
      encryptionKey,
      alarmTopic: topic,
      environment: { ...session, ...push },
      tableAndQueue: session,
      presenceGraceS: settings.presenceGraceS,
      fcmSecret: settings.fcmSecret,
      eventBus,
    })

    new Operations(this, 'Operations', {
      agents,
      customers: customers.api,
      tableName: table.name,
      alarmTopic: topic,
    })
    this.#addOutputs({ table, later, agents, customers, eventBus }, http)
  }

  #table({ retain, tableStream, kmsKey }: StackSettings): ChatTable {
    return new ChatTable(this, 'Chats', { retain, stream: tableStream, kmsKeyArn: kmsKey })
  }

  #eventBus(): EventBus {
    return new EventBus(this, 'Events', { description: `What happens in the chats of ${this.stackName}` })
  }

  /** The endpoints with their addresses; nothing is behind them yet. */
  #endpoints(
    settings: StackSettings,
    { logs, logsAllowed, topic, removalPolicy }: Surroundings,
  ): Pick<Parts, 'agents' | 'customers'> {
    const endpoint = {
      deployment: this.stackName,
      throttle: { rateLimit: settings.rate, burstLimit: settings.burst },
      reserveConcurrency: settings.reserveConcurrency,
      logs,
      logsAllowed,
      alarmTopic: topic,
    }
    const agents = new SocketApi(this, 'AgentApi', {
      ...endpoint,
      audience: 'agent',
      bulkhead: bulkheadOf('agent', settings.accountConcurrency),
    })
    const customers = new CustomerStack(this, 'Customers', {
      ...endpoint,
      bulkhead: bulkheadOf('customer', settings.accountConcurrency),
      removalPolicy,
    })
    return { agents, customers }
  }

  /** What policies name, by what the functions need. */
  #resources(
    { fcmSecret, proxySecret }: StackSettings,
    { table, later, agents, customers, eventBus, fanOut }: Parts & { fanOut: string },
  ): FunctionSurroundings['resources'] {
    const fanOutArn = this.formatArn({
      service: 'lambda',
      resource: 'function',
      resourceName: fanOut,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    })
    return {
      table: { arns: [table.arn] },
      stream: { arns: [table.streamArn] },
      later: { arns: [later.queue.queueArn] },
      fanOut: { arns: [fanOutArn] },
      posts: together(agents.connections('POST'), customers.api.connections('POST')),
      closings: together(agents.connections('DELETE'), customers.api.connections('DELETE')),
      looks: customers.api.connections('GET'),
      customerKey: { arns: [customers.keyArn] },
      ...(eventBus !== undefined && { eventBus: { arns: [eventBus.eventBusArn] } }),
      ...(fcmSecret !== undefined && { fcmSecret: { arns: [this.#arnOf(fcmSecret)] } }),
      ...(proxySecret !== undefined && { proxySecret: { arns: [this.#arnOf(proxySecret)] } }),
    }
  }

  #addOutputs({ table, later, agents, customers, eventBus }: Parts, http: HttpStack): void {
    new CfnOutput(this, 'AgentUrl', { value: agents.url, description: 'Where agents’ apps connect' })
    new CfnOutput(this, 'CustomerUrl', {
      value: customers.api.url,
      description: 'Where customers’ widgets connect, with ?license_id=<id>',
    })
    new CfnOutput(this, 'HttpUrl', {
      value: http.url,
      description: 'Where agents’ actions are asked for over HTTP: POST /v1/agent/action/<action>',
    })
    new CfnOutput(this, 'CustomerKeyArn', {
      value: customers.keyArn,
      description: 'Signs the tokens of customers; put-secret-value rotates it',
    })
    new CfnOutput(this, 'TableName', { value: table.name, description: 'For npm run admin -- --table' })
    new CfnOutput(this, 'LaterQueueUrl', { value: later.queue.queueUrl })
    if (eventBus !== undefined)
      new CfnOutput(this, 'EventBusName', {
        value: eventBus.eventBusName,
        description: 'What happens in chats, for rules of EventBridge; licenses turn it on',
      })
  }

  /**
   * The ARN of a secret, of which perhaps only the name is given: Secrets Manager has added six characters,
   * which no one knows.
   */
  #arnOf(secret: string): string {
    if (secret.startsWith('arn:')) return secret
    const resourceName = `${secret}-??????`
    return this.formatArn({
      service: 'secretsmanager',
      resource: 'secret',
      resourceName,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    })
  }

  /**
   * WebSocket stages with access logs are refused in an account and region where API Gateway has no role to
   * write them. That role is one setting for all APIs there, so it outlives this stack.
   */
  #allowGatewayLogs(): IDependable {
    const role = new Role(this, 'GatewayLogsRole', {
      assumedBy: new ServicePrincipal('apigateway.amazonaws.com'),
      managedPolicies: [
        ManagedPolicy.fromAwsManagedPolicyName('service-role/AmazonAPIGatewayPushToCloudWatchLogs'),
      ],
    })
    Validations.of(role).acknowledge({
      id: 'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]',
      reason:
        'API Gateway asks for exactly this policy, and the role serves every API of the account and region, whose ' +
        'log groups this stack cannot know.',
    })
    const account = new CfnAccount(this, 'GatewayAccount', { cloudWatchRoleArn: role.roleArn })
    role.applyRemovalPolicy(RemovalPolicy.RETAIN)
    account.applyRemovalPolicy(RemovalPolicy.RETAIN)
    return account
  }
}

/** Where pushes go: a chat has users on both endpoints. */
const callbacksOf = ({ agents, customers }: Pick<Parts, 'agents' | 'customers'>) => ({
  AGENT_CALLBACK_URL: agents.callbackUrl,
  CUSTOMER_CALLBACK_URL: customers.api.callbackUrl,
})

/** The resources of two; the reasons for wildcards are the same. */
const together = (one: Resources, other: Resources): Resources => ({
  arns: [...one.arns, ...other.arns],
  ...(one.wildcards &&
    other.wildcards && {
      wildcards: {
        findings: [...one.wildcards.findings, ...other.wildcards.findings],
        reason: one.wildcards.reason,
      },
    }),
})
