import { expect, test } from 'vitest'
import { settingsFrom } from '../../infra/stack/stack-settings.ts'
import { app, findings, named, synthesize } from './synthesized.ts'

const arn = 'arn:aws:dynamodb:eu-west-1:123456789012:table/AgentChat-restored'
const tableStream = `${arn}/stream/2026-11-27T10:00:00.000`
const before = synthesize()
const after = synthesize({ tableStream })
const stacksOf = ({ resources, customers, operations }: typeof after) => ({
  resources,
  customers: customers.resources,
  operations: operations.resources,
})

test('a stack that is told the stream of a restored table makes no table', () => {
  expect(before.of('AWS::DynamoDB::GlobalTable')).toHaveLength(1)
  expect(after.of('AWS::DynamoDB::GlobalTable')).toEqual([])
  expect(findings(after.root)).toEqual([])
  expect(after.outputs.TableName.Value).toBe('AgentChat-restored')
})

test('everything else is the same, with the restored table where its own was', () => {
  // tables of nested stacks come to them as parameters, whose names tell whose they are
  const told = (stacks: object): string =>
    named(JSON.stringify(stacks))
      .replaceAll(/{"Fn::GetAtt":\["ChatsTable\w+","StreamArn"\]}/g, JSON.stringify(tableStream))
      .replaceAll(/{"Fn::GetAtt":\["ChatsTable\w+","Arn"\]}/g, JSON.stringify(arn))
      .replaceAll(/{"Ref":"ChatsTable\w+"}/g, '"AgentChat-restored"')
      .replaceAll(/{"Ref":"referencetoAgentChatChatsTable\w+Arn"}/g, JSON.stringify(arn))
      .replaceAll(/{"Ref":"referencetoAgentChatChatsTable\w+Ref"}/g, '"AgentChat-restored"')
  const kept = (stacks: ReturnType<typeof stacksOf>) =>
    Object.fromEntries(
      Object.entries(stacks).map(([name, resources]) => [
        name,
        Object.entries(resources)
          .filter(
            ([, { Type }]) => Type !== 'AWS::DynamoDB::GlobalTable' && Type !== 'AWS::CloudFormation::Stack',
          )
          .map(([id, { Properties }]) => [id, withoutAssets(Properties)]),
      ]),
    )
  const read = (stacks: typeof after) => JSON.parse(told(kept(stacksOf(stacks))), together)
  expect(read(after)).toEqual(read(before))
  for (const id of ['TABLE_NAME', arn, tableStream]) expect(JSON.stringify(after.resources)).toContain(id)
})

/** A name that is known is a part of the text around it. */
const together = (key: string, value: unknown): unknown =>
  key === 'Fn::Join' && Array.isArray(value) && value[0] === ''
    ? value[1].reduce(
        (parts: unknown[], part: unknown) =>
          typeof part === 'string' && typeof parts.at(-1) === 'string'
            ? [...parts.slice(0, -1), `${String(parts.at(-1))}${part}`]
            : [...parts, part],
        [],
      )
    : value

/** Each synthesis has bundles of its own, in a folder of its own. */
const withoutAssets = ({ Code: _, ...properties }: Record<string, any>) => properties

test.each([
  ['a table’s ARN', arn],
  ['a name', 'AgentChat-restored'],
  ['nothing', ''],
])('%s in its place is refused', (_, wrong) => {
  expect(() => settingsFrom(app({ tableStream: wrong }).node)).toThrow(
    '-c tableStream: must be the ARN of a table’s stream',
  )
})
