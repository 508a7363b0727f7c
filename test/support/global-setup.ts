import type { TestProject } from 'vitest/node'
import { build } from '../../infra/build.ts'
import { startEngine } from '../../infra/local/dynamodb.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The engine that wire and race tests share; each test file has a table of its own. */
    engine: { name: string; endpoint: string }
  }
}

/** Bundles the handlers once, so that tests run what ships, and starts one engine for all files. */
export default async (project: TestProject): Promise<() => Promise<void>> => {
  await build()
  const engine = await startEngine()
  project.provide('engine', { name: engine.name, endpoint: engine.endpoint })
  return () => engine.stop()
}
