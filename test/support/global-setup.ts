import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { bundleTogether } from './functions.ts'
import { fastestEngine } from './engines.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The file with this run's functions: a run beside it has its own. */
    functions: string
  }
}

/** Bundles the functions once, for all workers, and chooses the engine that all tests run on which are not about engines. */
export default async (project: TestProject): Promise<() => Promise<void>> => {
  const engine = await fastestEngine()
  // workers inherit it
  process.env['DYNAMODB_ENGINE'] = engine.name
  process.stdout.write(`DynamoDB is ${engine.label}; DYNAMODB_ENGINE=java or embedded chooses another\n`)
  const dir = await mkdtemp(join(tmpdir(), 'agent-chat-functions-'))
  const file = join(dir, 'functions.cjs')
  await bundleTogether(file)
  project.provide('functions', file)
  return () => rm(dir, { recursive: true, force: true })
}
