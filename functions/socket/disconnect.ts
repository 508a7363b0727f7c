import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { config } from '../../shared/runtime/config.ts'
import { openTable } from '../../shared/table/client.ts'
import { agentSocketRemoved, SocketItem, socketRemoved } from '../../shared/table/sockets.ts'

const client = new DynamoDBClient({})

/**
 * `$disconnect`: forgets the connection. It may come late, twice or never, and concerns this connection only: presence
 * follows from the row that goes, by the stream.
 */
export const handler = async (event: {
  requestContext: { connectionId: string }
}): Promise<{ statusCode: number }> => {
  const { connectionId: connection } = event.requestContext
  const { write } = openTable({ client, tableName: config.tableName() })
  const removed = await write.write(socketRemoved(connection), { returnOld: true })
  const session =
    removed.done && removed.attributes !== undefined
      ? SocketItem.parse(removed.attributes).session
      : undefined
  if (session !== undefined)
    await write.write(agentSocketRemoved(session.license_id, session.agent_id, connection))
  return { statusCode: 200 }
}
