import { RemovalPolicy } from 'aws-cdk-lib'
import { AttributeType, Billing, CfnGlobalTable, StreamViewType, TableV2 } from 'aws-cdk-lib/aws-dynamodb'
import { Construct } from 'constructs'
import { tableDefinition } from './table-definition.ts'

interface ChatTableProps {
  readonly retain: boolean
  /** The stream of a table that is there already, restored from a backup: it is used, and none is made. */
  readonly stream: string | undefined
  /** The key that encrypts a table that is made; undefined: one of DynamoDB's. */
  readonly kmsKeyArn: string | undefined
}

/** The one table, on demand, restorable to any second of the last 35 days. */
export class ChatTable extends Construct {
  readonly name: string
  readonly arn: string
  readonly streamArn: string

  constructor(scope: Construct, id: string, { retain, stream, kmsKeyArn }: ChatTableProps) {
    super(scope, id)
    if (stream !== undefined) {
      this.streamArn = stream
      this.arn = stream.replace(/\/stream\/.*/, '')
      this.name = this.arn.replace(/.*:table\//, '')
      return
    }
    const table = new TableV2(this, 'Table', {
      partitionKey: { name: tableDefinition.partitionKey, type: AttributeType.STRING },
      sortKey: { name: tableDefinition.sortKey, type: AttributeType.STRING },
      billing: Billing.onDemand(),
      timeToLiveAttribute: tableDefinition.ttlAttribute,
      dynamoStream: StreamViewType[tableDefinition.streamView],
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: retain,
      removalPolicy: retain ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    })
    if (kmsKeyArn !== undefined) {
      // `TableEncryptionV2` wants to know the region, which a stack that is deployable wherever does not
      const resource = table.node.defaultChild
      if (!(resource instanceof CfnGlobalTable)) throw new Error('The table has no resource')
      resource.sseSpecification = { sseEnabled: true, sseType: 'KMS' }
      resource.addPropertyOverride('Replicas.0.SSESpecification.KMSMasterKeyId', kmsKeyArn)
    }
    const { tableStreamArn } = table
    if (tableStreamArn === undefined) throw new Error('The table has no stream')
    this.name = table.tableName
    this.arn = table.tableArn
    this.streamArn = tableStreamArn
  }
}
