import { AsyncLocalStorage } from 'node:async_hooks'
import { subscribe } from 'node:diagnostics_channel'
import type { ClientRequest } from 'node:http'
import type { Around } from '../../infra/local/handlers.ts'

const running = new AsyncLocalStorage<string>()
subscribe('http.client.request.created', (message) => {
  const { request } = message as { request: ClientRequest }
  const name = running.getStore()
  const isOnTable = String(request.getHeader('x-amz-target') ?? '').startsWith('DynamoDB_')
  if (name !== undefined && isOnTable) request.setHeader('x-lambda', name)
})

/** Runs a Lambda so that its calls to the table bear its bundle's name. */
export const named: Around = ({ name, event }, run) => running.run(name, () => run(event))

/** The bundle of the Lambda that this runs in. */
export const runningLambda = (): string | undefined => running.getStore()
