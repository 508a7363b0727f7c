import type { SQSMessageAttributes } from 'aws-lambda'
import { createHash, randomUUID } from 'node:crypto'
import * as z from 'zod/mini'

/** A message that SQS would take. */
export type Accepted = { messageId: string; body: string; delayS: number; attributes: SQSMessageAttributes }
type Answer = { status: number; headers: Record<string, string>; body: string }

const maxMessageBytes = 1_048_576
const maxBatchEntries = 10

const Attribute = z.object({
  DataType: z.string(),
  StringValue: z.optional(z.string()),
  BinaryValue: z.optional(z.string()),
})
const Entry = z.object({
  MessageBody: z.optional(z.string()),
  DelaySeconds: z.optional(z.number()),
  MessageAttributes: z.optional(z.record(z.string(), Attribute)),
})
type Entry = z.infer<typeof Entry>
const SendMessage = z.extend(Entry, { QueueUrl: z.string() })
const SendMessageBatch = z.object({
  QueueUrl: z.string(),
  Entries: z.optional(z.array(z.extend(Entry, { Id: z.string() }))),
})

/**
 * `code` is the error's name on the wire; `queryCode` is the one of the older protocol, sent along in a
 * header.
 */
class SqsError extends Error {
  readonly code: string
  readonly queryCode: string
  constructor(code: string, message: string, queryCode: string = code) {
    super(message)
    this.code = code
    this.queryCode = queryCode
  }
}

const batchError = (code: string, message: string) =>
  new SqsError(code, message, `AWS.SimpleQueueService.${code}`)
const invalidValue = (message: string) => new SqsError('InvalidParameterValue', message)

/** Answers one request of the JSON protocol; `accept` gets its messages before the answer goes out. */
export function answerSqs(
  request: { target: string; body: string; queueUrl: string },
  accept: (messages: Accepted[]) => void,
): Answer {
  try {
    const operation = request.target.replace('AmazonSQS.', '')
    const payload = parseJson(request.body)
    switch (operation) {
      case 'SendMessage':
        return ok(sendMessage(payload, request.queueUrl, accept))
      case 'SendMessageBatch':
        return ok(sendMessageBatch(payload, request.queueUrl, accept))
      default:
        throw new SqsError(
          'UnsupportedOperation',
          `The local queue does not know ${operation}.`,
          'AWS.SimpleQueueService.UnsupportedOperation',
        )
    }
  } catch (error) {
    if (!(error instanceof SqsError)) throw error
    return {
      status: 400,
      headers: { 'x-amzn-query-error': `${error.queryCode};Sender` },
      body: JSON.stringify({ __type: `com.amazonaws.sqs#${error.code}`, message: error.message }),
    }
  }
}

const ok = (answer: object): Answer => ({ status: 200, headers: {}, body: JSON.stringify(answer) })

function sendMessage(payload: unknown, queueUrl: string, accept: (messages: Accepted[]) => void) {
  const { QueueUrl, ...entry } = parse(SendMessage, payload)
  checkQueue(QueueUrl, queueUrl)
  const message = check(entry)
  accept([message])
  return { MessageId: message.messageId, MD5OfMessageBody: md5(message.body) }
}

function sendMessageBatch(payload: unknown, queueUrl: string, accept: (messages: Accepted[]) => void) {
  const { QueueUrl, Entries: entries = [] } = parse(SendMessageBatch, payload)
  checkQueue(QueueUrl, queueUrl)
  const ids = entries.map(({ Id }) => Id)
  if (ids.length === 0) {
    throw batchError(
      'EmptyBatchRequest',
      'There should be at least one SendMessageBatchRequestEntry in the request.',
    )
  }
  if (ids.length > maxBatchEntries) {
    throw batchError(
      'TooManyEntriesInBatchRequest',
      `Maximum number of entries per request are ${maxBatchEntries}. You have sent ${ids.length}.`,
    )
  }
  if (!ids.every((id) => /^[\w-]{1,80}$/.test(id))) {
    throw batchError(
      'InvalidBatchEntryId',
      'A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.',
    )
  }
  const repeated = ids.find((id, index) => ids.indexOf(id) !== index)
  if (repeated !== undefined) throw batchError('BatchEntryIdsNotDistinct', `Id ${repeated} repeated.`)
  const totalBytes = entries.reduce((sum, entry) => sum + sizeBytes(entry), 0)
  if (totalBytes > maxMessageBytes) {
    throw batchError(
      'BatchRequestTooLong',
      `Batch requests cannot be longer than ${maxMessageBytes} bytes. You have sent ${totalBytes} bytes.`,
    )
  }
  const accepted: Accepted[] = []
  const Successful: object[] = []
  const Failed: object[] = []
  for (const { Id, ...entry } of entries) {
    try {
      const message = check(entry)
      accepted.push(message)
      Successful.push({ Id, MessageId: message.messageId, MD5OfMessageBody: md5(message.body) })
    } catch (error) {
      if (!(error instanceof SqsError)) throw error
      Failed.push({ Id, SenderFault: true, Code: error.queryCode, Message: error.message })
    }
  }
  accept(accepted)
  return { Successful, ...(Failed.length > 0 && { Failed }) }
}

function check(entry: Entry): Accepted {
  const { MessageBody: body, DelaySeconds: delayS = 0, MessageAttributes = {} } = entry
  if (!body) throw new SqsError('MissingParameter', 'The request must contain the parameter MessageBody.')
  if (sizeBytes(entry) > maxMessageBytes) {
    throw invalidValue(
      `One or more parameters are invalid. Reason: Message must be shorter than ${maxMessageBytes} bytes.`,
    )
  }
  // oxlint-disable-next-line no-control-regex -- these are what SQS refuses
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(body)) {
    throw new SqsError(
      'InvalidMessageContents',
      'Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF',
    )
  }
  if (!Number.isInteger(delayS) || delayS < 0 || delayS > 900) {
    throw invalidValue(
      `Value ${delayS} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.`,
    )
  }
  const attributes = Object.entries(MessageAttributes).map(
    ([name, { DataType, StringValue, BinaryValue }]) => [
      name,
      { dataType: DataType, stringValue: StringValue, binaryValue: BinaryValue },
    ],
  )
  return { messageId: randomUUID(), body, delayS, attributes: Object.fromEntries(attributes) }
}

/** As SQS counts: the body in UTF-8 and the attributes' names, types and values. */
function sizeBytes({ MessageBody = '', MessageAttributes = {} }: Entry): number {
  const attributes = Object.entries(MessageAttributes).map(
    ([name, { DataType, StringValue = '', BinaryValue = '' }]) =>
      Buffer.byteLength(name + DataType + StringValue) + Buffer.byteLength(BinaryValue, 'base64'),
  )
  return attributes.reduce((sum, bytes) => sum + bytes, Buffer.byteLength(MessageBody))
}

function checkQueue(asked: string, queueUrl: string) {
  if (new URL(asked, queueUrl).pathname === new URL(queueUrl).pathname) return
  throw new SqsError(
    'QueueDoesNotExist',
    'The specified queue does not exist.',
    'AWS.SimpleQueueService.NonExistentQueue',
  )
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new SqsError('SerializationException', 'The request body is not JSON.')
  }
}

function parse<T>(schema: z.ZodMiniType<T>, payload: unknown): T {
  const result = schema.safeParse(payload)
  if (result.success) return result.data
  throw new SqsError('SerializationException', z.prettifyError(result.error))
}

export const md5 = (text: string) => createHash('md5').update(text).digest('hex')
