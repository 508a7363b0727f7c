import { InternalError } from '../../shared/protocol/errors.ts'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { config } from '../../shared/runtime/config.ts'
import { allEnded } from '../../shared/runtime/all-ended.ts'
import { log } from '../../shared/runtime/log.ts'
import { measured } from '../../shared/runtime/metrics.ts'
import { mayConnect } from '../../shared/runtime/rates.ts'
import { sendLater } from '../../shared/runtime/later.ts'
import type { SocketWrites } from '../../shared/runtime/writes.ts'
import { openTable } from '../../shared/table/client.ts'
import { connected } from '../../shared/table/sockets.ts'

const client = new DynamoDBClient({})
const loginWithinS = 30

/**
 * `$connect`: keeps the connection, which has half a minute to log in. Nothing can be sent to it from here yet. Answers 429 for
 * too many connections from one address.
 */
export const handler = measured(
  'socket',
  'connect',
  async (event: {
    requestContext: { connectionId: string; identity: { sourceIp: string } }
  }): Promise<{ statusCode: number }> => {
    const { connectionId: connection, identity } = event.requestContext
    const ip = identity.sourceIp
    const { write } = openTable<SocketWrites['connect']>({ client, tableName: config.tableName() })
    if (!(await mayConnect(write, ip))) {
      log.warn('An agent’s connection was refused', { reason: 'too many connections from one address' })
      return { statusCode: 429 }
    }
    const [kept] = await allEnded([
      write.write(connected(connection, Date.now(), { ip })),
      sendLater({ job: 'expect_login', connection }, loginWithinS),
    ])
    // throttled: the handshake is refused, so that the client tries again
    if (!kept.done) throw new InternalError('The connection could not be kept')
    return { statusCode: 200 }
  },
)
