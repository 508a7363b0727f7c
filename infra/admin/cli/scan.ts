import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { setTimeout as wait } from 'node:timers/promises'
import { customersPrefix, licensePrefixes } from '../../../shared/table/key-prefixes.ts'
import { licensePk } from '../../../shared/table/keys.ts'
import type { Attributes } from '../../../shared/table/ops.ts'
import { isThrottled } from '../../../shared/table/transient-errors.ts'

/** Which items of the whole table are asked for. */
export interface Filter {
  FilterExpression: string
  ExpressionAttributeNames?: Record<string, string>
  ExpressionAttributeValues: Attributes
}

/**
 * Every item that the filter names, a page at a time, strongly consistent: reads the whole table for it. For
 * what no list leads to.
 */
export type Scan = (filter: Filter) => AsyncGenerator<Attributes[]>

const longestPauseMs = 5000

export const openScan = (client: DynamoDBClient, TableName: string): Scan => {
  const documents = DynamoDBDocumentClient.from(client)
  const page = async (command: ScanCommand) => {
    for (let tries = 1; ; tries += 1)
      try {
        return await documents.send(command)
      } catch (error) {
        if (!isThrottled(error)) throw error
        await wait(Math.random() * Math.min(longestPauseMs, 100 * 2 ** tries))
      }
  }
  return async function* scan(filter) {
    let ExclusiveStartKey: Attributes | undefined
    do {
      const { Items = [], LastEvaluatedKey } = await page(
        new ScanCommand({
          TableName,
          ConsistentRead: true,
          ...filter,
          ...(ExclusiveStartKey === undefined ? {} : { ExclusiveStartKey }),
        }),
      )
      if (Items.length > 0) yield Items
      ExclusiveStartKey = LastEvaluatedKey
    } while (ExclusiveStartKey !== undefined)
  }
}

/** A license's customers, and their sockets. */
export const ofCustomers = (license: string): Filter => ({
  FilterExpression: 'begins_with(pk, :prefix)',
  ExpressionAttributeValues: { ':prefix': customersPrefix(license) },
})

/** All of a license, but what stands beside its chats and devices under their keys. */
export const ofLicense = (license: string): Filter => {
  const prefixes = licensePrefixes(license)
  return {
    FilterExpression: [
      'pk = :own',
      'license_id = :id',
      '#session.license_id = :id',
      'visitor.license_id = :id',
      ...prefixes.map((_, i) => `begins_with(pk, :p${i})`),
    ].join(' OR '),
    ExpressionAttributeNames: { '#session': 'session' },
    ExpressionAttributeValues: {
      ':own': licensePk(license),
      ':id': license,
      ...Object.fromEntries(prefixes.map((prefix, i) => [`:p${i}`, prefix])),
    },
  }
}
