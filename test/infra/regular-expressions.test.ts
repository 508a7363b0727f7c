import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync, Visitor } from 'oxc-parser'
import { checkSync } from 'recheck'
import { expect, test, vi } from 'vitest'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'

// the checker itself, not one of the binaries that it may come with
vi.hoisted(() => (process.env['RECHECK_SYNC_BACKEND'] = 'pure'))

const root = join(import.meta.dirname, '../..')
const files = globSync(['{shared,functions}/**/*.ts', 'infra/console/page/*.{ts,tsx}'], {
  cwd: root,
}).toSorted()

interface Found {
  where: string
  source: string
  flags: string
}

type Expression = { type: string } & Record<string, any>

/** Methods that make a regular expression of a text. */
const implicit: ReadonlySet<string> = new Set(['match', 'matchAll', 'search'])

/** The regular expressions in a source; throws where one is made of what only a run knows. */
const expressionsIn = (file: string, text: string): Found[] => {
  const { program, errors } = parseSync(file, text)
  expect(errors).toEqual([])
  const found: Found[] = []
  const constants = new Map<string, Expression[]>()
  /**
   * A text that can be told without running it: a literal, a constant of this file, or a template of such.
   */
  const textOf = (expression: Expression | undefined): string => {
    if (expression?.type === 'Literal' && typeof expression['value'] === 'string') return expression['value']
    const [constant, ...others] = constants.get(expression?.['name']) ?? []
    if (constant !== undefined && others.length === 0) return textOf(constant)
    if (expression?.type === 'TemplateLiteral') {
      const inner = expression['expressions'].map(textOf)
      return expression['quasis']
        .map(({ value }: any, index: number) => `${value.cooked}${inner[index] ?? ''}`)
        .join('')
    }
    throw new Error(`${file} makes a regular expression of what cannot be told: ${expression?.type}`)
  }
  const add = (start: number, source: string, flags: string) =>
    found.push({ where: `${file}:${text.slice(0, start).split('\n').length}`, source, flags })
  const call = ({ callee, arguments: args, start }: any) => {
    const isMethod =
      callee.type === 'MemberExpression' && implicit.has(callee.property.name) && args[0]?.regex === undefined
    if (callee.name !== 'RegExp' && !isMethod) return
    add(start, textOf(args[0]), isMethod || args[1] === undefined ? '' : textOf(args[1]))
  }
  new Visitor({
    VariableDeclaration: ({ kind, declarations }: any) => {
      for (const { id, init } of declarations)
        if (kind === 'const') constants.set(id.name, [...(constants.get(id.name) ?? []), init])
    },
  }).visit(program)
  new Visitor({
    Literal: ({ regex, start }: any) => void (regex && add(start, regex.pattern, regex.flags)),
    NewExpression: call,
    CallExpression: call,
  }).visit(program)
  return found
}

/** Why a regular expression may take more than linear time; undefined: it takes no more. */
const fault = ({ source, flags }: Omit<Found, 'where'>): string | undefined => {
  // decided for every input, by automata: no time, no luck
  const result = checkSync(source, flags, { timeout: null, maxRepeatCount: 1000 })
  if (result.status === 'unknown') return `unknown: ${result.error.kind}`
  if (result.checker !== 'automaton') return 'not decided'
  return result.status === 'safe' ? undefined : result.complexity.summary
}

test(
  'every regular expression of shared/, functions/ and the page of the console takes linear time',
  { tags: ['full'] },
  () => {
    const found = files.flatMap((file) => expressionsIn(file, readFileSync(join(root, file), 'utf8')))
    expect(found.length).toBeGreaterThan(20)
    for (const one of found) expect(fault(one), `${one.where} /${one.source}/${one.flags}`).toBeUndefined()
  },
)

test('those of the schema library that requests meet take linear time', () => {
  const found = new Set<RegExp>()
  const known = new Set<unknown>()
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || known.has(value)) return
    known.add(value)
    if (value instanceof RegExp) found.add(value)
    else for (const inner of [...Object.values(value), '_zod' in value && value._zod]) visit(inner)
  }
  for (const { request } of [...agentActions, ...customerActions]) visit(request)
  expect([...found].map(String)).toContain(String(/^https?:\/\//i))
  for (const expression of found) expect(fault(expression), String(expression)).toBeUndefined()
})

test.each([
  ['zeros at either end', String.raw`const a = /^0+|0+$/g`],
  ['of a text', String.raw`const part = '(a+)'; new RegExp(${'`^${part}+$`'})`],
  ['by a method', String.raw`'x'.match('(a|a)*b')`],
])('one that takes longer is found: %s', (_, text) => {
  const [found] = expressionsIn('a.ts', text)
  expect(fault(found!)).toMatch(/polynomial|exponential/)
})

test.each(['new RegExp(given)', 'RegExp(`^${given}$`)', "'x'.search(given)", 'let a = f(); new RegExp(a)'])(
  'one that cannot be told is found: %s',
  (text) => {
    expect(() => expressionsIn('a.ts', text)).toThrow('cannot be told')
  },
)
