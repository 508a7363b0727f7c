import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { build } from '../../infra/build.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Where this run's bundles are: a run beside it has its own. */
    dist: string
  }
}

/** Bundles the handlers once, so that tests run what ships. */
export default async (project: TestProject): Promise<() => Promise<void>> => {
  const dist = await mkdtemp(join(tmpdir(), 'agent-chat-dist-'))
  await build(dist)
  project.provide('dist', dist)
  return () => rm(dist, { recursive: true, force: true })
}
