import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { createTable } from '../../infra/local/engine/create-table.ts'
import { type Engine, localClientConfig, startEngine } from '../../infra/local/engine/engine.ts'

const started = async (name: string): Promise<Engine> =>
  startEngine({ env: { ...process.env, DYNAMODB_ENGINE: name } })

/**
 * Which engine tests run on: the one that the environment names, or else the fastest that this machine can
 * run.
 */
export const fastestEngine = async (): Promise<Pick<Engine, 'name' | 'label'>> => {
  const { DYNAMODB_ENGINE, DYNAMODB_ENDPOINT } = process.env
  const engine =
    DYNAMODB_ENGINE || DYNAMODB_ENDPOINT
      ? await startEngine()
      : await started('embedded').catch(() => started('java'))
  await engine.stop()
  return engine
}

/** Whether this machine can run an engine. */
export const isThere = async (name: 'java' | 'embedded'): Promise<boolean> => {
  const engine = await started(name).catch(() => undefined)
  await engine?.stop()
  return engine !== undefined
}

/** The engines that this machine can run, in memory; a forced one or an endpoint is the only one. */
export async function startEngines(): Promise<Engine[]> {
  const { DYNAMODB_ENGINE, DYNAMODB_ENDPOINT } = process.env
  if (DYNAMODB_ENGINE || DYNAMODB_ENDPOINT) return [await startEngine()]
  const results = await Promise.allSettled(['java', 'embedded'].map(started))
  const engines = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  if (engines.length === 0)
    throw new AggregateError(results.map((result) => 'reason' in result && result.reason))
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
