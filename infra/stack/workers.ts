import { Duration, Validations } from 'aws-cdk-lib'
import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction as Target } from 'aws-cdk-lib/aws-events-targets'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { EventSourceMapping, FilterCriteria, StartingPosition } from 'aws-cdk-lib/aws-lambda'
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations'
import { SqsDlq } from 'aws-cdk-lib/aws-lambda-event-sources'
import { LogGroup, type LogGroupProps } from 'aws-cdk-lib/aws-logs'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { createHash } from 'node:crypto'
import { ActionFunction, type FunctionSurroundings } from './action-function.ts'
import { PeopleAlarm, type PeopleAlarmProps, sumOf } from './alarms.ts'
import { measuredBy } from './deployment.ts'
import { type Grant, mobileGrant, workerGrants } from './grants.ts'
import type { FilterPattern } from './stream-filters.ts'
import { indexed, newEntries, ofAccounts } from './stream-filters.ts'

const laterTimeout = Duration.seconds(20)

// pushes that were given up hold what people wrote: as long as somebody needs to look, and no longer
const keptWithTexts = Duration.days(4)

/** What is to be done in a while: each message carries its own delay. */
export class LaterQueue extends Construct {
  readonly queue: Queue
  readonly deadLetters: Queue

  constructor(scope: Construct, id: string, encryptionMasterKey: IKey | undefined) {
    super(scope, id)
    const alike = { enforceSSL: true, ...(encryptionMasterKey && { encryptionMasterKey }) }
    this.deadLetters = new Queue(this, 'DeadLetters', { ...alike, retentionPeriod: keptWithTexts })
    this.queue = new Queue(this, 'Queue', {
      ...alike,
      // AWS's rule for queues that Lambda polls: six times the worker's timeout.
      visibilityTimeout: Duration.seconds(6 * laterTimeout.toSeconds()),
      retentionPeriod: Duration.days(1),
      deadLetterQueue: { queue: this.deadLetters, maxReceiveCount: 5 },
    })
  }
}

/**
 * What `fan_out` is called: its name is given, since the nested stack's functions invoke it and it posts by
 * the nested stack's endpoint, so that neither could wait for the other's. A name has 64 characters: one that
 * is cut tells stacks apart by a hash.
 */
export const fanOutName = (stack: string): string => {
  const name = `${stack}-fan-out`
  if (name.length <= 64) return name
  const hash = createHash('sha256').update(stack).digest('hex').slice(0, 12)
  return `${stack.slice(0, 43)}-${hash}-fan-out`
}

interface WorkersProps {
  readonly fanOutName: string
  readonly functions: FunctionSurroundings
  readonly later: LaterQueue
  readonly streamArn: string
  /** How many batches of the delay queue are worked on at once. */
  readonly laterAtOnce: number
  readonly logs: LogGroupProps
  /** Encrypts what failed; undefined: a key of SQS's does. */
  readonly encryptionKey: IKey | undefined
  readonly alarmTopic: ITopic | undefined
  /** What workers are told: the table, the queue, the endpoints' addresses. */
  readonly environment: Readonly<Record<string, string>>
  /** What of it those are told that work on the table, and put off work. */
  readonly tableAndQueue: Readonly<Record<string, string>>
  readonly presenceGraceS: number
  /** The secret with the service account for mobile notifications; undefined: none are sent. */
  readonly fcmSecret: string | undefined
}

/** What is alike of the workers on the stream: how their records are handed over, and their alarms. */
interface OnStream {
  readonly filters: readonly FilterPattern[]
  readonly maxBatchingWindow: Duration
  readonly maxRecordAge: Duration
  /** What people suffer while it fails, is late, and once it has given up on a record. */
  readonly peopleSuffer: { readonly failing: string; readonly late: string; readonly givenUp: string }
}

/**
 * Everything that no route invokes: `notify` and `index` on the stream, `later` on its queue, `clock` each
 * minute, `fan_out` by functions that push to many.
 */
export class Workers extends Construct {
  readonly #props: WorkersProps
  readonly #logGroup: LogGroup

  constructor(scope: Construct, id: string, props: WorkersProps) {
    super(scope, id)
    this.#props = props
    this.#logGroup = new LogGroup(this, 'Logs', props.logs)
    this.#notify()
    this.#index()
    this.#later()
    this.#clock()
    this.#fanOut()
  }

  #notify() {
    const { environment, fcmSecret, presenceGraceS } = this.#props
    const failures = this.#failures('NotifyFailures')
    const notify = this.#worker('notify', {
      description:
        'Follows changes of accounts, customers and sockets: refreshes, disconnects, checks presence, routes.',
      timeout: Duration.seconds(60),
      environment: {
        ...environment,
        PRESENCE_GRACE_S: String(presenceGraceS),
        ...(fcmSecret !== undefined && { FCM_SECRET_ID: fcmSecret }),
      },
      grants: fcmSecret === undefined ? [] : [mobileGrant],
      failures,
    })
    this.#onStream(notify, failures, {
      filters: [...ofAccounts, ...(fcmSecret === undefined ? [] : [newEntries])],
      maxBatchingWindow: Duration.seconds(0),
      maxRecordAge: Duration.hours(1),
      peopleSuffer: {
        failing:
          'Changes of agents, licenses and customers are not taken up: suspended agents stay connected, absent people look present.',
        late: 'Agents see who is there and account changes more than a minute late, and a suspended agent can go on chatting.',
        givenUp:
          'Some change of an agent, license or customer was given up on: somebody may look present who is gone, or stay connected who should not.',
      },
    })
  }

  #index() {
    const failures = this.#failures('IndexFailures')
    const index = this.#worker('index', {
      description: 'Keeps the lists that archives and chats are searched by.',
      timeout: Duration.seconds(30),
      environment: this.#props.tableAndQueue,
      failures,
    })
    this.#onStream(index, failures, {
      filters: indexed,
      // of a busy second one run: what it reads beside each chat, it reads once
      maxBatchingWindow: Duration.seconds(1),
      // an index that lags is caught up with; one that is given up on is rebuilt by hand
      maxRecordAge: Duration.hours(23),
      peopleSuffer: {
        failing:
          'Agents who search archives do not find what was just written: the newest chats and messages.',
        late: 'Agents who search archives miss what was written in the last minute and more.',
        givenUp:
          'Agents do not find some chat by what it says or who is in it, until its license is reindexed (npm run admin -- reindex).',
      },
    })
  }

  /** Where events end that a worker gave up on. */
  #failures(id: string, retentionPeriod = Duration.days(14)): Queue {
    const { encryptionKey } = this.#props
    const failures = new Queue(this, id, {
      enforceSSL: true,
      retentionPeriod,
      ...(encryptionKey && { encryptionMasterKey: encryptionKey }),
    })
    Validations.of(failures).acknowledge({
      id: 'AwsSolutions-SQS3',
      reason: 'This queue is where failed events end: nothing reads it but people.',
    })
    return failures
  }

  #onStream(worker: ActionFunction, failures: Queue, { peopleSuffer, filters, ...source }: OnStream) {
    new EventSourceMapping(worker, 'Stream', {
      ...source,
      filters: filters.map((pattern) => FilterCriteria.filter(pattern)),
      target: worker.handler,
      eventSourceArn: this.#props.streamArn,
      startingPosition: StartingPosition.LATEST,
      batchSize: 100,
      reportBatchItemFailures: true,
      bisectBatchOnError: true,
      retryAttempts: 10,
      onFailure: new SqsDlq(failures),
    })
    this.#alarm(worker, 'Failing', {
      peopleSuffer: peopleSuffer.failing,
      metric: failing(worker),
      from: 3,
    })
    this.#alarm(worker, 'Late', {
      peopleSuffer: peopleSuffer.late,
      metric: worker.handler.metric('IteratorAge', { statistic: Stats.MAXIMUM, period: Duration.minutes(1) }),
      from: 60_000,
      periods: 3,
    })
    this.#alarm(worker, 'GivenUp', { peopleSuffer: peopleSuffer.givenUp, metric: visible(failures), from: 1 })
  }

  #later() {
    const { queue, deadLetters } = this.#props.later
    const later = this.#worker('later', {
      description: 'Does what was put off: late pushes, closings, presence checks, routing.',
      timeout: laterTimeout,
      environment: this.#props.environment,
    })
    new EventSourceMapping(later, 'Messages', {
      target: later.handler,
      eventSourceArn: queue.queueArn,
      batchSize: 10,
      reportBatchItemFailures: true,
      // what piles up waits in the queue and takes no more of the account's concurrency
      maxConcurrency: this.#props.laterAtOnce,
    })
    this.#alarm(later, 'Failing', {
      peopleSuffer:
        'Pushes that did not go through at once are not tried again: agents and customers miss messages until they reconnect.',
      metric: failing(later),
      from: 3,
    })
    this.#alarm(later, 'Late', {
      peopleSuffer:
        'What was put off for seconds waits for minutes: missed pushes, going offline and agents for waiting customers come late.',
      metric: queue.metricApproximateAgeOfOldestMessage({ period: Duration.minutes(1) }),
      from: 300,
      periods: 3,
    })
    this.#alarm(later, 'GivenUp', {
      peopleSuffer:
        'Something put off failed five times: somebody missed a push, or looks present who is gone.',
      metric: visible(deadLetters),
      from: 1,
    })
  }

  #clock() {
    const clock = this.#worker('clock', {
      description:
        'Each minute: ends sockets whose time is over; gives waiting and unseen chats to agents; marks chats idle and ' +
        'archives them.',
      timeout: Duration.seconds(60),
      environment: this.#props.environment,
    })
    // The next minute does what this one failed to do: a retry would only run beside it.
    const once = { retryAttempts: 0, maxEventAge: Duration.minutes(1) }
    clock.handler.configureAsyncInvoke(once)
    new Rule(clock, 'EachMinute', {
      schedule: Schedule.rate(Duration.minutes(1)),
      targets: [new Target(clock.handler, once)],
    })
    this.#alarm(clock, 'Silent', {
      peopleSuffer:
        'The clock has stopped: customers may wait on for an agent, idle chats stay open, people whose token or license has run out stay connected.',
      metric: clock.handler.metricInvocations({ statistic: Stats.SUM, period: Duration.minutes(5) }),
      from: 1,
      below: true,
      silenceIsBad: true,
    })
    this.#alarm(clock, 'Failing', {
      peopleSuffer:
        'The clock fails: customers may wait on for an agent, and idle chats and people whose time is over may stay.',
      metric: failing(clock),
      from: 3,
    })
  }

  #fanOut() {
    const failures = this.#failures('FanOutFailures', keptWithTexts)
    const fanOut = this.#worker('fan_out', {
      description: 'Posts a part of a push to a large audience.',
      timeout: laterTimeout,
      environment: this.#props.environment,
      failures,
      functionName: this.#props.fanOutName,
    })
    fanOut.handler.configureAsyncInvoke({
      retryAttempts: 2,
      // a push that comes later than this is of no use: who missed it reads what it told
      maxEventAge: Duration.minutes(5),
      onFailure: new SqsDestination(failures),
    })
    this.#alarm(fanOut, 'Failing', {
      peopleSuffer:
        'Where more than a hundred are connected, people get messages and changes a minute late or miss them until they reconnect.',
      metric: failing(fanOut),
      from: 3,
    })
    this.#alarm(fanOut, 'GivenUp', {
      peopleSuffer:
        'A push to many failed three times: up to 500 apps missed a message or a change until they reconnect.',
      metric: visible(failures),
      from: 1,
    })
  }

  #worker(
    name: keyof typeof workerGrants,
    own: {
      description: string
      timeout: Duration
      environment: Readonly<Record<string, string>>
      /** Beside those of every stack. */
      grants?: readonly Grant[]
      failures?: Queue
      functionName?: string
    },
  ): ActionFunction {
    const { functions } = this.#props
    const { failures } = own
    return new ActionFunction(this, name, {
      ...functions,
      resources: { ...functions.resources, ...(failures && { failures: { arns: [failures.queueArn] } }) },
      bundle: `worker/${name}`,
      description: own.description,
      ...(own.functionName !== undefined && { functionName: own.functionName }),
      timeout: own.timeout,
      grants: [...workerGrants[name], ...(own.grants ?? [])],
      environment: own.environment,
      logGroup: this.#logGroup,
    })
  }

  #alarm(worker: Construct, id: string, props: Omit<PeopleAlarmProps, 'topic'>) {
    new PeopleAlarm(worker, id, { ...props, topic: this.#props.alarmTopic })
  }
}

/** Runs that failed or could not start, and records that a run gave back, in five minutes. */
const failing = (worker: ActionFunction) =>
  sumOf({
    errors: worker.handler.metricErrors({ statistic: Stats.SUM }),
    throttles: worker.handler.metricThrottles({ statistic: Stats.SUM }),
    records: measuredBy(worker, 'records_failed', { kind: 'worker', action: worker.node.id }),
  })

const visible = (queue: Queue) =>
  queue.metricApproximateNumberOfMessagesVisible({ statistic: Stats.MAXIMUM, period: Duration.minutes(1) })
