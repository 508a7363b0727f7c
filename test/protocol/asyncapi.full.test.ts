import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Parser } from '@asyncapi/parser'
import { expect, test } from 'vitest'

/** What the official parser has to say against a document. */
const complaints = async (text: string) => {
  const { document: read, diagnostics } = await new Parser().parse(text)
  const found = diagnostics
    .filter(({ code }) => code !== 'asyncapi-latest-version')
    .map(({ code, message, path }) => `${code} at ${path.join('.')}: ${message}`)
  return read === undefined && found.length === 0 ? ['unreadable'] : found
}

test('asyncapi.json is valid AsyncAPI 3 by the official parser, without a warning', async () => {
  const text = await readFile(join(import.meta.dirname, '../../asyncapi.json'), 'utf8')
  expect(await complaints(text)).toEqual([])
})
