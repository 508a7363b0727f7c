import { RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, Billing, StreamViewType, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { Construct } from 'constructs'
import { tableDefinition } from './table-definition.ts'

/** The one table, on demand, restorable to any second of the last 35 days. */
export class ChatTable extends Construct {
  readonly table: TableV2
  readonly streamArn: string

  constructor(scope: Construct, id: string, retain: boolean) {
    super(scope, id)
    this.table = new TableV2(this, 'Table', {
      partitionKey: { name: tableDefinition.partitionKey, type: AttributeType.STRING },
      sortKey: { name: tableDefinition.sortKey, type: AttributeType.STRING },
      billing: Billing.onDemand(),
      timeToLiveAttribute: tableDefinition.ttlAttribute,
      dynamoStream: StreamViewType[tableDefinition.streamView],
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: retain,
      removalPolicy: retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    const { tableStreamArn } = this.table
    if (tableStreamArn === undefined) throw new Error('The table has no stream')
    this.streamArn = tableStreamArn
  }
}
