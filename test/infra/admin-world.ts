import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomId } from '../../infra/admin/cli/account-fields.ts'
import { runAdmin } from '../../infra/admin/main.ts'
import type { Io } from '../../infra/admin/cli/output.ts'
import { openTable } from '../../shared/table/client.ts'
import { licensePk } from '../../shared/table/keys.ts'
import { freshTable } from '../support/engines.ts'
import { startEngineProxy } from '../support/engine-proxy.ts'

export const now = Date.parse('2026-11-22T12:00:00Z')
export const issuer = 'http://127.0.0.1/agent-chat'

/** What `npm run admin` finds where a local stack runs: its engine, behind a proxy that can spoil calls. */
export async function openAdminWorld(engineEndpoint: string) {
  const { client, tableName } = await freshTable(engineEndpoint, { stream: false })
  const proxy = await startEngineProxy(engineEndpoint)
  const localDir = await mkdtemp(join(tmpdir(), 'admin-'))
  await writeFile(
    join(localDir, 'stack.json'),
    JSON.stringify({ endpoint: proxy.endpoint, table: tableName, issuer, audience: 'agent-chat' }),
  )
  const table = openTable({ client, tableName })

  /** Runs a command whose surroundings differ in this from those of `admin`. */
  async function adminWith(more: Partial<Io>, ...argv: string[]) {
    let [out, err] = ['', '']
    const code = await runAdmin(argv, {
      out: (text) => (out += text),
      err: (text) => (err += text),
      env: {},
      localDir,
      now: () => now,
      ...more,
    })
    return { code, out, err }
  }
  const admin = (...argv: string[]) => adminWith({}, ...argv)

  return {
    admin,
    adminWith,
    client,
    table,
    tableName,
    proxy,
    localDir,
    /** Succeeds, and gives what it printed as JSON. */
    async json(...argv: string[]) {
      const { code, out, err } = await admin(...argv, '--json')
      if (code !== 0) throw new Error(err)
      return JSON.parse(out)
    },
    /** A license of one test. */
    async license(...options: string[]): Promise<string> {
      const id = randomId()
      const { code, err } = await admin('license', 'create', '--id', id, ...options)
      if (code !== 0) throw new Error(err)
      return id
    },
    /** Everything of the license: no item may be left over, and none be missing. */
    itemsOf: (license: string) => table.read.query({ pk: licensePk(license), strong: true }),
    /** Runs once before the next call of this kind is performed. */
    beforeNext(operation: string, run: () => Promise<unknown>) {
      proxy.setFault(async (call) => {
        if (call.operation !== operation) return undefined
        proxy.setFault(undefined)
        await run()
        return undefined
      })
    },
    async close() {
      await proxy.stop()
      client.destroy()
      await rm(localDir, { recursive: true })
    },
  }
}
export type AdminWorld = Awaited<ReturnType<typeof openAdminWorld>>
