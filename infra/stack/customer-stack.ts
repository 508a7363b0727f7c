import { NestedStack, type RemovalPolicy, Validations } from 'aws-cdk-lib'
import { Secret } from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import { SocketApi, type SocketApiProps } from './socket-api.ts'

interface CustomerStackProps extends Omit<SocketApiProps, 'audience'> {
  /** Whether the key outlives the stack: with it go all tokens, and so who each customer is. */
  readonly removalPolicy: RemovalPolicy
}

/**
 * The customers' endpoint, nested so that each stack stays far from the 500 resources that it may have, and
 * their tokens' key.
 */
export class CustomerStack extends NestedStack {
  readonly api: SocketApi
  readonly keyArn: string

  constructor(scope: Construct, id: string, props: CustomerStackProps) {
    super(scope, id, { description: 'The endpoint of customers.' })
    this.api = new SocketApi(this, 'CustomerApi', { ...props, audience: 'customer' })
    const key = new Secret(this, 'Key', {
      description:
        'Signs the tokens of customers. A new value signs from then on; the one before it still verifies.',
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
      removalPolicy: props.removalPolicy,
    })
    this.keyArn = key.secretArn
    Validations.of(key).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        'A token lasts a year and only the last two keys verify: a rotation by the calendar would make strangers of ' +
        'customers who come back. Who must rotate does it with one put-secret-value.',
    })
  }
}
