import { Duration, Validations } from 'aws-cdk-lib'
import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { EventSourceMapping, FilterCriteria, StartingPosition } from 'aws-cdk-lib/aws-lambda'
import { SqsDlq } from 'aws-cdk-lib/aws-lambda-event-sources'
import { LogGroup, type LogGroupProps } from 'aws-cdk-lib/aws-logs'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import { ActionFunction, type FunctionSurroundings } from './action-function.ts'
import { PeopleAlarm, type PeopleAlarmProps, sumOf } from './alarms.ts'
import { measuredBy } from './deployment.ts'
import { type Grant, workerGrants } from './grants.ts'
import type { FilterPattern } from './stream-filters.ts'

/** What all workers are given. */
export interface WorkerPartsProps {
  readonly functions: FunctionSurroundings
  readonly streamArn: string
  readonly logs: LogGroupProps
  /** Encrypts what failed; undefined: a key of SQS's does. */
  readonly encryptionKey: IKey | undefined
  readonly alarmTopic: ITopic | undefined
}

/** How a worker gets the stream's records, and its alarms. */
interface OnStream {
  readonly filters: readonly FilterPattern[]
  readonly maxBatchingWindow: Duration
  readonly maxRecordAge: Duration
  /** How often a record that failed comes again, while it is no older than that. */
  readonly retryAttempts: number
  /** What people suffer while it fails, is late, and once it has given up on a record. */
  readonly peopleSuffer: { readonly failing: string; readonly late: string; readonly givenUp: string }
}

/** What workers are made of: the function, where its failures end, the stream before it, its alarms. */
export abstract class WorkerParts extends Construct {
  readonly #props: WorkerPartsProps
  readonly #logGroup: LogGroup

  constructor(scope: Construct, id: string, props: WorkerPartsProps) {
    super(scope, id)
    this.#props = props
    this.#logGroup = new LogGroup(this, 'Logs', props.logs)
  }

  /** Where events end that a worker gave up on. */
  protected failures(id: string, retentionPeriod = Duration.days(14)): Queue {
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

  protected onStream(
    worker: ActionFunction,
    failures: Queue,
    { peopleSuffer, filters, ...source }: OnStream,
  ) {
    new EventSourceMapping(worker, 'Stream', {
      ...source,
      filters: filters.map((pattern) => FilterCriteria.filter(pattern)),
      target: worker.handler,
      eventSourceArn: this.#props.streamArn,
      startingPosition: StartingPosition.LATEST,
      batchSize: 100,
      reportBatchItemFailures: true,
      bisectBatchOnError: true,
      onFailure: new SqsDlq(failures),
    })
    this.alarm(worker, 'Failing', {
      peopleSuffer: peopleSuffer.failing,
      metric: failing(worker),
      from: 3,
    })
    this.alarm(worker, 'Late', {
      peopleSuffer: peopleSuffer.late,
      metric: worker.handler.metric('IteratorAge', { statistic: Stats.MAXIMUM, period: Duration.minutes(1) }),
      from: 60_000,
      periods: 3,
    })
    this.alarm(worker, 'GivenUp', { peopleSuffer: peopleSuffer.givenUp, metric: visible(failures), from: 1 })
  }

  protected worker(
    name: keyof typeof workerGrants,
    own: {
      description: string
      timeout: Duration
      environment: Readonly<Record<string, string>>
      /** At most so many megabytes, where functions have more. */
      mostMemoryMb?: number
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
      memoryMb: Math.min(functions.memoryMb, own.mostMemoryMb ?? Infinity),
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

  protected alarm(worker: Construct, id: string, props: Omit<PeopleAlarmProps, 'topic'>) {
    new PeopleAlarm(worker, id, { ...props, topic: this.#props.alarmTopic })
  }
}

/** Runs that failed or could not start, and records that a run gave back, in five minutes. */
export const failing = (worker: ActionFunction) =>
  sumOf({
    errors: worker.handler.metricErrors({ statistic: Stats.SUM }),
    throttles: worker.handler.metricThrottles({ statistic: Stats.SUM }),
    records: measuredBy(worker, 'records_failed', { kind: 'worker', action: worker.node.id }),
  })

export const visible = (queue: Queue) =>
  queue.metricApproximateNumberOfMessagesVisible({ statistic: Stats.MAXIMUM, period: Duration.minutes(1) })
