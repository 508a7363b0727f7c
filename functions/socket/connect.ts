import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { enqueueJob } from '../../shared/jobs/job-queue.ts'
import { allEnded } from '../../shared/platform/all-ended.ts'
import { config } from '../../shared/platform/config.ts'
import { log } from '../../shared/platform/log.ts'
import { measured } from '../../shared/platform/metrics.ts'
import type { SocketWrites } from '../../shared/platform/writes.ts'
import { InternalError } from '../../shared/protocol/errors.ts'
import { mayConnect } from '../../shared/request/rate-limits.ts'
import { openTable } from '../../shared/table/client.ts'
import { putSocket } from '../../shared/table/session-writes.ts'

const client = new DynamoDBClient({})
const loginWithinS = 30

/**
 * `$connect`: keeps the connection, which has half a minute to log in. Nothing can be sent to it from here
 * yet. Answers 429 for too many connections from one address.
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
      write.write(putSocket(connection, Date.now(), { ip })),
      enqueueJob({ job: 'expect_login', connection }, loginWithinS),
    ])
    // throttled: the handshake is refused, so that the client tries again
    if (!kept.done) throw new InternalError('The connection could not be kept')
    return { statusCode: 200 }
  },
)
