import {
  CreateTableCommand,
  type DynamoDBClient,
  ResourceInUseException,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb'
import { tableDefinition } from '../../stack/table-definition.ts'

/**
 * Creates the table as the stack defines it. A table of that name that exists is left as it is.
 *
 * @param stream `false`: without a stream, whose records a write of the embedded engine writes as well
 */
export async function createTable(
  client: DynamoDBClient,
  tableName: string,
  { stream = true } = {},
): Promise<void> {
  const { partitionKey, sortKey, ttlAttribute, streamView } = tableDefinition
  try {
    await client.send(
      new CreateTableCommand({
        TableName: tableName,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [
          { AttributeName: partitionKey, AttributeType: 'S' },
          { AttributeName: sortKey, AttributeType: 'S' },
        ],
        KeySchema: [
          { AttributeName: partitionKey, KeyType: 'HASH' },
          { AttributeName: sortKey, KeyType: 'RANGE' },
        ],
        ...(stream && { StreamSpecification: { StreamEnabled: true, StreamViewType: streamView } }),
      }),
    )
  } catch (error) {
    if (error instanceof ResourceInUseException) return
    throw error
  }
  await waitUntilTableExists({ client, maxWaitTime: 10, minDelay: 1 }, { TableName: tableName })
  await client.send(
    new UpdateTimeToLiveCommand({
      TableName: tableName,
      TimeToLiveSpecification: { Enabled: true, AttributeName: ttlAttribute },
    }),
  )
}
