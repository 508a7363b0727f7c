import { answered, readFrame, refused } from '../protocol/envelope.ts'
import { readSocket } from '../table/sockets.ts'
import type { Incoming } from './incoming.ts'

/** A message of a connection as the gateway hands it over, as far as it is used. */
export interface FrameReceived {
  requestContext: { connectionId: string; requestId?: string }
  body?: string
}

/** Takes a frame of a connection, for this route; undefined: for none. */
export const receiveFrame = (route: string | undefined, message: FrameReceived): Incoming => {
  const { connectionId: connection } = message.requestContext
  const { echo, payload, faults } = readFrame(message.body ?? '', route)
  return {
    payload,
    faults,
    connection,
    admit: async () => {},
    arrive: ({ read }) => readSocket(read, connection, Date.now()),
    answer: (answer) => ({ statusCode: 200, body: answered(echo, answer) }),
    refuse: (error) => ({ statusCode: 200, body: refused(echo, error) }),
  }
}
