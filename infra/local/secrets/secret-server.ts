import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import * as z from 'zod/mini'
import { listenOn } from '../listen-on.ts'

const Asked = z.object({
  SecretId: z.string(),
  VersionId: z.optional(z.string()),
  VersionStage: z.optional(z.string()),
})

interface Version {
  readonly id: string
  readonly value: string
}

export interface SecretServer {
  readonly url: string
  /**
   * A new value for a secret, as `put-secret-value` gives it: the one that was current is the previous one.
   */
  rotate(name: string, value: string): void
  stop(): Promise<void>
}

/** Answers `GetSecretValue` as Secrets Manager does, with the secrets given, by their names. */
export const startSecretServer = async (secrets: Readonly<Record<string, string>>): Promise<SecretServer> => {
  // the newest first
  const known = new Map(Object.entries(secrets).map(([name, value]) => [name, [versionOf(value)]]))
  const server = createServer((request, response) => {
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
    json(request)
      .then((asked) => secretOf(known, Asked.parse(asked)))
      .then(
        (secret) =>
          secret === undefined ? answer(400, { __type: 'ResourceNotFoundException' }) : answer(200, secret),
        () => answer(400, { __type: 'InvalidRequestException' }),
      )
  })
  const port = await listenOn(server, 0, '127.0.0.1')
  return {
    url: `http://127.0.0.1:${port}`,
    rotate: (name, value) => {
      const versions = known.get(name)
      if (versions === undefined) throw new Error(`There is no secret ${name}`)
      const next = versionOf(value)
      known.set(name, [next, ...versions.filter(({ id }) => id !== next.id)])
    },
    stop: async () => {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

// from the value, so that a secret which is kept has the same version at the next start
const versionOf = (value: string): Version => ({
  id: createHash('sha256')
    .update(value)
    .digest('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, '$1-$2-$3-$4-$5'),
  value,
})

const stages = ['AWSCURRENT', 'AWSPREVIOUS'] as const

/**
 * The version asked for by id or stage, the current one without; one that is no longer staged has its id
 * alone.
 */
const secretOf = (
  known: ReadonlyMap<string, readonly Version[]>,
  { SecretId, VersionId, VersionStage }: z.output<typeof Asked>,
): object | undefined => {
  const staged = (known.get(SecretId) ?? []).map((version, at) => ({
    ...version,
    staged: stages.slice(at, at + 1),
  }))
  const wanted = VersionId === undefined ? (VersionStage ?? 'AWSCURRENT') : VersionStage
  const found = staged.find(
    ({ id, staged }) =>
      (VersionId === undefined || id === VersionId) &&
      (wanted === undefined || staged.some((stage) => stage === wanted)),
  )
  return (
    found && {
      ARN: `arn:aws:secretsmanager:us-east-1:000000000000:secret:${SecretId}-local0`,
      Name: SecretId,
      VersionId: found.id,
      VersionStages: found.staged,
      SecretString: found.value,
    }
  )
}
