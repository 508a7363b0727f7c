import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { AdminError, UsageError } from '../../../shared/provisioning/admin-error.ts'
import { openTable } from '../../../shared/table/client.ts'
import { localClientConfig } from '../../local/engine/engine.ts'
import type { Io } from './output.ts'
import { openScan } from './scan.ts'

/** The table that a command works on. */
export type Target = ReturnType<typeof opened> & {
  /**
   * A sentence that says what an error of this table means and how to mend it; undefined for other errors.
   */
  explain(error: Error): string | undefined
} & (
    { place: 'local'; issuer: string; audience: string; tokenUrl: string | undefined } | { place: 'deployed' }
  )

const opened = (client: DynamoDBClient, tableName: string) => ({
  table: openTable({ client, tableName }),
  /** The same table, whose calls the signal aborts. */
  within: (signal: AbortSignal) => openTable({ client, tableName, signal }),
  scan: openScan(client, tableName),
  close: () => client.destroy(),
})

/** The file `stack.json`, by which the local stack says where it is while it runs. */
const Stack = z.object({
  endpoint: z.string(),
  table: z.string(),
  issuer: z.string(),
  audience: z.string(),
  token_url: z.optional(z.string()),
})
/** The stack's names, for an engine that runs without a stack. */
const defaults = { table: 'agent-chat', issuer: 'http://127.0.0.1/agent-chat', audience: 'agent-chat' }

const startIt = 'Start it with npm start, or name a deployed table with --table.'

export async function openTarget(
  io: Io,
  { table, region }: { table?: string | undefined; region?: string | undefined },
): Promise<Target> {
  if (table !== undefined) return openDeployed(table, region)
  if (region !== undefined) throw new UsageError('--region is for a deployed table: name it with --table.')
  return openLocal(io)
}

async function openDeployed(tableName: string, wanted: string | undefined): Promise<Target> {
  const client = new DynamoDBClient(wanted === undefined ? {} : { region: wanted })
  const region = await client.config.region().catch(() => {
    throw new UsageError('In which region is the table? Say it with --region, or set AWS_REGION.')
  })
  return {
    place: 'deployed',
    ...opened(client, tableName),
    explain: (error) => {
      if (error.name === 'ResourceNotFoundException')
        return `There is no table ${tableName} in ${region}. The stack's output names it; --region chooses another region.`
      if (error.name === 'CredentialsProviderError')
        return `No AWS credentials were found. Set AWS_PROFILE, or log in as you do for cdk deploy. (${error.message})`
      return undefined
    },
  }
}

async function openLocal(io: Io): Promise<Target> {
  const stack = await runningStack(io.localDir)
  const endpoint = io.env['DYNAMODB_ENDPOINT'] || stack?.endpoint
  if (endpoint === undefined) throw new AdminError(`The local stack is not running. ${startIt}`)
  const { table: tableName, issuer, audience } = stack ?? defaults
  const client = new DynamoDBClient(localClientConfig(endpoint))
  return {
    place: 'local',
    issuer,
    audience,
    tokenUrl: stack?.token_url,
    ...opened(client, tableName),
    explain: (error) => {
      if ('code' in error && error.code === 'ECONNREFUSED')
        return `Nothing answers at ${endpoint}: the local stack is not running. ${startIt}`
      if (error.name === 'ResourceNotFoundException')
        return `The engine at ${endpoint} has no table ${tableName}. npm start makes it.`
      return undefined
    },
  }
}

async function runningStack(dir: string): Promise<z.output<typeof Stack> | undefined> {
  const file = join(dir, 'stack.json')
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  try {
    return Stack.parse(JSON.parse(text))
  } catch {
    throw new AdminError(`${file} cannot be read. npm start writes it anew.`)
  }
}
