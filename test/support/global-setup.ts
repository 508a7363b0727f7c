import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { fastestEngine } from './engines.ts'
import { bundleTogether } from './functions.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The file with all functions. */
    functions: string
  }
}

let scratch: string | undefined

/**
 * Bundles the functions once, for all workers, and chooses the engine that all tests run on which are not
 * about engines. What tests leave in the folder for temporary files goes with the run.
 */
export default async (project: TestProject): Promise<() => void> => {
  const engine = await fastestEngine()
  scratch ??= mkdtempSync(join(tmpdir(), 'agent-chat-tests-'))
  // workers inherit both
  process.env['DYNAMODB_ENGINE'] = engine.name
  process.env['TMPDIR'] = scratch
  process.stdout.write(`DynamoDB is ${engine.label}; DYNAMODB_ENGINE=java or embedded chooses another\n`)
  project.provide('functions', await bundleTogether())
  const made = scratch
  return () => rmSync(made, { recursive: true, force: true })
}
