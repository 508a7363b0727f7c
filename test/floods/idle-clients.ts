import { once } from 'node:events'
import { WebSocket } from 'ws'

// Apps that connect and then do nothing, in a process of their own so that what they take is not the
// gateway's.
const [url = '', count = '0'] = process.argv.slice(2)
const atOnce = 100

const sockets: WebSocket[] = []
while (sockets.length < Number(count)) {
  const part = Array.from(
    { length: Math.min(atOnce, Number(count) - sockets.length) },
    () => new WebSocket(url),
  )
  await Promise.all(part.map((socket) => once(socket, 'open')))
  sockets.push(...part)
}
process.send?.('open')
await once(process, 'message')
const closing = sockets.map((socket) => once(socket, 'close'))
for (const socket of sockets) socket.close()
await Promise.all(closing)
process.disconnect()
