import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'

const root = join(import.meta.dirname, '../..')
const page = await readFile(join(root, 'docs/events.md'), 'utf8')
/** The one code block of docs/events.md in a language. */
export const snippet = (language: string): string => {
  const [found, ...more] = [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))]
  expect(more).toEqual([])
  return found![1]!
}

/** Runs a snippet with what it imports; resolves to the value that it calls `name`. */
export const runSnippet = async (code: string, name: string, given: object = {}): Promise<any> => {
  const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (...given: any[]) => any
  const scope: Record<string, unknown> = { ...given }
  for (const [, names, from] of code.matchAll(/^import \{ (.+) \} from '(.+)'$/gm)) {
    const found = await import(from!.replace(/^\./, root))
    for (const one of names!.split(', ')) scope[one] = found[one]
  }
  const body = `${code.replaceAll(/^import .*\n/gm, '')}\nreturn ${name}`
  return new AsyncFunction(...Object.keys(scope), body)(...Object.values(scope))
}
