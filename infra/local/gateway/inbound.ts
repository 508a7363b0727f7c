import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { closeCodeOf } from './close-codes.ts'
import { FrameLengths } from './frame-lengths.ts'

interface InboundListener {
  text(text: string): void
  /** The client sent what the gateway does not take: close it with this code. */
  unacceptable(code: 1003 | 1009): void
  /** It closed, was lost (1006), or broke the protocol and is being closed. May come more than once. */
  ended(code: number, reason?: string): void
}

/** Turns a client's frames into messages, within the limits on frames, which `ws` does not know. */
export function listenTo(client: WebSocket, socket: Duplex, frameBytes: number, on: InboundListener): void {
  const frames = new FrameLengths(frameBytes)
  let isTooLong = false
  let messages = 0
  // Sees each chunk before `ws` does, which then hands out the messages that end in it.
  socket.prependListener('data', (chunk: Buffer) => {
    if (isTooLong || !frames.exceededBy(chunk)) return
    isTooLong = true
    queueMicrotask(() => on.unacceptable(1009))
  })
  client.on('message', (data: Buffer, isBinary) => {
    if (isTooLong && messages >= frames.messages) return
    messages += 1
    if (isBinary) on.unacceptable(1003)
    else on.text(data.toString())
  })
  // `ws` has begun to close by itself then, and its own 'close' event would say 1006.
  client.on('error', (error) => on.ended(closeCodeOf(error)))
  client.on('close', (code, reason) => on.ended(code, reason.toString()))
}
