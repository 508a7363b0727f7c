import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { config } from '../../shared/platform/config.ts'
import { measured } from '../../shared/platform/metrics.ts'
import type { SocketWrites } from '../../shared/platform/writes.ts'
import { openTable } from '../../shared/table/client.ts'
import { forgetSocket } from '../../shared/table/end-session.ts'

const client = new DynamoDBClient({})

/**
 * `$disconnect`: forgets the connection. It may come late, twice or never, and concerns this connection only:
 * presence follows from the row that goes, by the stream.
 */
export const handler = measured(
  'socket',
  'disconnect',
  async (event: { requestContext: { connectionId: string } }): Promise<{ statusCode: number }> => {
    const { connectionId: connection } = event.requestContext
    const { write } = openTable<SocketWrites['disconnect']>({ client, tableName: config.tableName() })
    await forgetSocket(write, connection)
    return { statusCode: 200 }
  },
)
