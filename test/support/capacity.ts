import type { AttributeValue } from '@aws-sdk/client-dynamodb'

type Capacity = { rru: number; wru: number }
type Item = Record<string, AttributeValue>
type Keyed = { Key?: Item; Item?: Item }
/** The parts of requests and answers that prices depend on. */
export type PricedRequest = {
  ConsistentRead?: boolean
  Item?: Item
  RequestItems?: Record<string, unknown>
  TransactItems?: Record<string, Keyed>[]
}
export type PricedAnswer = {
  __type?: string
  Item?: Item
  Responses?: unknown
  ConsumedCapacity?: { CapacityUnits: number } | { CapacityUnits: number }[]
}

const kb = (bytes: number) => Math.max(1, Math.ceil(bytes / 1024))
const fourKb = (bytes: number) => Math.max(1, Math.ceil(bytes / 4096))
const sum = (figures: number[]) => figures.reduce((total, figure) => total + figure, 0)
const none: Capacity = { rru: 0, wru: 0 }

/**
 * What DynamoDB would charge for a call, in request units. Plain reads and writes are taken as the engine
 * reports them. Computed is what the engines get wrong:
 * - DynamoDB Local adds the sizes of a transaction's items before it rounds, so three small puts cost 2
 *   there and 6 in DynamoDB; it charges nothing for a query that finds nothing, nor for keys that a
 *   BatchGetItem does not find, and 2 for a delete in a BatchWriteItem that finds nothing.
 * - No engine prices a refused condition, which DynamoDB charges like a write of what stood in the way.
 *
 * An Update, Delete or ConditionCheck of a transaction counts as 2 for an item of up to 1 KB; only the
 * embedded engine reports the larger ones.
 */
export function priceOf(operation: string, request: PricedRequest, answer: PricedAnswer): Capacity {
  const reported = sum([answer.ConsumedCapacity ?? []].flat().map(({ CapacityUnits }) => CapacityUnits))
  const refused = answer.__type !== undefined
  const condition = answer.__type?.endsWith('ConditionalCheckFailedException')
  const cancelled = answer.__type?.endsWith('TransactionCanceledException')
  switch (operation) {
    case 'GetItem':
    case 'Query':
    case 'Scan':
      return refused ? none : { rru: Math.max(reported, request.ConsistentRead ? 1 : 0.5), wru: 0 }
    case 'PutItem':
    case 'UpdateItem':
    case 'DeleteItem': {
      if (condition)
        return { rru: 0, wru: Math.max(...[request.Item, answer.Item].map((item) => kb(itemBytes(item)))) }
      return refused ? none : { rru: 0, wru: reported }
    }
    case 'BatchGetItem':
      return refused ? none : { rru: batchGetUnits(request, answer, reported), wru: 0 }
    case 'BatchWriteItem':
      return refused ? none : { rru: 0, wru: batchWriteUnits(request) }
    case 'TransactWriteItems': {
      const parts = (request.TransactItems ?? []).flatMap((part) => Object.values(part))
      const computed = sum(parts.map(({ Item }) => 2 * kb(itemBytes(Item))))
      return refused && !cancelled ? none : { rru: 0, wru: Math.max(computed, reported) }
    }
    case 'TransactGetItems': {
      const computed = 2 * (request.TransactItems?.length ?? 0)
      return refused && !cancelled ? none : { rru: Math.max(computed, reported), wru: 0 }
    }
    default:
      return none
  }
}

type BatchGet = Record<string, { Keys: Item[]; ConsistentRead?: boolean; ProjectionExpression?: string }>

/** Each item is rounded up on its own; a key that is not found costs as much as a small item. */
function batchGetUnits(request: PricedRequest, answer: PricedAnswer, reported: number): number {
  const found = (answer.Responses ?? {}) as Record<string, Item[]>
  const units = Object.entries((request.RequestItems ?? {}) as BatchGet).map(
    ([table, { Keys, ConsistentRead }]) => {
      const items = found[table] ?? []
      const missing = Math.max(0, Keys.length - items.length)
      return (ConsistentRead ? 1 : 0.5) * (missing + sum(items.map((item) => fourKb(itemBytes(item)))))
    },
  )
  return Math.max(sum(units), reported) // a projection hides sizes that the report knows
}

type BatchWrite = Record<string, { PutRequest?: { Item: Item } }[]>

function batchWriteUnits(request: PricedRequest): number {
  const requests = Object.values((request.RequestItems ?? {}) as BatchWrite).flat()
  return sum(requests.map(({ PutRequest }) => kb(itemBytes(PutRequest?.Item))))
}

/** An item's size as DynamoDB counts it: the names and the values of its attributes. */
export function itemBytes(item: Item = {}): number {
  return sum(Object.entries(item).map(([name, value]) => Buffer.byteLength(name) + valueBytes(value)))
}

function valueBytes(value: AttributeValue): number {
  if (value.S !== undefined) return Buffer.byteLength(value.S)
  if (value.N !== undefined) return numberBytes(value.N)
  if (value.B !== undefined) return binaryBytes(value.B)
  if (value.SS !== undefined) return sum(value.SS.map((text) => Buffer.byteLength(text)))
  if (value.NS !== undefined) return sum(value.NS.map(numberBytes))
  if (value.BS !== undefined) return sum(value.BS.map(binaryBytes))
  if (value.L !== undefined) return 3 + sum(value.L.map((element) => 1 + valueBytes(element)))
  if (value.M !== undefined) return 3 + Object.keys(value.M).length + itemBytes(value.M)
  return 1
}

/** On the wire bytes are base64. */
const binaryBytes = (bytes: Uint8Array | string) =>
  typeof bytes === 'string' ? Buffer.byteLength(bytes, 'base64') : bytes.length

/** Two significant digits to the byte, and one more, two if negative. */
function numberBytes(text: string): number {
  const digits = text
    .replace(/e.*$/i, '')
    .replace(/[^\d]/g, '')
    .replace(/^0+|0+$/g, '')
  return Math.ceil(digits.length / 2) + 1 + (text.startsWith('-') ? 1 : 0)
}
