import { Aws, Duration } from 'aws-cdk-lib'
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { type ITopic, Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Construct } from 'constructs'
import { deploymentOf } from './deployment.ts'

export interface PeopleAlarmProps {
  /** What a person suffers while this is on: a sentence, for whoever is woken by it. */
  readonly peopleSuffer: string
  readonly metric: IMetric
  /** On from this value, or below it with `below`. */
  readonly from: number
  readonly below?: boolean
  /** How many periods in a row; 1 if absent. */
  readonly periods?: number
  /** Whether silence is bad news: no data counts as too little. */
  readonly silenceIsBad?: boolean
  /** The runbook's section about it, where that is of several alarms; else its own heading. */
  readonly section?: string
  /** Who hears of it; undefined: nobody, the alarm only shows. */
  readonly topic: ITopic | undefined
}

/** `GivenUp` of `fan_out`: `fan-out-given-up`. */
const kebab = (id: string): string =>
  id
    .replaceAll(/([a-z])(?=[A-Z])/g, '$1-')
    .replaceAll('_', '-')
    .toLowerCase()

/**
 * The only way to an alarm here: no one is woken without being told for whom, and where it says what to do.
 */
export class PeopleAlarm extends Construct {
  /** Its heading in the runbook: of what it watches, and what is wrong with that. */
  readonly heading: string
  /** As people see it. */
  readonly name: string

  constructor(scope: Construct, id: string, props: PeopleAlarmProps) {
    super(scope, id)
    this.heading = `${kebab(scope.node.id)}-${kebab(id)}`
    this.name = `${deploymentOf(this)}-${this.heading}`
    const alarm = new Alarm(this, 'Alarm', {
      alarmName: this.name,
      alarmDescription: `${props.peopleSuffer} What to do: docs/runbook.md#${props.section ?? this.heading}`,
      metric: props.metric,
      threshold: props.from,
      comparisonOperator:
        props.below === true
          ? ComparisonOperator.LESS_THAN_THRESHOLD
          : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: props.periods ?? 1,
      treatMissingData:
        props.silenceIsBad === true ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    })
    if (props.topic === undefined) return
    const action = new SnsAction(props.topic)
    alarm.addAlarmAction(action)
    alarm.addOkAction(action)
  }
}

/**
 * The sum over five minutes. A metric without data counts as 0: `a + b` would have no value where either has
 * none.
 */
export const sumOf = (usingMetrics: Record<string, IMetric>): IMetric =>
  new MathExpression({
    expression: `SUM([${Object.keys(usingMetrics)
      .map((name) => `FILL(${name}, 0)`)
      .join(', ')}])`,
    usingMetrics,
    period: Duration.minutes(5),
  })

/** A topic that mails every alarm, and its end, to one address. */
export const alarmTopic = (scope: Construct, email: string): ITopic => {
  const topic = new Topic(scope, 'AlarmTopic', { enforceSSL: true })
  topic.addSubscription(new EmailSubscription(email))
  // A topic with a policy of its own loses the default one, which let this account's alarms publish.
  topic.addToResourcePolicy(
    new PolicyStatement({
      sid: 'Alarms',
      principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
      actions: ['sns:Publish'],
      resources: [topic.topicArn],
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
  )
  return topic
}
