import { once } from 'node:events'
import { everyAgent } from '../../shared/access/audience.ts'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { localClientConfig } from '../../infra/local/engine/engine.ts'
import { openOutbox } from '../../shared/delivery/outbox.ts'
import { withinDeadline } from '../../shared/platform/deadline.ts'
import { log } from '../../shared/platform/log.ts'
import { openTable } from '../../shared/table/client.ts'

/** A table that takes calls and never answers one. */
const server = createServer((request, response) => {
  request.resume()
  server.emit('called', response)
})
let client: DynamoDBClient
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  client = new DynamoDBClient(localClientConfig(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
})
afterAll(() => {
  client.destroy()
  server.closeAllConnections()
  server.close()
})

const unhandled = vi.fn()
const logged = vi.spyOn(log, 'error')
beforeEach(() => {
  process.on('unhandledRejection', unhandled)
})
afterEach(() => {
  process.off('unhandledRejection', unhandled)
  vi.clearAllMocks()
})

/** Resolves with the call under way; `ended` resolves when its client has broken it off. */
const nextCall = async () => {
  const [response] = (await once(server, 'called')) as [ServerResponse]
  return { ended: once(response, 'close') }
}

const staysQuiet = async () => {
  for (let turns = 0; turns < 10; turns += 1) await turn()
  expect(unhandled).not.toHaveBeenCalled()
  expect(logged).not.toHaveBeenCalled()
}

test('an audience read that was not needed is broken off with the answer', async () => {
  const call = nextCall()
  const answer = await withinDeadline(async (deadline) => {
    const { read, write } = openTable({ client, tableName: 'none', signal: deadline.signal })
    const outbox = openOutbox({ read, write, deadline })
    outbox.prefetchAudience(everyAgent('l'), 'agent_updated')
    await call
    await outbox.flush()
    return 'answer'
  })
  expect(answer).toBe('answer')
  await (
    await call
  ).ended
  await staysQuiet()
})

test('calls beside one that failed are broken off with the answer, which is that failure', async () => {
  const call = nextCall()
  const answer = withinDeadline(async ({ signal }) => {
    const { read } = openTable({ client, tableName: 'none', signal })
    const failure = call.then(() => Promise.reject(new Error('the first failure')))
    await Promise.all([read.get({ pk: 'p', sk: 's' } as never), failure])
  })
  await expect(answer).rejects.toThrow('the first failure')
  await (
    await call
  ).ended
  await staysQuiet()
})
