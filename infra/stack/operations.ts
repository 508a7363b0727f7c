import { Duration, NestedStack } from 'aws-cdk-lib'
import { type IMetric, MathExpression, Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Construct } from 'constructs'
import type { Kind } from '../../shared/platform/metrics.ts'
import { PeopleAlarm, type PeopleAlarmProps, sumOf } from './alarms.ts'
import { Dashboard } from './dashboard.ts'
import { measuredBy } from './deployment.ts'
import type { SocketApi } from './socket-api.ts'

export interface OperationsProps {
  readonly agents: SocketApi
  readonly customers: SocketApi
  readonly tableName: string
  readonly alarmTopic: ITopic | undefined
}

const period = Duration.minutes(5)
const pushing: readonly Kind[] = ['agent', 'customer', 'worker']

/**
 * Alarms of the whole rather than of a part, and the dashboard; nested, as an endpoint is, to leave
 * room.
 */
export class Operations extends NestedStack {
  readonly #props: OperationsProps

  constructor(scope: Construct, id: string, props: OperationsProps) {
    super(scope, id, { description: 'Alarms of the whole, and the dashboard.' })
    this.#props = props
    this.#pushes()
    this.#log()
    this.#requests()
    this.#platform()
    new Dashboard(this, 'Dashboard', { ...props, within: scope })
  }

  #pushes() {
    const pushes = new Construct(this, 'Pushes')
    this.#alarm(pushes, 'GivenUp', {
      peopleSuffer: 'Messages and changes did not reach some people, who see them only once they reconnect.',
      metric: ofAllKinds(this, 'pushes_failed'),
      from: 10,
    })
    this.#alarm(pushes, 'Late', {
      peopleSuffer:
        'Every tenth message or change reaches people seconds late, since their connections do not take it at once.',
      metric: percentOf(
        ofAllKinds(this, 'pushes_late'),
        sumOf({ sent: ofAllKinds(this, 'pushes_sent'), late: ofAllKinds(this, 'pushes_late') }),
      ),
      from: 10,
      periods: 3,
    })
  }

  #log() {
    const log = new Construct(this, 'Log')
    this.#alarm(log, 'GivenUp', {
      peopleSuffer:
        'What people send is answered with "too_many_requests" after 12 s: too many write to the same chat at once.',
      metric: ofAllKinds(this, 'retries_given_up'),
      from: 3,
    })
    // with 8 writers always at one chat an event takes 1.7 to 2.3 attempts, with 40 four to seven
    this.#alarm(log, 'Crowded', {
      peopleSuffer:
        'People wait for their messages to be sent: those who write to the same chat at once keep overtaking each other.',
      metric: new MathExpression({
        expression: `IF(conflicts > ${enough}, retries / conflicts, 0)`,
        usingMetrics: {
          retries: ofAllKinds(this, 'retries'),
          conflicts: ofAllKinds(this, 'retries', Stats.SAMPLE_COUNT),
        },
        period,
      }),
      from: 4,
      periods: 3,
    })
  }

  #requests() {
    for (const kind of ['agent', 'customer'] as const)
      this.#alarm(new Construct(this, `${kind}_requests`), 'Refused', {
        peopleSuffer: `Every fifth request of ${kind}s is refused: their app, or an update of it, does not work with the server.`,
        metric: percentOf(
          measuredBy(this, 'errors', { kind }),
          measuredBy(this, 'latency', { kind }, Stats.SAMPLE_COUNT),
        ),
        from: 20,
        periods: 3,
      })
  }

  #platform() {
    const throttled = (metricName: string) =>
      new Metric({
        namespace: 'AWS/DynamoDB',
        metricName,
        dimensionsMap: { TableName: this.#props.tableName },
        statistic: Stats.SUM,
        period,
      })
    this.#alarm(new Construct(this, 'Table'), 'Throttled', {
      peopleSuffer:
        'Requests of agents and customers wait for the table or fail: it takes less than they ask for, at least of one chat or license.',
      metric: sumOf({ reads: throttled('ReadThrottleEvents'), writes: throttled('WriteThrottleEvents') }),
      from: 10,
    })
    // the limit is one of the account and region, and so is this metric, without a function's name
    this.#alarm(new Construct(this, 'Functions'), 'Throttled', {
      peopleSuffer:
        'Requests of agents and customers fail, or pushes come late: this account and region runs as many functions at once as it may.',
      metric: new Metric({ namespace: 'AWS/Lambda', metricName: 'Throttles', statistic: Stats.SUM, period }),
      from: 5,
    })
  }

  #alarm(watched: Construct, id: string, props: Omit<PeopleAlarmProps, 'topic'>) {
    new PeopleAlarm(watched, id, { ...props, topic: this.#props.alarmTopic })
  }
}

/** A share of fewer says nothing. */
const enough = 50

const ofAllKinds = (
  scope: Construct,
  name: 'pushes_sent' | 'pushes_late' | 'pushes_failed' | 'retries' | 'retries_given_up',
  statistic: string = Stats.SUM,
): IMetric =>
  sumOf(
    Object.fromEntries(
      // an id is one metric in all of an alarm's expression
      pushing.map((kind) => [`${name}_${kind}_${statistic}`, measuredBy(scope, name, { kind }, statistic)]),
    ),
  )

const percentOf = (part: IMetric, whole: IMetric): IMetric =>
  new MathExpression({
    expression: `IF(whole > ${enough}, 100 * FILL(part, 0) / whole, 0)`,
    usingMetrics: { part, whole },
    period,
  })
