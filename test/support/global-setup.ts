import type { TestProject } from 'vitest/node'
import { fastestEngine } from './engines.ts'
import { bundleTogether } from './functions.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The file with all functions. */
    functions: string
  }
}

/**
 * Bundles the functions once, for all workers, and chooses the engine that all tests run on which are not
 * about engines.
 */
export default async (project: TestProject): Promise<void> => {
  const engine = await fastestEngine()
  // workers inherit it
  process.env['DYNAMODB_ENGINE'] = engine.name
  process.stdout.write(`DynamoDB is ${engine.label}; DYNAMODB_ENGINE=java or embedded chooses another\n`)
  project.provide('functions', await bundleTogether())
}
