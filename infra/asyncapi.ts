import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod/mini'
import { agentActions } from '../shared/protocol/agent/index.ts'
import { asyncapi } from '../shared/protocol/asyncapi.ts'
import { pushes } from '../shared/protocol/pushes.ts'

const root = join(import.meta.dirname, '..')

/** Where the document is kept, beside the code that it is made of. */
export const documentFile = join(root, 'asyncapi.json')

/** The document's text, of the tables as they are. */
export const document = async (): Promise<string> => {
  const manifest: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const { version } = z.parse(z.object({ version: z.string() }), manifest)
  const made = asyncapi(version, [
    {
      name: 'agent',
      summary: 'Where the apps of support agents connect.',
      host: '{api}.execute-api.{region}.amazonaws.com',
      pathname: '/{stage}',
      actions: agentActions,
      pushes,
    },
  ])
  return `${JSON.stringify(made, null, 2)}\n`
}

if (import.meta.main) await writeFile(documentFile, await document())
