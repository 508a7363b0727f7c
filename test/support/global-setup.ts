import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { build } from '../../infra/build.ts'
import { startEngine } from '../../infra/local/dynamodb.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The engine that wire and race tests share; each test file has a table of its own. */
    engine: { name: string; endpoint: string }
    /** Where this run's bundles are: a run beside it has its own. */
    dist: string
  }
}

/** Bundles the handlers once, so that tests run what ships, and starts one engine for all files. */
export default async (project: TestProject): Promise<() => Promise<void>> => {
  const dist = await mkdtemp(join(tmpdir(), 'agent-chat-dist-'))
  await build(dist)
  const engine = await startEngine()
  project.provide('engine', { name: engine.name, endpoint: engine.endpoint })
  project.provide('dist', dist)
  return async () => {
    await engine.stop()
    await rm(dist, { recursive: true, force: true })
  }
}
