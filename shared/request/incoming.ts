import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type { ErrorDetail, ProtocolError } from '../protocol/errors.ts'
import type { Reads } from '../table/capabilities.ts'
import type { Common } from '../table/families.ts'
import type { SocketItem } from '../table/sockets.ts'
import type { Limiting } from './rate-limits.ts'

/** What API Gateway takes for an answer, of both kinds of API. */
export type Result = APIGatewayProxyStructuredResultV2

/** What it takes to find out who asks. */
export type Receiving = Limiting & Reads<Common | 'identity'>

/** A request as it came in, by a connection or over HTTP, and how it is answered there. */
export interface Incoming {
  payload: unknown
  /** Faults of the request itself; nothing else of it is looked at then. */
  faults: readonly ErrorDetail[]
  /** The gateway's id of the connection; undefined: over HTTP. */
  connection: string | undefined
  /** What must hold before anything is read for it: over HTTP, that its token is genuine. Throws `auth`. */
  admit: (ctx: Receiving) => Promise<void>
  /** Who asks, as of now: the connection's socket, or what would be that of a token's agent. */
  arrive: (ctx: Receiving) => Promise<SocketItem | undefined>
  answer: (payload: unknown) => Result
  refuse: (error: ProtocolError) => Result
}
