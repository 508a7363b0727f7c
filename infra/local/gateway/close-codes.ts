export const goingAway = 1001

const reasons: ReadonlyMap<number, string> = new Map([
  [1000, 'Connection Closed Normally'],
  [1001, 'Going away'],
  [1002, 'Protocol error'],
  [1003, 'Unsupported data'],
  [1005, 'Client-side close frame status not set'],
  [1006, 'Connection closed abnormally'],
  [1007, 'Invalid frame payload data'],
  [1008, 'Policy violation'],
  [1009, 'Message too big'],
])

/** What the gateway says of a close code, in its close frame and to `$disconnect`. */
export function reasonOf(code: number): string {
  return reasons.get(code) ?? ''
}

/** The code with which `ws` closes when it meets this error; it keeps the code itself to itself. */
export function closeCodeOf(error: Error): number {
  switch ('code' in error ? error.code : undefined) {
    case 'WS_ERR_INVALID_UTF8':
      return 1007
    case 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH':
    case 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH':
      return 1009
    case 'WS_ERR_TOO_MANY_BUFFERED_PARTS':
      return 1008
    default:
      return 1002
  }
}
