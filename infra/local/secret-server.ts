import { once } from 'node:events'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import * as z from 'zod/mini'
import { listenOn } from './listen-on.ts'

const Asked = z.object({ SecretId: z.string() })

/** Answers `GetSecretValue` as Secrets Manager does, with the secrets given, by their names. */
export const startSecretServer = async (
  secrets: Readonly<Record<string, string>>,
): Promise<{ url: string; stop(): Promise<void> }> => {
  const known = new Map(Object.entries(secrets))
  const valueOf = (asked: unknown): object | undefined => {
    const Name = Asked.safeParse(asked).data?.SecretId
    const SecretString = Name === undefined ? undefined : known.get(Name)
    return SecretString === undefined ? undefined : { Name, SecretString }
  }
  const server = createServer((request, response) => {
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
    json(request)
      .then(valueOf)
      .then(
        (value) =>
          value === undefined ? answer(400, { __type: 'ResourceNotFoundException' }) : answer(200, value),
        () => answer(400, { __type: 'InvalidRequestException' }),
      )
  })
  const port = await listenOn(server, 0, '127.0.0.1')
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
