import { describe, expect, test } from 'vitest'
import { causeOf, cleaned } from '../../shared/runtime/cause.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'

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
    ['an error of our own', new Error('A chat is gone'), 'Error: A chat is gone'],
    [
      'one that names a value',
      new Error(`Unsupported type passed: ${secret}`),
      'Error: Unsupported type passed',
    ],
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
    [
      'AWS’s, with a quotation',
      ofAws('Strange', `Value '${secret}' or "${secret}"`),
      'Strange: Value … or …',
    ],
    ['AWS’s, of a validation', ofAws('ValidationException', secret), 'ValidationException'],
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
    expect(
      causeOf(new AggregateError([inner, new Error('A chat is gone')], 'Chats not looked after')),
    ).toMatch(
      /^AggregateError: Chats not looked after\n[^]*because of RangeError\n[^]*because of Error: A chat is gone/,
    )
  })
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
