import { afterAll, expect, test } from 'vitest'
import { endCrashedRun } from '../../infra/local/crash-recovery.ts'
import { openTable } from '../../shared/table/client.ts'
import { putManifest, readManifests } from '../../shared/table/archive/manifests.ts'
import { freshTable, startEngines } from '../support/engines.ts'

const engines = await startEngines()
afterAll(() => Promise.all(engines.map((engine) => engine.stop())))

test.each(engines)(
  'what a run that was killed was indexing is free for the next one at once, on $label',
  async ({ endpoint }) => {
    const { client, tableName } = await freshTable(endpoint, { stream: false })
    const table = openTable({ client, tableName })
    const indexedState = { at: 1, id: 'abc_1', lists: ['all'] }
    const held = {
      indexedState,
      pendingStates: [indexedState],
      leaseUntil: Date.now() + 20_000,
      nonce: 'x',
      followed: 0,
    }
    await table.write.write(putManifest('abc', { n: 1, version: 0 }, held))
    const settled = { ...held, pendingStates: [], leaseUntil: 0 }
    await table.write.write(putManifest('abc', { n: 2, version: 0 }, settled))

    await endCrashedRun(table, { client, tableName })
    // all else stays as it was: what was being written is known
    expect(await readManifests(table.read, 'abc')).toEqual([
      { ...held, n: 1, version: 1, leaseUntil: 0 },
      { ...settled, n: 2, version: 1 },
    ])
  },
)
