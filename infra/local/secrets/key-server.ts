import { once } from 'node:events'
import { createServer } from 'node:http'
import { listenOn } from '../listen-on.ts'
import { publicJwks, type TokenKey } from './token-key.ts'

/** Serves the key set that `login` checks local tokens against, as an identity provider would. */
export const startKeyServer = async (key: TokenKey): Promise<{ url: string; stop(): Promise<void> }> => {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(publicJwks(key)))
  })
  const port = await listenOn(server, 0, '127.0.0.1')
  return {
    url: `http://127.0.0.1:${port}/.well-known/jwks.json`,
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
