import { createHash, randomUUID } from 'node:crypto'
import * as z from 'zod/mini'

/** A message that SQS would take. */
export type Accepted = { messageId: string; body: string; delayS: number }
export type Answer = { status: number; headers: Record<string, string>; body: string }

const maxMessageBytes = 1_048_576

/** What the product sends; another parameter is refused. */
const SendMessage = z.strictObject({
  QueueUrl: z.string(),
  MessageBody: z.optional(z.string()),
  DelaySeconds: z.optional(z.number()),
})
type SendMessage = z.output<typeof SendMessage>

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

const invalidValue = (message: string) => new SqsError('InvalidParameterValue', message)

/** Answers one request of the JSON protocol; `accept` gets its message before the answer goes out. */
export function answerSqs(
  request: { target: string; body: string; queueUrl: string },
  accept: (message: Accepted) => void,
): Answer {
  try {
    const operation = request.target.replace('AmazonSQS.', '')
    if (operation !== 'SendMessage')
      throw new SqsError(
        'UnsupportedOperation',
        `The local queue does not know ${operation}.`,
        'AWS.SimpleQueueService.UnsupportedOperation',
      )
    const sent = parse(request.body)
    checkQueue(sent.QueueUrl, request.queueUrl)
    const message = check(sent)
    accept(message)
    const answer = { MessageId: message.messageId, MD5OfMessageBody: md5(message.body) }
    return { status: 200, headers: {}, body: JSON.stringify(answer) }
  } catch (error) {
    if (!(error instanceof SqsError)) throw error
    return {
      status: 400,
      headers: { 'x-amzn-query-error': `${error.queryCode};Sender` },
      body: JSON.stringify({ __type: `com.amazonaws.sqs#${error.code}`, message: error.message }),
    }
  }
}

function check({ MessageBody: body, DelaySeconds: delayS = 0 }: SendMessage): Accepted {
  if (!body) throw new SqsError('MissingParameter', 'The request must contain the parameter MessageBody.')
  if (Buffer.byteLength(body) > maxMessageBytes) {
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
  return { messageId: randomUUID(), body, delayS }
}

function checkQueue(asked: string, queueUrl: string) {
  if (new URL(asked, queueUrl).pathname === new URL(queueUrl).pathname) return
  throw new SqsError(
    'QueueDoesNotExist',
    'The specified queue does not exist.',
    'AWS.SimpleQueueService.NonExistentQueue',
  )
}

function parse(body: string): SendMessage {
  const result = SendMessage.safeParse(parseJson(body))
  if (result.success) return result.data
  throw new SqsError('SerializationException', z.prettifyError(result.error))
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new SqsError('SerializationException', 'The request body is not JSON.')
  }
}

export const md5 = (text: string) => createHash('md5').update(text).digest('hex')
