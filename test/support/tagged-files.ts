import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

const importsOf = (file: string, source: string): string[] =>
  [...source.matchAll(/ from '(\.[^']+)'/g)].map(([, path = '']) => normalize(join(dirname(file), path)))

/**
 * The test files under `test/` that have tests with a tag, and some that have none: those whose sources, or
 * what they import from there, write it as a text. Loading the others takes longer than their part of a run.
 */
export const filesWithTag = (tag: string): string[] => {
  const sources = new Map(globSync('test/**/*.ts').map((file) => [file, readFileSync(file, 'utf8')]))
  const found = new Map<string, boolean>()
  const has = (file: string): boolean => {
    const source = sources.get(file)
    if (source === undefined) return false
    const known = found.get(file)
    if (known !== undefined) return known
    const writes = source.includes(`'${tag}'`)
    // files may import one another
    found.set(file, writes)
    const is = writes || importsOf(file, source).some(has)
    found.set(file, is)
    return is
  }
  return [...sources.keys()].filter((file) => file.endsWith('.test.ts') && has(file)).toSorted()
}
