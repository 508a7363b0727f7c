import { describe, expect, test } from 'vitest'
import { fanOutName } from '../../infra/stack/fan-out-name.ts'
import { flat, synthesize } from './synthesized.ts'

const everything = (context: Record<string, unknown> = {}) => {
  const { resources, outputs, customers, operations } = synthesize(context)
  return { outputs, resources: [resources, customers.resources, operations.resources].flatMap(Object.values) }
}

/** All texts of a template, with the references of each put together. */
const texts = (value: unknown): string[] => {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  if ('Fn::Join' in value) return [flat(value)]
  return Object.values(value).flatMap(texts)
}

describe('the names of two deployments in an account', () => {
  const longest = 64

  test('differ however alike the stacks’ names are', () => {
    const alike = 'A'.repeat(56)
    const names = [alike, `${alike}B`, `${alike}C`, `${alike}BBBBBBBB`].map(fanOutName)
    expect(new Set(names).size).toBe(names.length)
    for (const name of names) expect(name.length).toBeLessThanOrEqual(longest)
    // what fits is not cut
    expect(names[0]).toBe(`${alike}-fan-out`)
  })

  test('are each made of the whole name of the stack, or by AWS', { tags: ['full'] }, () => {
    const name = `Chat-${'x'.repeat(59)}`
    const physical = everything({ name }).resources.flatMap(({ Properties = {} }) =>
      [
        'FunctionName',
        'AlarmName',
        'DashboardName',
        'Name',
        'QueueName',
        'TableName',
        'RoleName',
        'TopicName',
      ].flatMap((property) => (typeof Properties[property] === 'string' ? [Properties[property]] : [])),
    )
    expect(physical.length).toBeGreaterThan(30)
    for (const each of physical)
      expect(each === fanOutName(name) || each.startsWith(name) || each === 'v1', each).toBe(true)
  })
})

describe('a partition other than aws', () => {
  const { resources, outputs } = everything()

  test('has its own suffix in every address', () => {
    const addresses = texts([resources, outputs]).filter((text) => /amazonaws|<AWS::URLSuffix>/.test(text))
    // the principals of services are called alike everywhere
    const others = addresses.filter((text) => !/^[a-z]+\.amazonaws\.com$/.test(text))
    for (const text of others) expect(text).not.toContain('amazonaws')
    for (const part of [
      'wss://',
      'https://<',
      'https://lambda.',
      'https://cognito-idp.',
      '/v1',
      '/.well-known/jwks.json',
    ])
      expect(
        others.some((text) => text.includes(part)),
        part,
      ).toBe(true)
  })

  test('is named in every ARN', () => {
    const arns = texts([resources, outputs]).filter((text) => /\barn:/.test(text))
    expect(arns.length).toBeGreaterThan(20)
    for (const arn of arns) expect(arn).not.toMatch(/\barn:aws/)
  })
})
