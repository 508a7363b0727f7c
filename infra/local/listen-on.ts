import type { Server } from 'node:http'

/**
 * Resolves with the port that the server listens on.
 * @throws {Error} where it is taken, naming it
 */
export function listenOn(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE'
      const message = `Port ${port} on ${host} is in use: stop what listens there, or choose another port.`
      reject(isTaken ? new Error(message, { cause: error }) : error)
    })
    // The default of 511 drops connections where a few thousand clients come at once.
    server.listen({ port, host, backlog: 4096 }, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}
