import { Aws, Duration } from 'aws-cdk-lib'
import { Stats } from 'aws-cdk-lib/aws-cloudwatch'
import { type EventBus, Rule, Schedule } from 'aws-cdk-lib/aws-events'
import { LambdaFunction as Target } from 'aws-cdk-lib/aws-events-targets'
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda'
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations'
import type { Construct } from 'constructs'
import { eventsGrant, mobileGrant } from './grants.ts'
import { keptWithTexts, type LaterQueue, laterTimeout } from './later-queue.ts'
import { indexed, newEntries, ofAccounts, ofEvents } from './stream-filters.ts'
import { failing, visible, WorkerParts, type WorkerPartsProps } from './worker-parts.ts'

/** What the index's worker has of memory at most, which its time is charged by. */
export const indexMemoryMb = 512

const tries = 10
/** Events are told at least once, whatever fails for an hour: the age of records ends it. */
const triesWithEvents = 1000

interface WorkersProps extends WorkerPartsProps {
  readonly fanOutName: string
  readonly later: LaterQueue
  /** How many batches of the delay queue are worked on at once. */
  readonly laterAtOnce: number
  /** What workers are told: the table, the queue, the endpoints' addresses. */
  readonly environment: Readonly<Record<string, string>>
  /** The part of `environment` for workers that work on the table, and put off work. */
  readonly tableAndQueue: Readonly<Record<string, string>>
  readonly presenceGraceS: number
  /** The secret with the service account for mobile notifications; undefined: none are sent. */
  readonly fcmSecret: string | undefined
  /** Where what happens in chats goes out to; undefined: nowhere. */
  readonly eventBus: EventBus | undefined
}

/**
 * Everything that no route invokes: `notify` and `index` on the stream, `later` on its queue, `clock` each
 * minute, `fan_out` by functions that push to many.
 */
export class Workers extends WorkerParts {
  readonly #props: WorkersProps

  constructor(scope: Construct, id: string, props: WorkersProps) {
    super(scope, id, props)
    this.#props = props
    this.#notify()
    this.#index()
    this.#later()
    this.#clock()
    this.#fanOut()
  }

  #notify() {
    const { environment, fcmSecret, presenceGraceS, eventBus } = this.#props
    const isOut = eventBus !== undefined
    const failures = this.failures('NotifyFailures')
    const notify = this.worker('notify', {
      description:
        'Follows changes of accounts, customers and sockets: refreshes, disconnects, checks presence, routes.',
      timeout: Duration.seconds(60),
      environment: {
        ...environment,
        PRESENCE_GRACE_S: String(presenceGraceS),
        ...(fcmSecret !== undefined && { FCM_SECRET_ID: fcmSecret }),
        ...(isOut && {
          EVENT_BUS_NAME: eventBus.eventBusName,
          EVENTS_URL: `https://events.${Aws.REGION}.${Aws.URL_SUFFIX}/`,
        }),
      },
      grants: [...(fcmSecret === undefined ? [] : [mobileGrant]), ...(isOut ? [eventsGrant] : [])],
      failures,
    })
    this.onStream(notify, failures, {
      filters: [
        ...ofAccounts,
        // events are told of all that notifications are, and of more
        ...(fcmSecret === undefined || isOut ? [] : [newEntries]),
        ...(isOut ? [ofEvents] : []),
      ],
      maxBatchingWindow: Duration.seconds(0),
      maxRecordAge: Duration.hours(1),
      retryAttempts: isOut ? triesWithEvents : tries,
      peopleSuffer: {
        failing:
          'Changes of agents, licenses and customers are not taken up: suspended agents stay connected, absent people look present' +
          (isOut ? ', and what customers and agents say does not reach the event bus.' : '.'),
        late: 'Agents see who is there and account changes more than a minute late, and a suspended agent can go on chatting.',
        givenUp:
          'Some change of an agent, license or customer was given up on: somebody may look present who is gone, or stay connected who should not' +
          (isOut ? '; or receivers of events miss something that customers or agents did.' : '.'),
      },
    })
  }

  #index() {
    const failures = this.failures('IndexFailures')
    const index = this.worker('index', {
      description: 'Keeps the lists that archives and chats are searched by.',
      timeout: Duration.seconds(30),
      // nobody waits for it, and it waits for the table most of its time
      mostMemoryMb: indexMemoryMb,
      environment: this.#props.tableAndQueue,
      failures,
    })
    this.onStream(index, failures, {
      filters: indexed,
      // of a busy second one run: what it reads beside each chat, it reads once
      maxBatchingWindow: Duration.seconds(1),
      // an index that lags is caught up with; one that is given up on is rebuilt by hand
      maxRecordAge: Duration.hours(23),
      retryAttempts: tries,
      peopleSuffer: {
        failing:
          'Agents who search archives do not find what was just written: the newest chats and messages.',
        late: 'Agents who search archives miss what was written in the last minute and more.',
        givenUp:
          'Agents do not find some chat by what it says or who is in it, until its license is reindexed (npm run admin -- reindex).',
      },
    })
  }

  #later() {
    const { queue, deadLetters } = this.#props.later
    const later = this.worker('later', {
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
    this.alarm(later, 'Failing', {
      peopleSuffer:
        'Pushes that did not go through at once are not tried again: agents and customers miss messages until they reconnect.',
      metric: failing(later),
      from: 3,
    })
    this.alarm(later, 'Late', {
      peopleSuffer:
        'What was put off for seconds waits for minutes: missed pushes, going offline and agents for waiting customers come late.',
      metric: queue.metricApproximateAgeOfOldestMessage({ period: Duration.minutes(1) }),
      from: 300,
      periods: 3,
    })
    this.alarm(later, 'GivenUp', {
      peopleSuffer:
        'Something put off failed five times: somebody missed a push, or looks present who is gone.',
      metric: visible(deadLetters),
      from: 1,
    })
  }

  #clock() {
    const clock = this.worker('clock', {
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
    this.alarm(clock, 'Silent', {
      peopleSuffer:
        'The clock has stopped: customers may wait on for an agent, idle chats stay open, people whose token or license has run out stay connected.',
      metric: clock.handler.metricInvocations({ statistic: Stats.SUM, period: Duration.minutes(5) }),
      from: 1,
      below: true,
      silenceIsBad: true,
    })
    this.alarm(clock, 'Failing', {
      peopleSuffer:
        'The clock fails: customers may wait on for an agent, and idle chats and people whose time is over may stay.',
      metric: failing(clock),
      from: 3,
    })
  }

  #fanOut() {
    const failures = this.failures('FanOutFailures', keptWithTexts)
    const fanOut = this.worker('fan_out', {
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
    this.alarm(fanOut, 'Failing', {
      peopleSuffer:
        'Where more than a hundred are connected, people get messages and changes a minute late or miss them until they reconnect.',
      metric: failing(fanOut),
      from: 3,
    })
    this.alarm(fanOut, 'GivenUp', {
      peopleSuffer:
        'A push to many failed three times: up to 500 apps missed a message or a change until they reconnect.',
      metric: visible(failures),
      from: 1,
    })
  }
}
