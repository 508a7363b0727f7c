import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { createTable } from '../../infra/local/create-table.ts'
import { type Engine, localClientConfig, startEngine } from '../../infra/local/dynamodb.ts'

/** The engines that this machine can run, in memory; a forced one or an endpoint is the only one. */
export async function startEngines(): Promise<Engine[]> {
  const { DYNAMODB_ENGINE, DYNAMODB_ENDPOINT } = process.env
  if (DYNAMODB_ENGINE || DYNAMODB_ENDPOINT) return [await startEngine()]
  const started = await Promise.allSettled(
    ['java', 'embedded'].map((name) => startEngine({ env: { ...process.env, DYNAMODB_ENGINE: name } })),
  )
  const engines = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  if (engines.length === 0)
    throw new AggregateError(started.map((result) => 'reason' in result && result.reason))
  return engines
}

/** A client, and a table that only one test uses; without `stream` it is written to several times as fast. */
export async function freshTable(
  endpoint: string,
  options: { stream?: boolean } = {},
): Promise<{ client: DynamoDBClient; tableName: string }> {
  const client = new DynamoDBClient(localClientConfig(endpoint))
  const tableName = `test-${crypto.randomUUID()}`
  await createTable(client, tableName, options)
  return { client, tableName }
}
