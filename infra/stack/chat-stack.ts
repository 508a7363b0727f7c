import { ArnFormat, Aws, CfnOutput, RemovalPolicy, Stack, Validations } from 'aws-cdk-lib'
import { CfnAccount } from 'aws-cdk-lib/aws-apigateway'
import { ManagedPolicy, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Key } from 'aws-cdk-lib/aws-kms'
import type { Construct, IDependable } from 'constructs'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import type { FunctionSurroundings, Resources } from './action-function.ts'
import { alarmTopic } from './alarms.ts'
import { ChatTable } from './chat-table.ts'
import { CustomerStack } from './customer-stack.ts'
import { customerKeyGrant, proxyGrant, socketGrants } from './grants.ts'
import { Operations } from './operations.ts'
import { SocketApi } from './socket-api.ts'
import type { StackSettings } from './stack-settings.ts'
import { bulkheadOf, laterAtOnce } from './throttles.ts'
import { tokenIssuer } from './token-issuer.ts'
import { fanOutName, LaterQueue, Workers } from './workers.ts'

/** Everything, in one deployment. */
export class ChatStack extends Stack {
  constructor(scope: Construct, settings: StackSettings) {
    super(scope, settings.name, { description: 'An agent chat over WebSockets.' })
    const removalPolicy = settings.retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY
    const encryptionKey =
      settings.kmsKey === undefined ? undefined : Key.fromKeyArn(this, 'Key', settings.kmsKey)
    const logs = { retention: settings.logDays, removalPolicy, ...(encryptionKey && { encryptionKey }) }
    const topic = settings.alarmEmail === undefined ? undefined : alarmTopic(this, settings.alarmEmail)

    const table = new ChatTable(this, 'Chats', {
      retain: settings.retain,
      stream: settings.tableStream,
      kmsKeyArn: settings.kmsKey,
    })
    const later = new LaterQueue(this, 'Later', encryptionKey)
    const issuer = tokenIssuer(this, settings)
    const endpoint = {
      deployment: this.stackName,
      throttle: { rateLimit: settings.rate, burstLimit: settings.burst },
      reserveConcurrency: settings.reserveConcurrency,
      logs,
      logsAllowed: settings.gatewayLogs === 'set' ? this.#allowGatewayLogs() : undefined,
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

    const fanOut = fanOutName(this.stackName)
    const functions: FunctionSurroundings = {
      dist: settings.dist,
      memoryMb: settings.memory,
      ...(settings.kmsKey !== undefined && { kmsKeyArn: settings.kmsKey }),
      resources: {
        table: { arns: [table.arn] },
        stream: { arns: [table.streamArn] },
        later: { arns: [later.queue.queueArn] },
        fanOut: {
          arns: [
            this.formatArn({
              service: 'lambda',
              resource: 'function',
              resourceName: fanOut,
              arnFormat: ArnFormat.COLON_RESOURCE_NAME,
            }),
          ],
        },
        posts: together(agents.connections('POST'), customers.api.connections('POST')),
        closings: together(agents.connections('DELETE'), customers.api.connections('DELETE')),
        looks: customers.api.connections('GET'),
        customerKey: { arns: [customers.keyArn] },
        ...(settings.fcmSecret !== undefined && { fcmSecret: { arns: [this.#arnOf(settings.fcmSecret)] } }),
        ...(settings.proxySecret !== undefined && {
          proxySecret: { arns: [this.#arnOf(settings.proxySecret)] },
        }),
      },
    }
    const onTable = { TABLE_NAME: table.name }
    const session = { ...onTable, LATER_QUEUE_URL: later.queue.queueUrl }
    const limited = { ...session, ...ratesOf(settings) }
    const limitedAgents = { ...limited, ...agentRatesOf(settings) }
    // whoever chats has the other side of the chat on the other endpoint
    const push = {
      AGENT_CALLBACK_URL: agents.callbackUrl,
      CUSTOMER_CALLBACK_URL: customers.api.callbackUrl,
    }
    const fanOutUrl = `https://lambda.${Aws.REGION}.${Aws.URL_SUFFIX}/2015-03-31/functions/${fanOut}/invocations`
    const common = {
      disconnect: { bundle: 'socket/disconnect', grants: socketGrants.disconnect, environment: onTable },
      functions,
    }
    const fallback = { bundle: 'socket/default', grants: socketGrants.default }
    agents.addRoutes({
      ...common,
      actions: agentActions,
      connect: { bundle: 'socket/connect', grants: socketGrants.connect, environment: limited },
      default: { ...fallback, environment: limitedAgents },
      environments: {
        session: limitedAgents,
        push,
        fanOut: { FAN_OUT_URL: fanOutUrl },
        login: {
          TOKEN_ISSUER: issuer.issuer,
          TOKEN_AUDIENCE: issuer.audience,
          TOKEN_JWKS_URL: issuer.jwksUrl,
          TOKEN_TYPE: settings.tokenType,
          ...(settings.resourceServer !== undefined && { TOKEN_RESOURCE_SERVER: settings.resourceServer }),
          CLOCK_SKEW_MS: String(settings.clockSkewMs),
        },
      },
    })
    customers.api.addRoutes({
      ...common,
      actions: customerActions,
      connect: {
        bundle: 'socket/connect-customer',
        grants: [
          ...socketGrants.connectCustomer,
          ...(settings.proxySecret === undefined ? [] : [proxyGrant]),
        ],
        environment: {
          ...limited,
          ...(settings.proxySecret !== undefined && {
            PROXY_SECRET_ID: settings.proxySecret,
            PROXY_ADDRESS_HEADER: settings.proxyAddressHeader,
          }),
        },
      },
      default: { ...fallback, environment: limited },
      loginGrants: [customerKeyGrant],
      environments: {
        session: limited,
        push,
        fanOut: { FAN_OUT_URL: fanOutUrl },
        login: { CUSTOMER_KEY_SECRET_ID: customers.keyArn, CLOCK_SKEW_MS: String(settings.clockSkewMs) },
      },
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
    })

    new Operations(this, 'Operations', {
      agents,
      customers: customers.api,
      tableName: table.name,
      alarmTopic: topic,
    })

    new CfnOutput(this, 'AgentUrl', { value: agents.url, description: 'Where agents’ apps connect' })
    new CfnOutput(this, 'CustomerUrl', {
      value: customers.api.url,
      description: 'Where customers’ widgets connect, with ?license_id=<id>',
    })
    new CfnOutput(this, 'CustomerKeyArn', {
      value: customers.keyArn,
      description: 'Signs the tokens of customers; put-secret-value rotates it',
    })
    new CfnOutput(this, 'TableName', { value: table.name, description: 'For npm run admin -- --table' })
    new CfnOutput(this, 'LaterQueueUrl', { value: later.queue.queueUrl })
  }

  /**
   * Of a secret of which only the name is given: Secrets Manager has added six characters, which no one
   * knows.
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

/** As the functions of both endpoints are told them: agents' too come from addresses. */
const ratesOf = (settings: StackSettings): Record<string, string> => ({
  RATE_START_CHAT: String(settings.customerStartChatRate),
  RATE_SEND_EVENT: String(settings.customerSendEventRate),
  RATE_OTHER: String(settings.customerOtherRate),
  RATE_ADDRESS_FACTOR: String(settings.customerAddressFactor),
  RATE_LICENSE_START_CHAT: String(settings.licenseStartChatRate),
})

/** Those that are on: a function without any counts nothing. */
const agentRatesOf = (settings: StackSettings): Record<string, string> => ({
  ...(settings.agentStartChatRate > 0 && { AGENT_RATE_START_CHAT: String(settings.agentStartChatRate) }),
  ...(settings.agentSendEventRate > 0 && { AGENT_RATE_SEND_EVENT: String(settings.agentSendEventRate) }),
  ...(settings.agentOtherRate > 0 && { AGENT_RATE_OTHER: String(settings.agentOtherRate) }),
})

/** Either of two; the reasons for wildcards are the same. */
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
