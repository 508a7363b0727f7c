import { createPrivateKey } from 'node:crypto'
import { marshall } from '@aws-sdk/util-dynamodb'
import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { parseJson } from '../../shared/protocol/json.ts'
import { causeOf, cleaned } from '../../shared/platform/cause.ts'
import { InternalError, ProtocolError } from '../../shared/protocol/errors.ts'

const secret = 'what Ann wrote'
const first = (error: unknown): string | undefined => causeOf(error).split('\n')[0]
const thrownBy = (act: () => unknown): unknown => {
  try {
    act()
    return undefined
  } catch (error) {
    return error
  }
}
const ofAws = (name: string, message: string) =>
  Object.assign(new Error(message), { name, $fault: 'client', Item: { text: secret } })

describe('a cause in the log', () => {
  test.each([
    ['an error of our own', new InternalError('A chat is gone'), 'InternalError: A chat is gone'],
    // words of whose, nobody can tell
    ['any other', new Error(secret), 'Error'],
    ['one of several', new AggregateError([], secret), 'AggregateError'],
    [
      'an error of the protocol',
      new ProtocolError('not_found', { message: secret }),
      'ProtocolError: not_found',
    ],
    ['a parser’s', thrownBy(() => JSON.parse(secret)), 'SyntaxError'],
    ['one of the language', new TypeError(`Cannot read properties (reading '${secret}')`), 'TypeError'],
    [
      'AWS’s',
      ofAws('AccessDeniedException', 'Not authorized: dynamodb:Query'),
      'AccessDeniedException: Not authorized: dynamodb:Query',
    ],
    ['AWS’s, with a quotation', ofAws('Strange', `Value '${secret}' or "${secret}"`), 'Strange: Value …'],
    ['AWS’s, of a validation', ofAws('ValidationException', secret), 'ValidationException'],
    [
      'AWS’s, with a quotation behind an apostrophe',
      ofAws('Strange', `It can't be '${secret}'`),
      'Strange: It can…',
    ],
    ['one whose code is none', Object.assign(new Error(), { code: secret }), 'Error'],
    ['a system’s', Object.assign(new Error(secret), { code: 'ECONNRESET' }), 'Error: ECONNRESET'],
    ['no error', secret, 'string'],
  ])('of %s is what can be told of it', (_, error, told) => {
    expect(first(error)).toBe(told)
    expect(causeOf(error)).not.toContain(secret)
  })

  test('has the lines of the stack, and none of a message that looks like them', () => {
    const lines = causeOf(new TypeError(`${secret}\n    at ${secret} (file.ts:1:1)`)).split('\n')
    expect(lines.slice(1).length).toBeGreaterThan(0)
    for (const line of lines.slice(1)) expect(line).toMatch(/^at .+\)?$/)
    expect(lines.join('\n')).not.toContain(secret)
  })

  test('goes on with what caused it, and with the errors of several', () => {
    const inner = new RangeError(secret)
    expect(causeOf(new Error('fetch failed', { cause: inner }))).toContain('because of RangeError')
    const several = new AggregateError([inner, new InternalError('A chat is gone')])
    expect(causeOf(new InternalError('Chats not looked after', { cause: several }))).toMatch(
      /^InternalError: Chats not looked after\n[^]*because of AggregateError\n[^]*because of RangeError\n[^]*because of InternalError: A chat is gone/,
    )
  })
})

test('a cause of its own is told a few times', () => {
  const error = new InternalError('A circle')
  error.cause = error
  expect(causeOf(error).match(/InternalError: A circle/g)).toHaveLength(6)
})

/** What the SDK's marshalling throws of values that DynamoDB does not take. */
const marshalled = (value: unknown): unknown => thrownBy(() => marshall({ value }))

test.each<[string, () => unknown]>([
  ['the marshalling of a number beyond 2^53', () => marshalled(9.876543e130)],
  ['the marshalling of one that is infinite', () => marshalled({ [secret]: [Infinity] })],
  [
    'of an instance',
    () =>
      marshalled(
        new (class {
          text = secret
        })(),
      ),
  ],
  ['the marshalling of a set', () => marshalled(new Set([{ text: secret }]))],
  ['an address', () => thrownBy(() => new URL(secret))],
  ['a key', () => thrownBy(() => createPrivateKey(secret))],
  [
    'a schema',
    () => thrownBy(() => z.parse(z.object({ [secret]: z.literal(secret) }), { [secret]: [secret] })),
  ],
  ['JSON', () => thrownBy(() => JSON.parse(`{"text":"${secret}`))],
  ['JSON that is too deep', () => thrownBy(() => parseJson('['.repeat(300) + secret + ']'.repeat(300)))],
  ['a raw value', () => thrownBy(() => JSON.rawJSON(secret))],
  ['normalization', () => thrownBy(() => 'a'.normalize(secret))],
  ['a regular expression', () => thrownBy(() => new RegExp(`(${secret}`))],
  ['a symbol', () => thrownBy(() => `${Symbol(secret) as any}`)],
])('no word of %s is in the log', (_, thrown) => {
  const error = thrown()
  expect(error).toBeInstanceOf(Error)
  expect(causeOf(error).split('\n')[0]).toMatch(/^[\w$]+(: ERR_[A-Z_]+)?$/)
  for (const hidden of [secret, '9.87'])
    for (const told of [causeOf(error), String(cleaned(error).stack), cleaned(error).message])
      expect(told).not.toContain(hidden)
})

test('a cleaned error keeps its name, and of the rest only what the log may hold', () => {
  const clean = cleaned(ofAws('Strange', `Value '${secret}'`))
  expect(clean.name).toBe('Strange')
  expect(
    Object.getOwnPropertyNames(clean)
      .map((name) => String(Reflect.get(clean, name)))
      .join(),
  ).not.toContain(secret)
})
