import {
  ApiGatewayManagementApiClient,
  PostToConnectionCommand,
} from '@aws-sdk/client-apigatewaymanagementapi'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb'
import { NodeHttpHandler } from '@smithy/node-http-handler'

// The least that a message can take: one put, a post to each of a list of connections that is known already,
// an answer. No session, no permission, no order, nothing that a failure would be noticed by. By the SDK's
// clients, with as many sockets as the functions' have.

/** Whom it posts to; set by whoever imports the bundle. */
export const listeners: string[] = []

const clients = (maxSockets: number) =>
  new NodeHttpHandler({ httpAgent: { maxSockets, keepAlive: true }, socketAcquisitionWarningTimeout: 60_000 })
const table = DynamoDBDocumentClient.from(new DynamoDBClient({ requestHandler: clients(128) }))
const endpoint = process.env['FLOOR_CALLBACK_URL'] ?? ''
const connections = new ApiGatewayManagementApiClient({
  ...{ endpoint, maxAttempts: 1, requestHandler: clients(256) },
})

let order = 0

interface Message {
  body: string
  requestContext: { connectionId: string }
}

export const handler = async ({ body, requestContext }: Message) => {
  const { action, request_id, payload } = JSON.parse(body)
  order += 1
  const event = {
    id: `${payload.chat_id}_1_${order}`,
    order,
    created_at: new Date().toISOString(),
    author_id: requestContext.connectionId,
    ...payload.event,
  }
  await table.send(
    new PutCommand({
      TableName: process.env['TABLE_NAME'],
      Item: { pk: `FLOOR#${payload.chat_id}`, sk: String(order).padStart(9, '0'), event },
      ConditionExpression: 'attribute_not_exists(pk)',
    }),
  )
  const answer = { thread_id: `${payload.chat_id}_1`, event }
  const pushed = { chat_id: payload.chat_id, ...answer }
  const Data = JSON.stringify({ action: 'incoming_event', type: 'push', payload: pushed })
  await Promise.all(
    listeners.map((ConnectionId) => connections.send(new PostToConnectionCommand({ ConnectionId, Data }))),
  )
  return {
    statusCode: 200,
    body: JSON.stringify({ request_id, action, type: 'response', success: true, payload: answer }),
  }
}
