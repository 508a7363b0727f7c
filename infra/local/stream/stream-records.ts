import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import type { _Record } from '@aws-sdk/client-dynamodb-streams'
import type { DynamoDBRecord, AttributeValue as EventValue } from 'aws-lambda'
import type { FilterPattern, Match } from '../../stack/stream-filters.ts'

export function matchesPattern(pattern: FilterPattern, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const fields = new Map<string, unknown>(Object.entries(value))
  return Object.entries(pattern).every(([field, wanted]) =>
    Array.isArray(wanted)
      ? wanted.some((match) => matchesLeaf(match, fields.get(field)))
      : matchesPattern(wanted, fields.get(field)),
  )
}

function matchesLeaf(match: Match, value: unknown): boolean {
  if (typeof value !== 'string') return false
  if (typeof match === 'string') return value === match
  return 'prefix' in match ? value.startsWith(match.prefix) : value.endsWith(match.suffix)
}

/** A record of the streams API as Lambda's event shows it: bytes in base64, times in seconds. */
export function toEventRecord(record: _Record, streamArn: string): DynamoDBRecord {
  const { Keys, NewImage, OldImage, SequenceNumber, SizeBytes, StreamViewType, ApproximateCreationDateTime } =
    record.dynamodb ?? {}
  return {
    eventID: record.eventID,
    eventName: record.eventName,
    eventVersion: record.eventVersion ?? '1.1',
    eventSource: 'aws:dynamodb',
    awsRegion: record.awsRegion,
    eventSourceARN: streamArn,
    dynamodb: {
      ...(ApproximateCreationDateTime && {
        ApproximateCreationDateTime: ApproximateCreationDateTime.getTime() / 1000,
      }),
      ...(Keys && { Keys: toEventImage(Keys) }),
      ...(NewImage && { NewImage: toEventImage(NewImage) }),
      ...(OldImage && { OldImage: toEventImage(OldImage) }),
      SequenceNumber,
      SizeBytes,
      StreamViewType,
    },
    ...(record.userIdentity && {
      userIdentity: { type: record.userIdentity.Type, principalId: record.userIdentity.PrincipalId },
    }),
  }
}

function toEventImage(image: Record<string, AttributeValue>): Record<string, EventValue> {
  return Object.fromEntries(Object.entries(image).map(([name, value]) => [name, toEventValue(value)]))
}

function toEventValue(value: AttributeValue): EventValue {
  if (value.S !== undefined) return { S: value.S }
  if (value.N !== undefined) return { N: value.N }
  if (value.BOOL !== undefined) return { BOOL: value.BOOL }
  if (value.NULL !== undefined) return { NULL: value.NULL }
  if (value.M !== undefined) return { M: toEventImage(value.M) }
  if (value.L !== undefined) return { L: value.L.map(toEventValue) }
  if (value.SS !== undefined) return { SS: value.SS }
  if (value.NS !== undefined) return { NS: value.NS }
  if (value.B !== undefined) return { B: base64(value.B) }
  if (value.BS !== undefined) return { BS: value.BS.map(base64) }
  // how the streams of DynamoDB Local, on Java, show an empty map; a record that threw would stop the stream
  // for ever
  return { M: {} }
}

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
