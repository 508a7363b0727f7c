import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  ApiGatewayManagementApiClient,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi'
import { expect, test } from 'vitest'
import { type Route, startGateway } from '../../infra/local/gateway/gateway.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes of this thread that are in use, inside the heap and beside it. */
const inUse = (): number => {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const idle = 2000
// measured: 4.5 KB on Node 24
const mostBytes = 16 * 1024

test('2,000 idle sockets on the local gateway take little memory each, stay reachable, and leave nothing behind', async () => {
  const disconnected: string[] = []
  const gateway = await startGateway({
    apiId: 'idle',
    stage: 'v1',
    port: 0,
    routes: new Map<string, Route>([
      ['$connect', { twoWay: false, handler: () => ({ statusCode: 200 }) }],
      [
        '$disconnect',
        {
          twoWay: false,
          handler: ({ requestContext }) =>
            void ('connectionId' in requestContext && disconnected.push(requestContext.connectionId)),
        },
      ],
    ]),
  })
  const open = async (count: number) => {
    const clients = fork(join(import.meta.dirname, 'idle-clients.ts'), [gateway.url, String(count)])
    await once(clients, 'message')
    return async () => {
      const exit = once(clients, 'exit')
      clients.send('close')
      expect(await exit).toEqual([0, null])
      await gateway.idle()
    }
  }
  // what is compiled and kept once for all
  await (
    await open(50)
  )()
  const before = inUse()

  const close = await open(idle)
  expect(gateway.connections()).toHaveLength(idle)
  const each = (inUse() - before) / idle
  expect(each).toBeLessThan(mostBytes)
  const api = new ApiGatewayManagementApiClient({
    endpoint: gateway.callbackUrl,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })
  for (const ConnectionId of gateway.connections().filter((_, n) => n % 100 === 0))
    await api.send(new PostToConnectionCommand({ ConnectionId, Data: 'x' }))

  await close()
  expect(gateway.connections()).toEqual([])
  expect(new Set(disconnected).size).toBe(50 + idle)
  expect((inUse() - before) / idle).toBeLessThan(2048)
  api.destroy()
  await gateway.close()
})
