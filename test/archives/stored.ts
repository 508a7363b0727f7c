import {
  type AttributeValue,
  DynamoDBClient,
  ScanCommand,
  type ScanCommandOutput,
  UpdateTableCommand,
} from '@aws-sdk/client-dynamodb'
import { expect } from 'vitest'
import { localClientConfig } from '../../infra/local/engine/engine.ts'
import type { World } from '../support/world.ts'

type Raw = Record<string, AttributeValue>

/** Items of the table, in the engine's own form, each with these attributes only where some are named. */
export const scan = async (
  client: DynamoDBClient,
  { tableName }: Pick<World, 'tableName'>,
  attributes?: string,
): Promise<Raw[]> => {
  const items: Raw[] = []
  let start: Raw | undefined
  do {
    const page: ScanCommandOutput = await client.send(
      new ScanCommand({
        TableName: tableName,
        ConsistentRead: true,
        ...(attributes === undefined ? {} : { ProjectionExpression: attributes }),
        ...(start === undefined ? {} : { ExclusiveStartKey: start }),
      }),
    )
    items.push(...(page.Items ?? []))
    start = page.LastEvaluatedKey
  } while (start !== undefined)
  return items
}

/** What stands under a license's index, as `<pk> <sk>`, sorted: lists, and whatever else there is. */
export const storedIndex = async (
  client: DynamoDBClient,
  world: Pick<World, 'tableName'>,
  license: string,
): Promise<string[]> =>
  (await scan(client, world, 'pk, sk'))
    .map(({ pk, sk }) => `${pk?.S} ${sk?.S}`)
    .filter((key) => key.startsWith(`INDEX#${license}#`))
    .toSorted()

/** Fails with what is missing and what is too much: a diff of ten thousands takes its time. */
export const expectSame = (found: readonly string[], expected: readonly string[]): void => {
  const [has, must] = [new Set(found), new Set(expected)]
  expect({
    missing: expected.filter((one) => !has.has(one)),
    tooMuch: found.filter((one) => !must.has(one)),
  }).toEqual({ missing: [], tooMuch: [] })
  expect(found.length).toBe(has.size)
}

/** A client by way of the world's proxy, which counts its calls. */
export const clientOf = (world: World): DynamoDBClient =>
  new DynamoDBClient(localClientConfig(world.proxy.endpoint))

/**
 * Ends the table's stream: the embedded engine takes the longer for a write the more records it holds. The
 * world's `settled` waits in vain from here on.
 */
export const endStream = async (
  client: DynamoDBClient,
  { tableName }: Pick<World, 'tableName'>,
): Promise<void> => {
  await client.send(
    new UpdateTableCommand({ TableName: tableName, StreamSpecification: { StreamEnabled: false } }),
  )
}
