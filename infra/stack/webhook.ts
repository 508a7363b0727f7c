import { Duration, Validations } from 'aws-cdk-lib'
import {
  ApiDestination,
  Authorization,
  Connection,
  type IApiDestination,
  type IEventBus,
  Match,
  Rule,
} from 'aws-cdk-lib/aws-events'
import { ApiDestination as Target } from 'aws-cdk-lib/aws-events-targets'
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager'
import type { ITopic } from 'aws-cdk-lib/aws-sns'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'
import type { AuthorType, BusEventName } from '../../shared/protocol/pushes-on-bus.ts'
import { PeopleAlarm } from './alarms.ts'
import { visible } from './worker-parts.ts'

export interface WebhookProps {
  /** The deployment's, by its output `EventBusName`. */
  readonly bus: IEventBus
  /** Where events are posted: `https://`. */
  readonly url: string
  /** What the receiver knows EventBridge by. */
  readonly secret: ISecret
  /** The header that the secret comes in. */
  readonly header?: string
  /** The events that are posted; absent: all. */
  readonly events?: readonly BusEventName[]
  /** The licenses whose events are posted; absent: all that have events. */
  readonly licenses?: readonly string[]
  /**
   * Whose doings are not posted: a bot that leaves out `bot` does not hear itself. Events that name nobody
   * are posted all the same.
   */
  readonly exceptAuthors?: readonly AuthorType[]
  /** Posts in a second, at most. */
  readonly ratePerSecond?: number
  /** What people suffer while events are given up on: a sentence. */
  readonly peopleSuffer: string
  /** Who hears of that; absent: nobody, the alarm only shows. */
  readonly alarmTopic?: ITopic
  /** Encrypts what was given up on; absent: a key of SQS's does. */
  readonly encryptionKey?: IKey
}

/** EventBridge tries so long, and so often, to post an event that its receiver does not take. */
const triedFor = Duration.hours(24)
const mostRetries = 185

/**
 * Posts events of a bus to a receiver. What the receiver does not take is tried again for a day, and then
 * kept for two weeks; no other receiver waits for it.
 */
export class Webhook extends Construct {
  /** Where events end that were given up on. */
  readonly deadLetters: Queue

  constructor(scope: Construct, id: string, props: WebhookProps) {
    super(scope, id)
    const { bus, url, secret, header = 'x-agent-chat-key', encryptionKey } = props
    this.deadLetters = new Queue(this, 'DeadLetters', {
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
      ...(encryptionKey && { encryptionMasterKey: encryptionKey }),
    })
    // the grant of the rule's target is for the queue alone: without this, events would be gone without a
    // trace
    encryptionKey?.grantEncryptDecrypt(new ServicePrincipal('events.amazonaws.com'))
    Validations.of(this.deadLetters).acknowledge({
      id: 'AwsSolutions-SQS3',
      reason: 'This queue is where events end that were given up on: nothing reads it but people.',
    })
    const connection = new Connection(this, 'Connection', {
      authorization: Authorization.apiKey(header, secret.secretValue),
    })
    const destination = new ApiDestination(this, 'Receiver', {
      connection,
      endpoint: url,
      rateLimitPerSecond: props.ratePerSecond ?? 300,
    })
    new Rule(this, 'Rule', {
      eventBus: bus,
      eventPattern: {
        source: ['agent-chat'],
        ...(props.events && { detailType: [...props.events] }),
        ...detailOf(props),
      },
      targets: [
        // its class says of a property that it may be undefined, its interface that it may be missing
        // oxlint-disable-next-line typescript/consistent-type-assertions, typescript/no-unsafe-type-assertion
        new Target(destination as IApiDestination, {
          deadLetterQueue: this.deadLetters,
          maxEventAge: triedFor,
          retryAttempts: mostRetries,
        }),
      ],
    })
    new PeopleAlarm(this, 'GivenUp', {
      peopleSuffer: props.peopleSuffer,
      section: 'webhook-given-up',
      metric: visible(this.deadLetters),
      from: 1,
      topic: props.alarmTopic,
    })
  }
}

const detailOf = ({ licenses, exceptAuthors }: WebhookProps) => {
  const detail = {
    ...(licenses && { license_id: [...licenses] }),
    // an event that names nobody has no author type
    ...(exceptAuthors && {
      author_type: [...Match.anythingBut(...exceptAuthors), ...Match.doesNotExist()],
    }),
  }
  return Object.keys(detail).length === 0 ? {} : { detail }
}
