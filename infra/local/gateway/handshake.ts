import { STATUS_CODES, validateHeaderValue } from 'node:http'
import type { Duplex } from 'node:stream'
import { type ConnectEvent, errorFrame } from './events.ts'
import type { Ending, LambdaResult } from './invoke.ts'

export type Admission =
  | { readonly admitted: true; readonly protocol: string | undefined }
  | { readonly admitted: false; readonly status: number; readonly body: string }

/** What the answer of `$connect` means for its handshake: only a 2xx lets the client in. */
export function admission(ending: Ending, event: ConnectEvent): Admission {
  const malformed: Admission = {
    admitted: false,
    status: 502,
    body: errorFrame('Internal server error', event),
  }
  if (ending.how !== 'ended') return malformed
  // No `statusCode` is malformed here, and 1xx would leave the client waiting.
  const { statusCode = 0 } = ending.result
  if (statusCode < 200) return malformed
  if (statusCode > 299) return { admitted: false, status: statusCode, body: '' }
  const protocol = chosenProtocol(ending.result)
  return protocol === undefined || isHeaderValue(protocol) ? { admitted: true, protocol } : malformed
}

/** Answers a handshake with a plain HTTP status, and ends it. */
export function refuse(socket: Duplex, status: number, body: string): void {
  socket.on('error', () => socket.destroy())
  socket.once('finish', () => socket.destroy())
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`,
      'Connection: close',
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  )
}

/** The one response header of `$connect` that reaches the client. */
function chosenProtocol({ headers, multiValueHeaders }: LambdaResult): string | undefined {
  for (const [name, value] of Object.entries({ ...multiValueHeaders, ...headers })) {
    if (name.toLowerCase() === 'sec-websocket-protocol') return String(value)
  }
  return undefined
}

function isHeaderValue(value: string): boolean {
  try {
    validateHeaderValue('Sec-WebSocket-Protocol', value)
    return true
  } catch {
    return false // it throws for whatever would break out of the header
  }
}
