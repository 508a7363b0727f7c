import { Duration } from 'aws-cdk-lib'
import {
  Alarm,
  AlarmStatusWidget,
  AlarmWidget,
  Dashboard as CloudWatchDashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  Stats,
} from 'aws-cdk-lib/aws-cloudwatch'
import { Construct, type IConstruct } from 'constructs'
import { type Measure, namespaceOf } from '../../shared/platform/metrics.ts'
import { PeopleAlarm } from './alarms.ts'
import { deploymentOf, measuredBy } from './deployment.ts'
import type { SocketApi } from './socket-api.ts'

interface DashboardProps {
  readonly agents: SocketApi
  readonly customers: SocketApi
  readonly tableName: string
  /** Whose alarms are shown: all of them stand by then. */
  readonly within: IConstruct
}

const period = Duration.minutes(5)
const kinds = ['agent', 'customer', 'worker'] as const

/**
 * The page an operator looks at, the first first: who suffers, what people ask for and get, then what it runs
 * on.
 */
export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, { agents, customers, tableName, within }: DashboardProps) {
    super(scope, id)
    const alarms = within.node.findAll().filter((child) => child instanceof PeopleAlarm)
    const shown = new Map(
      alarms.map(({ name, heading }) => [heading, Alarm.fromAlarmName(this, heading, name)]),
    )
    const alarm = (heading: string) => {
      const found = shown.get(heading)
      if (found === undefined) throw new Error(`There is no alarm ${heading}`)
      return new AlarmWidget({ title: heading, alarm: found, width: 6, height: 5 })
    }
    const metrics = metricsOf(this)
    new CloudWatchDashboard(this, 'Dashboard', {
      dashboardName: deploymentOf(this),
      defaultInterval: Duration.hours(6),
      widgets: [
        [new AlarmStatusWidget({ title: 'Who suffers', alarms: [...shown.values()], width: 24, height: 5 })],
        requests(metrics),
        pushes(metrics),
        actions(metrics, agents, customers),
        platform(agents, customers, tableName),
        ['notify-late', 'index-late', 'later-late', 'clock-silent'].map(alarm),
        ['notify-given-up', 'index-given-up', 'later-given-up', 'fan-out-given-up'].map(alarm),
      ],
    })
  }
}

/** What the deployment's functions measure of themselves. */
const metricsOf = (scope: Construct) => ({
  of: (name: Measure, kind: (typeof kinds)[number], statistic: string | undefined, text: string) =>
    label(measuredBy(scope, name, { kind }, statistic), text),
  ofKinds: (name: Measure, statistic: string = Stats.SUM) =>
    kinds.map((kind) => label(measuredBy(scope, name, { kind }, statistic), `${kind} ${statistic}`)),
  search: (name: Measure, dimensions: string, statistic: string) =>
    new MathExpression({
      expression: `SEARCH('{"${namespaceOf(deploymentOf(scope))}",${dimensions}} MetricName="${name}"', '${statistic}', 300)`,
      usingMetrics: {},
      label: '',
      period,
    }),
})
type Metrics = ReturnType<typeof metricsOf>

/** What people ask for, and get. */
const requests = ({ of, ofKinds, search }: Metrics) => [
  graph('Requests', { left: ofKinds('latency', Stats.SAMPLE_COUNT).slice(0, 2) }),
  graph('Answered with errors, by type', { left: [search('errors', 'error', 'Sum')], stacked: true }),
  graph('How long requests take, ms', {
    left: (['agent', 'customer'] as const).flatMap((kind) =>
      ['p50', 'p95', 'p99'].map((at) => of('latency', kind, at, `${kind} ${at}`)),
    ),
  }),
]

const pushes = ({ of, ofKinds }: Metrics) => [
  graph('Pushes', {
    left: ofKinds('pushes_sent'),
    right: (['pushes_late', 'pushes_gone', 'pushes_failed'] as const).flatMap((name) =>
      kinds.map((kind) => of(name, kind, undefined, `${name.slice(7)} ${kind}`)),
    ),
  }),
  graph('How long posting takes, ms', {
    left: [...ofKinds('fan_out', 'p50'), ...ofKinds('fan_out', 'p99')],
  }),
  graph('Lost races: how many lost one, tried again, gave up', {
    left: [...ofKinds('retries', Stats.SAMPLE_COUNT), ...ofKinds('retries')],
    right: ofKinds('retries_given_up'),
  }),
]

const actions = ({ search }: Metrics, agents: SocketApi, customers: SocketApi) => [
  graph('Connections made', {
    left: [ofApi('ConnectCount', agents, 'agent'), ofApi('ConnectCount', customers, 'customer')],
  }),
  graph('Requests, by action', { left: [search('latency', 'kind,action', 'SampleCount')] }),
  graph('Slowest of a hundred, by action, ms', { left: [search('latency', 'kind,action', 'p99')] }),
]

/** The platform that the deployment runs on. */
const platform = (agents: SocketApi, customers: SocketApi, table: string) => [
  graph('Failed at the gateway', {
    left: (['ClientError', 'ExecutionError', 'IntegrationError'] as const).flatMap((name) => [
      ofApi(name, agents, 'agent'),
      ofApi(name, customers, 'customer'),
    ]),
  }),
  graph('The table: units consumed', {
    left: [ofTable(table, 'ConsumedReadCapacityUnits'), ofTable(table, 'ConsumedWriteCapacityUnits')],
    right: [ofTable(table, 'ReadThrottleEvents'), ofTable(table, 'WriteThrottleEvents')],
  }),
  graph('Functions of the account: at once, throttled', {
    left: [ofFunctions('ConcurrentExecutions', Stats.MAXIMUM)],
    right: [ofFunctions('Throttles', Stats.SUM)],
  }),
]

const ofApi = (name: string, api: SocketApi, of: string): IMetric =>
  label(api.metric(name, { statistic: Stats.SUM, period }), `${of} ${name}`)

const ofTable = (tableName: string, metricName: string): IMetric =>
  new Metric({
    namespace: 'AWS/DynamoDB',
    metricName,
    dimensionsMap: { TableName: tableName },
    statistic: Stats.SUM,
    period,
    label: metricName,
  })

const ofFunctions = (metricName: string, statistic: string): IMetric =>
  new Metric({ namespace: 'AWS/Lambda', metricName, statistic, period, label: metricName })

const label = (metric: IMetric, text: string): IMetric =>
  metric instanceof Metric ? metric.with({ label: text }) : metric

const graph = (title: string, lines: { left: IMetric[]; right?: IMetric[]; stacked?: boolean }) =>
  new GraphWidget({ title, ...lines, width: 8, height: 6, leftYAxis: { min: 0 }, rightYAxis: { min: 0 } })
