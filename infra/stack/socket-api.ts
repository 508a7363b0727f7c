import { Duration, Names, Stack, Validations } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import {
  CfnApi,
  CfnStage,
  LogGroupLogDestination,
  WebSocketApi,
  WebSocketRoute,
  WebSocketStage,
} from 'aws-cdk-lib/aws-apigatewayv2'
import { WebSocketLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { FilterPattern, LogGroup, type LogGroupProps, MetricFilter } from 'aws-cdk-lib/aws-logs'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct, type IDependable } from 'constructs'
import { type ActionSpec, isOverHttp } from '../../shared/protocol/action.ts'
import { ActionFunction, type FunctionSurroundings, type Resources } from './action-function.ts'
import { PeopleAlarm, sumOf } from './alarms.ts'
import { actionGrants, type Grant } from './grants.ts'
import { type Bulkhead, type Throttle, throttleOf } from './throttles.ts'

export interface SocketApiProps {
  /**
   * The deployment that it is of, whichever nested stack it is in: it begins the names seen in the console.
   */
  readonly deployment: string
  /** Who connects here, in one word: it names the API, the bundles' folder and the people of the alarms. */
  readonly audience: string
  /** The throttle of each route that is not for strangers. */
  readonly throttle: Throttle
  readonly bulkhead: Bulkhead
  /** Whether the functions behind routes for strangers have that concurrency reserved, and so no more. */
  readonly reserveConcurrency: boolean
  readonly logs: LogGroupProps
  /** What must stand before API Gateway may write access logs. */
  readonly logsAllowed: IDependable | undefined
  readonly alarmTopic: ITopic | undefined
}

/** One of the gateway's own routes: its bundle and what that may touch. */
interface SocketHandler {
  readonly bundle: string
  readonly grants: readonly Grant[]
  readonly environment: Readonly<Record<string, string>>
}

export interface RoutesProps {
  readonly actions: readonly ActionSpec[]
  readonly connect: SocketHandler
  readonly disconnect: SocketHandler
  readonly default: SocketHandler
  readonly functions: FunctionSurroundings
  /** What functions that log in may touch beside their `needs`. */
  readonly loginGrants?: readonly Grant[]
  /**
   * The environment of each action that has a session, of those that push, to many as well, of those that log
   * in, and of those that check an agent's token.
   */
  readonly environments: {
    readonly session: Readonly<Record<string, string>>
    readonly push: Readonly<Record<string, string>>
    readonly fanOut: Readonly<Record<string, string>>
    readonly login: Readonly<Record<string, string>>
    /** Of what is asked for over HTTP as well. */
    readonly token: Readonly<Record<string, string>>
  }
}

/**
 * A WebSocket endpoint. First it stands, with its address; then `addRoutes` puts the functions behind it. So
 * two of them can know each other's address, whichever stack or nested stack each is in.
 */
export class SocketApi extends Construct {
  /** Where clients connect. */
  readonly url: string
  /** Where posts to connections go. */
  readonly callbackUrl: string
  readonly logGroup: LogGroup
  /** The functions behind its routes. */
  readonly functions = new Map<string, IFunction>()
  /** What the gateway measures of the endpoint. */
  readonly metric: WebSocketStage['metric']
  readonly #api: WebSocketApi
  readonly #audience: string
  readonly #stage: CfnStage
  readonly #bulkhead: Bulkhead
  readonly #reserveConcurrency: boolean

  constructor(scope: Construct, id: string, props: SocketApiProps) {
    super(scope, id)
    this.#audience = props.audience
    this.#bulkhead = props.bulkhead
    this.#reserveConcurrency = props.reserveConcurrency
    this.logGroup = new LogGroup(this, 'Logs', props.logs)
    const accessLogs = new LogGroup(this, 'AccessLogs', props.logs)
    this.#api = new WebSocketApi(this, 'Api', {
      apiName: `${props.deployment}-${props.audience}`,
      routeSelectionExpression: '$request.body.action',
    })
    const stage = new WebSocketStage(this, 'Stage', {
      webSocketApi: this.#api,
      stageName: 'v1',
      autoDeploy: true,
      // of each route that has no throttle of its own
      throttle: props.bulkhead.others === undefined ? props.throttle : throttleOf(props.bulkhead.others),
      accessLogSettings: {
        destination: new LogGroupLogDestination(accessLogs),
        format: AccessLogFormat.custom(JSON.stringify(accessLog)),
      },
    })
    const resource = stage.node.defaultChild
    if (!(resource instanceof CfnStage)) throw new Error('The stage has no resource')
    this.#stage = resource
    resource.routeSettings = Object.fromEntries(
      Object.entries(props.bulkhead.routes).map(([route, functions]) => {
        const { rateLimit, burstLimit } = throttleOf(functions)
        return [route, { ThrottlingRateLimit: rateLimit, ThrottlingBurstLimit: burstLimit }]
      }),
    )
    if (props.logsAllowed) stage.node.addDependency(props.logsAllowed)
    this.url = stage.url
    this.callbackUrl = stage.callbackUrl
    this.metric = stage.metric.bind(stage)

    this.#addAlarms(props)
  }

  /** What policies name to allow this method on this endpoint's connections, and no other's. */
  connections(method: 'GET' | 'POST' | 'DELETE'): Resources {
    const stack = Stack.of(this)
    const resource = this.#api.apiId
    const resourceName = `v1/${method}/@connections/*`
    return {
      arns: [stack.formatArn({ service: 'execute-api', resource, resourceName })],
      wildcards: {
        findings: this.#spellings().map(
          (api) => `arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<${api}>/${resourceName}`,
        ),
        reason:
          'API Gateway makes up the ids of connections: any of this stage, and of no other API or method.',
      },
    }
  }

  /**
   * How the API's id reads in a policy of its own stack, of a stack nested beside it, and of the one around
   * it.
   */
  #spellings(): readonly string[] {
    const stack = Stack.of(this)
    const api = this.#api.node.defaultChild
    if (!(api instanceof CfnApi)) throw new Error('The API has no resource')
    const afar = `${Names.nodeUniqueId(api.node)}Ref`
    const { nestedStackParent, nestedStackResource } = stack
    return [
      stack.getLogicalId(api),
      `referenceto${afar}`,
      ...(nestedStackParent && nestedStackResource
        ? [`${nestedStackParent.getLogicalId(nestedStackResource)}.Outputs.${afar}`]
        : []),
    ]
  }

  /**
   * A route and a function per action, and the gateway's own three. Only `$connect` and `$disconnect` are
   * one-way.
   */
  addRoutes(props: RoutesProps): void {
    for (const spec of props.actions)
      this.#addRoute(spec.name, props.functions, {
        bundle: `${this.#audience}/${spec.name}`,
        description: spec.summary,
        grants: [...actionGrants(spec), ...(spec.session === 'login' ? (props.loginGrants ?? []) : [])],
        environment: {
          ...props.environments.session,
          ...(spec.needs.includes('push') && props.environments.push),
          ...(spec.needs.includes('fan_out') && props.environments.fanOut),
          ...(spec.session === 'login' && props.environments.login),
          ...((spec.session === 'login' || isOverHttp(spec)) && props.environments.token),
        },
      })
    const { connect, disconnect, default: fallback } = props
    const one = `of one ${this.#audience}'s app.`
    this.#addRoute('$connect', props.functions, { ...connect, description: `Notes a new connection ${one}` })
    this.#addRoute('$disconnect', props.functions, {
      ...disconnect,
      description: `Forgets a connection ${one}`,
    })
    this.#addRoute('$default', props.functions, {
      ...fallback,
      description: 'Answers what names no action.',
    })
  }

  #addAlarms({ audience, deployment, alarmTopic: topic }: SocketApiProps): void {
    const sum = (metricName: string) => this.metric(metricName, { statistic: Stats.SUM })
    const latency = (percentile: number) =>
      this.metric('IntegrationLatency', {
        statistic: Stats.percentile(percentile),
        period: Duration.minutes(5),
      })
    new PeopleAlarm(this, 'Unanswered', {
      peopleSuffer: `Requests of ${audience}s fail without an answer of ours: messages are lost or their apps show an error.`,
      metric: sumOf({ integration: sum('IntegrationError'), execution: sum('ExecutionError') }),
      from: 5,
      topic,
    })
    new PeopleAlarm(this, 'Slow', {
      peopleSuffer: `Each twentieth request of ${audience}s takes longer than 3 s: chatting feels stuck.`,
      metric: latency(95),
      from: 3000,
      periods: 3,
      topic,
    })
    new PeopleAlarm(this, 'Stuck', {
      peopleSuffer: `Each hundredth request of ${audience}s takes longer than 8 s: their apps give up on it, or people send it twice.`,
      metric: latency(99),
      from: 8000,
      periods: 3,
      topic,
    })
    // One filter over the shared log instead of an alarm per function: it sees crashes and `internal` answers
    // alike.
    const failures = new MetricFilter(this, 'Failures', {
      logGroup: this.logGroup,
      filterPattern: FilterPattern.stringValue('$.level', '=', 'ERROR'),
      metricNamespace: `AgentChat/${deployment}`,
      metricName: `${audience}-failures`,
    })
    new PeopleAlarm(this, 'Failing', {
      peopleSuffer: `Requests of ${audience}s are answered with "internal": what they meant to do was not done.`,
      metric: failures.metric({ statistic: Stats.SUM, period: Duration.minutes(5) }),
      from: 5,
      topic,
    })
  }

  #addRoute(
    routeKey: string,
    functions: FunctionSurroundings,
    handler: SocketHandler & { description: string },
  ) {
    const { routes, others } = this.#bulkhead
    const atOnce = routes[routeKey] ?? others
    const action = new ActionFunction(this, routeKey, {
      ...functions,
      ...handler,
      logGroup: this.logGroup,
      ...(this.#reserveConcurrency && atOnce !== undefined && { reservedConcurrency: atOnce }),
    })
    this.functions.set(routeKey, action.handler)
    const route = new WebSocketRoute(action, 'Route', {
      webSocketApi: this.#api,
      routeKey,
      integration: new WebSocketLambdaIntegration('Integration', action.handler),
      returnResponse: routeKey !== '$connect' && routeKey !== '$disconnect',
    })
    // a stage that names a route which is not there yet is refused
    if (routes[routeKey] !== undefined) this.#stage.node.addDependency(route)
    Validations.of(route).acknowledge({
      id: 'AwsSolutions-APIG4',
      reason:
        'Browsers cannot send a token with the handshake, so `login` checks it on the open socket, each action ' +
        'asks for the session that this made, and a socket without one is closed after 30 s.',
    })
  }
}

/** Who, what, how long; never what was said. */
const accessLog = {
  at: '$context.requestTimeEpoch',
  request: '$context.requestId',
  connection: '$context.connectionId',
  ip: '$context.identity.sourceIp',
  event: '$context.eventType',
  route: '$context.routeKey',
  status: '$context.status',
  ms: '$context.integrationLatency',
  integration: '$context.integrationStatus',
  error: '$context.error.responseType',
}
