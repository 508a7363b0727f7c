import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { type Fate, followLambdas } from './lambdas.ts'

let port = 0
let seen: (string | undefined)[] = []
const server = createServer((asked, response) => {
  seen.push(asked.headers['x-lambda']?.toString())
  response.end('done')
})
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(() => void server.close())
beforeEach(() => {
  seen = []
})

/** A call as a Lambda makes it, to the table or elsewhere. */
const call = async (target = 'DynamoDB_20120810.GetItem'): Promise<string> => {
  const asking = request({ port, method: 'POST', agent: false, headers: { 'x-amz-target': target } })
  asking.end('{}')
  const [response] = await once(asking, 'response')
  return (await buffer(response)).toString()
}

const following = (fates: (Fate | undefined)[]) => {
  const lambdas = followLambdas(() => fates.shift())
  onTestFinished(lambdas.stop)
  const invoke = (run: () => Promise<unknown>) => lambdas.around({ name: 'agent/ping', event: {} }, run)
  return { lambdas, invoke }
}

test('a Lambda that is killed before a call makes neither this one nor any other, and nobody hears of it', async () => {
  const { lambdas, invoke } = following([{ atCall: 2, how: 'killed' }])
  const outcomes: unknown[] = []
  const over = Promise.withResolvers<void>()
  const run = async () => {
    for (let n = 1; n <= 3; n += 1) outcomes.push(await call().catch((error: Error) => error.message))
    over.resolve()
  }
  await expect(invoke(run)).rejects.toThrow('killed')
  await over.promise
  expect(outcomes).toEqual(['done', 'This Lambda is dead', 'This Lambda is dead'])
  expect(seen).toEqual(['agent/ping 1'])
  expect(lambdas.ranOn).toEqual([])
})

test('a Lambda that is killed after a call has made that one', async () => {
  const { invoke } = following([{ atCall: 1, how: 'killed after' }])
  const over = Promise.withResolvers<unknown>()
  const run = async () => {
    await call()
    over.resolve(await call().catch((error: Error) => error.message))
  }
  await expect(invoke(run)).rejects.toThrow('killed')
  expect(await over.promise).toBe('This Lambda is dead')
  expect(seen).toHaveLength(1)
})

test('calls to anything but the table, the queue and connections are left alone', async () => {
  const { invoke } = following([{ atCall: 1, how: 'killed' }])
  expect(await invoke(() => call('secretsmanager.GetSecretValue'))).toBe('done')
  expect(seen).toEqual([undefined])
})

test('a frozen Lambda thaws when its function is invoked after its deadline', async () => {
  const { lambdas, invoke } = following([{ atCall: 1, how: 'frozen' }])
  const deadline = Promise.withResolvers<void>()
  const frozen = invoke(async () => {
    await call()
    await deadline.promise
  })
  while (lambdas.thawed('agent/ping 1') === undefined) await new Promise((resolve) => setImmediate(resolve))
  let isThawed = false
  const thawed = lambdas.thawed('agent/ping 1')?.then(() => {
    isThawed = true
  })
  await invoke(() => call())
  expect(isThawed).toBe(false)
  deadline.resolve()
  await frozen
  expect(isThawed).toBe(false)
  expect(await invoke(() => call())).toBe('done')
  await thawed
  expect(isThawed).toBe(true)
  expect(lambdas.thawed('agent/ping 3')).toBeUndefined()
})

test('a call that a Lambda makes after its answer is noticed, and none before', async () => {
  const { lambdas, invoke } = following([])
  const late = Promise.withResolvers<string>()
  await invoke(async () => {
    await call()
    setTimeout(() => void call().then(late.resolve), 5)
  })
  expect(lambdas.ranOn).toEqual([])
  await late.promise
  expect(lambdas.ranOn).toEqual(['agent/ping went on with POST / DynamoDB_20120810.GetItem'])
})
