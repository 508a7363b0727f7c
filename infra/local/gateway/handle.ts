import type { Asked, Written } from './connections-api.ts'
import type { Faults, Limits } from './settings.ts'

export interface DropOptions {
  /** `true`: closed with 1001, and `$disconnect` follows. `false`: the network is cut, and it never does. */
  readonly clean: boolean
  /**
   * Cut only: what becomes of POSTs to it. `gone` (unless told): 410. `lost` and `hang`: the gateway has not
   * noticed; they answer 200 or never, and `$disconnect` comes when the connection is idle for too long.
   */
  readonly posts?: 'gone' | 'lost' | 'hang'
}

export interface Gateway {
  /** `ws://127.0.0.1:<port>/<stage>` */
  readonly url: string
  /** `http://127.0.0.1:<port>/<stage>`: the endpoint of the management API. */
  readonly callbackUrl: string
  /** Milliseconds to wait before each message's invocation; `undefined`: none. */
  setJitter(jitter: (() => number) | undefined): void
  setFaults(faults: Faults): void
  /** The sizes of inbound frames and messages hold for connections that come later, the rest for all. */
  setLimits(limits: Partial<Limits>): void
  /** Ids of the clients that a POST would reach. */
  connections(): string[]
  /** Answers a request of the management API from within this process; undefined: it hangs. */
  answer(asked: Asked): Promise<Written | undefined>
  /**
   * Resolves once no invocation is under way, none is held back by jitter, every POST so far was handed to
   * its socket, and every client that closed had its `$disconnect`. A client that pings before this and
   * again after it has had its messages handled, and has received all that came of them. Hanging POSTs and
   * `$disconnect`s that are late by `faults` are not waited for.
   */
  idle(): Promise<void>
  /** Loses a connection, from the network's side. */
  drop(connectionId: string, options: DropOptions): void
  /** Closes all connections (1001, with their `$disconnect`), waits for what is under way, frees the port. */
  close(): Promise<void>
}
