import { unmarshall } from '@aws-sdk/util-dynamodb'
import { InternalError } from '../protocol/errors.ts'
import type { Key } from './keys.ts'
import type { Attributes, Op, Range } from './ops.ts'

export const withKey = <T extends { Key: Key }>(
  op: T,
): Omit<T, 'Key'> & { Key: { pk: string; sk: string } } => ({
  ...op,
  Key: { pk: op.Key.pk, sk: op.Key.sk },
})

export interface BatchedWrite {
  PutRequest?: { Item: Attributes | undefined } | undefined
  DeleteRequest?: { Key: Attributes | undefined } | undefined
}

export const batchedWrite = (op: Op): BatchedWrite => {
  const [kind] = Object.values(op)
  if (kind?.ConditionExpression !== undefined) throw new InternalError('A batch takes no conditions')
  if ('Put' in op) return { PutRequest: { Item: op.Put.Item } }
  if ('Delete' in op) return { DeleteRequest: withKey(op.Delete) }
  throw new InternalError('A batch takes puts and deletes only')
}

export const transactItem = (TableName: string, op: Op) => {
  const onFailure = { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' } as const
  if ('Put' in op) return { Put: { TableName, ...op.Put, ...onFailure } }
  if ('Update' in op) return { Update: { TableName, ...withKey(op.Update), ...onFailure } }
  if ('Delete' in op) return { Delete: { TableName, ...withKey(op.Delete), ...onFailure } }
  return { ConditionCheck: { TableName, ...withKey(op.ConditionCheck), ...onFailure } }
}

// the items in exceptions come as the wire has them
export const plain = (item: Parameters<typeof unmarshall>[0] | undefined): Attributes | undefined =>
  item === undefined ? undefined : unmarshall(item)

export const queryExpression = ({ pk, prefix, from, to }: Range) => {
  const sortKey =
    prefix !== undefined
      ? ' AND begins_with(sk, :prefix)'
      : from !== undefined && to !== undefined
        ? ' AND sk BETWEEN :from AND :to'
        : ''
  return {
    KeyConditionExpression: `pk = :pk${sortKey}`,
    ExpressionAttributeValues: {
      ':pk': pk,
      ...(prefix !== undefined ? { ':prefix': prefix } : sortKey === '' ? {} : { ':from': from, ':to': to }),
    },
  }
}
