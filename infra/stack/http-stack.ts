import { Duration, NestedStack, Validations } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import {
  CfnStage,
  HttpApi,
  HttpMethod,
  HttpRoute,
  HttpRouteKey,
  HttpStage,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import { type ILogGroup, LogGroup, type LogGroupProps } from 'aws-cdk-lib/aws-logs'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import type { Construct, IDependable } from 'constructs'
import { httpActions, httpPath } from '../../shared/protocol/agent/index.ts'
import { ActionFunction, type FunctionSurroundings } from './action-function.ts'
import { PeopleAlarm } from './alarms.ts'
import { type Bulkhead, throttleOf } from './throttles.ts'

interface HttpStackProps {
  readonly deployment: string
  readonly functions: FunctionSurroundings
  /** The functions of the agents' actions, by name: they stand behind both APIs. */
  readonly actions: ReadonlyMap<string, IFunction>
  /** Where its one function of its own logs. */
  readonly logGroup: ILogGroup
  readonly bulkhead: Bulkhead
  readonly logs: LogGroupProps
  readonly logsAllowed: IDependable | undefined
  readonly alarmTopic: ITopic | undefined
}

/** The HTTP API of agents' actions, nested as the customers' endpoint is. */
export class HttpStack extends NestedStack {
  /** Where actions are asked for: `<url>/v1/agent/action/<action>`. */
  readonly url: string
  readonly #api: HttpApi

  constructor(scope: Construct, id: string, props: HttpStackProps) {
    super(scope, id, { description: 'The HTTP API of agents’ actions.' })
    const { deployment, functions, actions, logGroup, bulkhead } = props
    this.#api = new HttpApi(this, 'Api', {
      apiName: `${deployment}-http`,
      createDefaultStage: false,
      description: 'What agents may ask for without a connection.',
    })
    const fallback = new ActionFunction(this, 'Fallback', {
      ...functions,
      bundle: 'http/default',
      description: 'Answers preflights, and what names no action.',
      grants: [],
      environment: {},
      logGroup,
    })
    const own = httpActions.map(({ name }) => {
      const action = actions.get(name)
      if (action === undefined) throw new Error(`There is no function of ${name}`)
      return this.#addRoute(name, HttpRouteKey.with(httpPath(name), HttpMethod.POST), action)
    })
    const routes = [this.#addRoute('default', HttpRouteKey.DEFAULT, fallback.handler), ...own]
    this.url = this.#addStage(props, bulkhead, routes)
    new PeopleAlarm(this, 'Unanswered', {
      peopleSuffer:
        'What bots and other systems ask for over HTTP fails without an answer of ours: messages to people are lost.',
      metric: this.#api.metricServerError({ statistic: Stats.SUM, period: Duration.minutes(5) }),
      from: 5,
      topic: props.alarmTopic,
    })
  }

  #addRoute(id: string, routeKey: HttpRouteKey, handler: IFunction): HttpRoute {
    const route = new HttpRoute(this, id, {
      httpApi: this.#api,
      routeKey,
      integration: new HttpLambdaIntegration('Integration', handler),
    })
    Validations.of(route).acknowledge({
      id: 'AwsSolutions-APIG4',
      reason:
        'The function checks the token itself: an authorizer of the gateway would answer a missing or bad one with ' +
        'an error that is none of the protocol.',
    })
    return route
  }

  #addStage(
    { logs, logsAllowed }: Pick<HttpStackProps, 'logs' | 'logsAllowed'>,
    { routes, others = 1 }: Bulkhead,
    all: readonly HttpRoute[],
  ): string {
    const accessLogs = new LogGroup(this, 'AccessLogs', logs)
    const stage = new HttpStage(this, 'Stage', {
      httpApi: this.#api,
      autoDeploy: true,
      throttle: throttleOf(others),
      accessLogSettings: {
        destination: new LogGroupLogDestination(accessLogs),
        format: AccessLogFormat.custom(JSON.stringify(accessLog)),
      },
    })
    const resource = stage.node.defaultChild
    if (!(resource instanceof CfnStage)) throw new Error('The stage has no resource')
    resource.routeSettings = Object.fromEntries(
      Object.entries(routes).map(([route, atOnce]) => {
        const { rateLimit, burstLimit } = throttleOf(atOnce)
        return [route, { ThrottlingRateLimit: rateLimit, ThrottlingBurstLimit: burstLimit }]
      }),
    )
    // a stage that names a route which is not there yet is refused
    stage.node.addDependency(...all)
    if (logsAllowed) stage.node.addDependency(logsAllowed)
    return this.#api.apiEndpoint
  }
}

/** Who, what, how long; never what was said. */
const accessLog = {
  at: '$context.requestTimeEpoch',
  request: '$context.requestId',
  ip: '$context.identity.sourceIp',
  route: '$context.routeKey',
  status: '$context.status',
  ms: '$context.integrationLatency',
  integration: '$context.integrationStatus',
  error: '$context.error.responseType',
}
