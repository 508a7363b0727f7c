import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync } from 'oxc-parser'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const columns = 110

/** The lines of a source that are longer and end in a comment. Prettier wraps code, but no comments. */
const longComments = (file: string, text: string): string[] => {
  let end = -1
  const long = text.split('\n').flatMap((line, index) => {
    end += line.length + 1
    return line.length > columns ? [{ line: index + 1, at: end - 1 }] : []
  })
  // most sources have none, and need no parser
  if (long.length === 0) return []
  const { comments } = parseSync(file, text)
  return long
    .filter(({ at }) => comments.some((comment) => comment.start <= at && at < comment.end))
    .map(({ line }) => `${file}:${line}`)
}

test('comments end by column 110', () => {
  const files = globSync(['*.ts', '{functions,infra,shared,test}/**/*.{ts,tsx,mjs}'], { cwd: root })
  expect(files.length).toBeGreaterThan(500)
  expect(files.flatMap((file) => longComments(file, readFileSync(join(root, file), 'utf8')))).toEqual([])
})

test('a long line is found where it ends in a comment', () => {
  const long = 'x'.repeat(columns)
  const sources = [
    `// ${long}`,
    `/*\n * ${long}\n */`,
    `const a = '${long}'`,
    `const a = 1 // é ${long}`,
    `\n// ${long} 'a'`,
  ]
  expect(sources.map((text) => longComments('a.ts', text))).toEqual([
    ['a.ts:1'],
    ['a.ts:2'],
    [],
    ['a.ts:1'],
    ['a.ts:2'],
  ])
})
