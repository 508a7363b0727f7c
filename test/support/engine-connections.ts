import type { IncomingHttpHeaders } from 'node:http'
import { connect, type Socket } from 'node:net'

export interface EngineAnswer {
  status: number
  contentType: string
  body: Buffer
}

interface Connection {
  socket: Socket
  /** Of the request that is on it. */
  answered: PromiseWithResolvers<EngineAnswer> | undefined
}

export interface EngineConnections {
  post(headers: IncomingHttpHeaders, body: Buffer): Promise<EngineAnswer>
  close(): void
}

// whatever else an SDK sends, engines do not read
const forwarded = ['content-type', 'x-amz-target', 'x-amz-date', 'authorization']
const mostConnections = 256
/** An engine answers within milliseconds; what holds a call on purpose does so before it. */
const longestCallMs = 20_000

/** The operations that change what a table holds. */
export const writing = /^(Put|Update|Delete|BatchWrite|TransactWrite)/

/**
 * Kept-alive connections to an engine, which posts go over one at a time. By hand, since Node's own client
 * takes five times the CPU of all this: measured, 0.35 ms for each call.
 */
export const openEngineConnections = (endpoint: string): EngineConnections => {
  const { hostname, port } = new URL(endpoint)
  const open = new Set<Connection>()
  const free: Connection[] = []
  const waiting: (() => void)[] = []

  const newConnection = async (): Promise<Connection> => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    const connection: Connection = { socket, answered: undefined }
    open.add(connection)
    let got: Buffer = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      got = got.length === 0 ? chunk : Buffer.concat([got, chunk])
      const answer = wholeAnswer(got)
      if (answer === undefined) return
      got = Buffer.alloc(0)
      const { answered } = connection
      connection.answered = undefined
      free.push(connection)
      waiting.shift()?.()
      answered?.resolve(answer)
    })
    // a close follows
    socket.on('error', () => {})
    socket.on('close', () => {
      open.delete(connection)
      const index = free.indexOf(connection)
      if (index >= 0) free.splice(index, 1)
      waiting.shift()?.()
      connection.answered?.reject(hungUp())
    })
    // one that is closed while it connects has no error
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('close', () => reject(hungUp()))
    })
    return connection
  }

  const takeConnection = async (): Promise<Connection> => {
    for (;;) {
      const connection = free.pop()
      if (connection !== undefined) return connection
      if (open.size < mostConnections) return newConnection()
      await new Promise<void>((resolve) => waiting.push(resolve))
    }
  }

  return {
    async post(headers, body) {
      const connection = await takeConnection()
      // closed since it was taken: nothing would ever answer
      if (connection.socket.destroyed) throw hungUp()
      connection.answered = Promise.withResolvers()
      const lines = forwarded.flatMap((name) =>
        headers[name] === undefined ? [] : [`${name}: ${String(headers[name])}`],
      )
      const head = [
        'POST / HTTP/1.1',
        `host: ${hostname}:${port}`,
        `content-length: ${body.length}`,
        ...lines,
      ]
      connection.socket.write(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]))
      // an engine that was killed in the middle of it may leave a call without an end
      const timer = setTimeout(() => connection.socket.destroy(), longestCallMs)
      return connection.answered.promise.finally(() => clearTimeout(timer))
    },
    close() {
      for (const { socket } of open) socket.destroy()
    },
  }
}

const hungUp = () => Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })

const headEnd = '\r\n\r\n'
const lastChunk = Buffer.from('\r\n0\r\n\r\n')

/** Undefined while some of it is missing. */
const wholeAnswer = (got: Buffer): EngineAnswer | undefined => {
  const headLength = got.indexOf(headEnd)
  if (headLength < 0) return undefined
  const head = got.toString('latin1', 0, headLength)
  const field = (name: string) => new RegExp(`^${name}: *(.*?) *\r?$`, 'im').exec(head)?.[1]
  const sent = got.subarray(headLength + headEnd.length)
  const length = field('content-length')
  // no JSON has line ends in it
  const isWhole =
    length === undefined ? sent.subarray(-lastChunk.length).equals(lastChunk) : sent.length >= Number(length)
  if (!isWhole) return undefined
  return {
    status: Number(head.split(' ', 2)[1]),
    contentType: field('content-type') ?? '',
    body: length === undefined ? unchunked(sent) : sent,
  }
}

const unchunked = (sent: Buffer): Buffer => {
  const chunks: Buffer[] = []
  for (let at = 0; ;) {
    const start = sent.indexOf('\r\n', at) + 2
    const length = Number.parseInt(sent.toString('latin1', at, start), 16)
    if (length === 0) return Buffer.concat(chunks)
    chunks.push(sent.subarray(start, start + length))
    at = start + length + 2
  }
}
