import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import { InFlight } from '../in-flight.ts'
import { listenOn } from '../listen-on.ts'
import { goingAway, reasonOf } from './close-codes.ts'
import { Connection } from './connection.ts'
import { answerConnections, answerHttp, type Asked, type Managed, type Written } from './connections-api.ts'
import { newId } from './events.ts'
import type { DropOptions, Gateway } from './handle.ts'
import { refuse } from './handshake.ts'
import { listenTo } from './inbound.ts'
import { Invocations } from './invocations.ts'
import {
  type Faults,
  type GatewayOptions,
  type GatewaySettings,
  type Limits,
  noJitter,
  settingsOf,
} from './settings.ts'

export type { Gateway } from './handle.ts'
export type { GatewayOptions, Route } from './settings.ts'

/**
 * Starts an API Gateway for WebSocket APIs on this machine: the endpoint and its management API on one port.
 * @throws {Error} where the port is taken
 */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const gateway = new LocalGateway(options)
  await gateway.listen(options.port, options.host ?? '127.0.0.1')
  return gateway
}

/** How long clients have at `close()` to end their side of the closing handshake. */
const closingGraceMs = 200

class LocalGateway implements Gateway, Managed {
  readonly settings: GatewaySettings
  readonly #http: Server
  readonly #sockets: WebSocketServer
  readonly #connections = new Map<string, Connection>()
  readonly #admitted = new WeakMap<
    IncomingMessage,
    { connection: Connection; protocol: string | undefined }
  >()
  readonly #work = new InFlight()
  readonly #invocations: Invocations
  #closed: Promise<void> | undefined
  #address = ''

  constructor(options: GatewayOptions) {
    this.settings = settingsOf(options)
    this.#invocations = new Invocations(this.settings, this.#work)
    this.#sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      maxPayload: this.settings.limits.inboundMessageBytes,
      verifyClient: ({ req }, admit) => void this.#work.track(this.#connect(req, () => admit(true))),
      handleProtocols: () => false,
    })
    this.#sockets.on('headers', (headers, request) => {
      const protocol = this.#admitted.get(request)?.protocol
      if (protocol !== undefined) headers.push(`Sec-WebSocket-Protocol: ${protocol}`)
    })
    this.#http = createServer(
      {
        keepAliveTimeout: 120_000,
        shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
      },
      (request, response) => void this.#work.track(answerHttp(this, request, response)),
    )
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
  }

  async listen(port: number, host: string): Promise<void> {
    this.#address = `${host}:${await listenOn(this.#http, port, host)}/${this.settings.stage}`
  }

  get url(): string {
    return `ws://${this.#address}`
  }

  get callbackUrl(): string {
    return `http://${this.#address}`
  }

  setJitter(jitter: (() => number) | undefined): void {
    this.settings.jitter = jitter ?? noJitter
  }

  setFaults(faults: Faults): void {
    this.settings.faults = faults
  }

  setLimits(limits: Partial<Limits>): void {
    this.settings.limits = { ...this.settings.limits, ...limits }
    this.#sockets.options.maxPayload = this.settings.limits.inboundMessageBytes
    for (const connection of this.#connections.values()) this.#watch(connection)
  }

  connections(): string[] {
    return [...this.#connections.values()].filter((each) => each.isThere).map((each) => each.connectionId)
  }

  connection(connectionId: string): Connection | undefined {
    const connection = this.#connections.get(connectionId)
    return connection?.isThere ? connection : undefined
  }

  deleteConnection(connection: Connection): void {
    this.#close(connection, 1000)
  }

  pause(ms: number): Promise<void> {
    return this.#invocations.pause(ms)
  }

  answer(asked: Asked): Promise<Written | undefined> {
    return this.#work.track(answerConnections(this, asked))
  }

  idle(): Promise<void> {
    return this.#work.none(() => ![...this.#connections.values()].some((each) => each.isClosing))
  }

  drop(connectionId: string, { clean, posts = 'gone' }: DropOptions): void {
    const connection = this.#connections.get(connectionId)
    if (connection === undefined) throw new Error(`There is no connection ${connectionId} to drop.`)
    if (clean) {
      this.#close(connection, goingAway)
      return
    }
    if (posts === 'gone') this.#forget(connection)
    else connection.unnoticed = posts === 'lost' ? 'lost' : 'hangs'
    connection.cut()
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeAll()
    return this.#closed
  }

  async #closeAll(): Promise<void> {
    for (const connection of this.#connections.values()) this.#close(connection, goingAway)
    this.#invocations.close()
    // What still runs may post, so the port stays open until then.
    await this.idle()
    const clients = [...this.#sockets.clients]
    const gone = Promise.all(clients.map((client) => new Promise((resolve) => client.once('close', resolve))))
    const cut = setTimeout(() => clients.forEach((client) => client.terminate()), closingGraceMs)
    await gone
    clearTimeout(cut)
    await new Promise((resolve) => {
      this.#http.close(resolve)
      this.#http.closeAllConnections()
    })
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const [path] = (request.url ?? '').split('?')
    const { stage } = this.settings
    if (this.#closed !== undefined) refuse(socket, 503, '{"message":"Service Unavailable"}')
    else if (path !== `/${stage}` && path !== `/${stage}/`) refuse(socket, 403, '{"message":"Forbidden"}')
    else this.#sockets.handleUpgrade(request, socket, head, (client) => this.#open(client, request))
  }

  /** Before the handshake is answered: until `$connect` returned, nobody can reach the connection. */
  async #connect(request: IncomingMessage, admit: () => void): Promise<void> {
    const { socket, headers } = request
    const { apiId, stage, clock } = this.settings
    const connection = new Connection({
      apiId,
      stage,
      connectionId: newId(),
      connectedAt: clock.now(),
      sourceIp: socket.remoteAddress ?? '127.0.0.1',
      userAgent: headers['user-agent'],
    })
    const verdict = await this.#invocations.connect(connection, request)
    if (!verdict.admitted) {
      refuse(socket, verdict.status, verdict.body)
      return
    }
    if (this.#closed !== undefined || !socket.readable || !socket.writable) {
      socket.destroy()
      await this.#invocations.disconnect(connection, 1006, reasonOf(1006))
      return
    }
    this.#admitted.set(request, { connection, protocol: verdict.protocol })
    admit()
  }

  #open(client: WebSocket, request: IncomingMessage): void {
    const connection = this.#admitted.get(request)?.connection
    if (connection === undefined) throw new Error('A handshake was answered before it was admitted.')
    connection.attach(client)
    this.#connections.set(connection.connectionId, connection)
    this.#watch(connection)
    this.#listen(connection, client, request.socket)
  }

  #listen(connection: Connection, client: WebSocket, socket: Duplex): void {
    listenTo(client, socket, this.settings.limits.inboundFrameBytes, {
      text: (text) => {
        if (this.#connections.has(connection.connectionId))
          void this.#work.track(this.#answer(connection, text))
      },
      unacceptable: (code) => this.#close(connection, code),
      ended: (code, reason) => {
        // The loss of its socket is just what goes unnoticed.
        if (connection.unnoticed === undefined) this.#end(connection, code, reason)
      },
    })
  }

  async #answer(connection: Connection, text: string): Promise<void> {
    const { clock, limits } = this.settings
    connection.lastActiveAt = clock.now()
    const answer = await this.#invocations.message(connection, text)
    if (answer !== undefined) connection.send(answer, clock.now(), limits.outboundFrameBytes)
  }

  /** Begins the closing handshake, and ends the connection without waiting for the client's side of it. */
  #close(connection: Connection, code: number): void {
    connection.close(code, reasonOf(code))
    this.#end(connection, code)
  }

  #end(connection: Connection, code: number, reason = ''): void {
    if (!this.#forget(connection)) return
    void this.#work.track(this.#invocations.disconnect(connection, code, reason || reasonOf(code)))
  }

  /** Whether the connection was still known. */
  #forget(connection: Connection): boolean {
    connection.stopWatch()
    const wasKnown = this.#connections.delete(connection.connectionId)
    queueMicrotask(() => this.#work.changed())
    return wasKnown
  }

  #watch(connection: Connection): void {
    const { clock, limits } = this.settings
    connection.watch(clock, limits, () => this.#close(connection, goingAway))
  }
}
