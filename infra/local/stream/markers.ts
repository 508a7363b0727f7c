import { type DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb'
import type { DynamoDBRecord } from 'aws-lambda'
import { randomUUID } from 'node:crypto'
import { tableDefinition } from '../../stack/table-definition.ts'

const { partitionKey, sortKey } = tableDefinition
const markerKey = 'LOCAL#MARKER'

/** Writes to the table that come back by its stream behind all that was written before. */
export const openMarkers = (table: DynamoDBClient, tableName: string) => {
  const onSeen = new Map<string, () => void>()
  return {
    /** Writes a marker; `seen` is called once the stream has it, unless the marker is taken back. */
    async write(seen: () => void): Promise<() => void> {
      const nonce = randomUUID()
      onSeen.set(nonce, seen)
      await table.send(
        new PutItemCommand({
          TableName: tableName,
          Item: { [partitionKey]: { S: markerKey }, [sortKey]: { S: markerKey }, nonce: { S: nonce } },
        }),
      )
      return () => onSeen.delete(nonce)
    },
    /** Whether the record is a marker's; no worker is to get it then. */
    take({ dynamodb: { Keys, NewImage } = {} }: DynamoDBRecord): boolean {
      if (Keys?.[partitionKey]?.S !== markerKey) return false
      onSeen.get(NewImage?.['nonce']?.S ?? '')?.()
      return true
    },
  }
}
