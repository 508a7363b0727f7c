import { Duration } from 'aws-cdk-lib'
import type { IKey } from 'aws-cdk-lib/aws-kms'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import { Construct } from 'constructs'

export const laterTimeout = Duration.seconds(20)

// pushes that were given up hold what people wrote: as long as somebody needs to look, and no longer
export const keptWithTexts = Duration.days(4)

/** The queue of what is to be done in a while: each message carries its own delay. */
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
