import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { format } from 'prettier'
import * as z from 'zod/mini'
import type { ActionSpec } from '../shared/protocol/action.ts'
import { agentActions } from '../shared/protocol/agent/index.ts'
import { asyncapi, type Endpoint } from '../shared/protocol/asyncapi.ts'
import { customerActions } from '../shared/protocol/customer/index.ts'
import { customerPushes, pushes } from '../shared/protocol/pushes.ts'

const root = join(import.meta.dirname, '..')
const asyncapiFile = join(root, 'asyncapi.json')
const readmeFile = join(root, 'README.md')

/** The AsyncAPI document's text, of the tables as they are. */
const asyncapiText = async (): Promise<string> => {
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
    {
      name: 'customer',
      summary: "Where customers' pages connect.",
      host: '{api}.execute-api.{region}.amazonaws.com',
      pathname: '/{stage}',
      query: { license_id: 'The licence whose agents the customer talks to.' },
      actions: customerActions,
      pushes: customerPushes,
    },
  ])
  return `${JSON.stringify(made, null, 2)}\n`
}

const table = (head: string, what: string, rows: readonly (readonly [string, string])[]): string =>
  [`| ${head} | ${what} |`, '| --- | --- |', ...rows.map(([name, text]) => `| \`${name}\` | ${text} |`)].join(
    '\n',
  )

const actionTable = (actions: readonly ActionSpec[]): string =>
  table(
    'action',
    'what it does',
    actions.map(({ name, summary }) => [name, summary] as const),
  )

const pushTable = (pushed: Endpoint['pushes']): string =>
  table(
    'push',
    'what it says, and to whom',
    Object.entries(pushed).map(([name, { summary, to }]) => [name, `${summary} To ${to}.`] as const),
  )

/** The README's text with `section` between its marks `<!-- name -->` and `<!-- /name -->`. */
export const between = (text: string, name: string, section: string): string => {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [before, rest] = text.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`README.md has no ${begin} … ${end}`)
  return `${before}${begin}\n\n${section}\n\n${end}${after}`
}

/** The README with what stands between its marks made of the tables. */
const readmeText = async (): Promise<string> => {
  const sections = {
    actions: actionTable(agentActions),
    pushes: pushTable(pushes),
    'customer-actions': actionTable(customerActions),
    'customer-pushes': pushTable(customerPushes),
  }
  let text = await readFile(readmeFile, 'utf8')
  for (const [name, section] of Object.entries(sections)) text = between(text, name, section)
  return format(text, { parser: 'markdown', printWidth: 110 })
}

/** What is generated: the files and what they hold when they are up to date. */
export const generated: Readonly<Record<string, () => Promise<string>>> = {
  [asyncapiFile]: asyncapiText,
  [readmeFile]: readmeText,
}

if (import.meta.main)
  for (const [file, text] of Object.entries(generated)) await writeFile(file, await text())
