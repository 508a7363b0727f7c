import { describe, expect, test } from 'vitest'
import type { ActionSpec, Family } from '../../shared/protocol/action.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { workerWrites } from '../../shared/runtime/writes.ts'
import { families } from '../../shared/table/keys.ts'
import { isAllowed, tableArn, tableStatementsOf } from '../support/permitted-calls.ts'
import { flat, list, named, synthesize } from './synthesized.ts'

const { customers, ...outer } = synthesize()
const resources = { ...outer.resources, ...customers.resources }

const writing = ['PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem', 'BatchWriteItem'] as const
type Writing = (typeof writing)[number]
type Written = Partial<Record<Family, readonly Writing[]>>

const anyWay = ['PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem'] as const
const inAnyWay = (named: readonly Family[]): Written =>
  Object.fromEntries(named.map((family) => [family, anyWay]))
const connections = ['socket', 'agentSockets', 'customerSockets'] as const
const pushing: Written = Object.fromEntries(
  connections.map((family) => [family, ['UpdateItem', 'DeleteItem']]),
)

const byAction = ({ session, needs, writes = [] }: ActionSpec): Written => ({
  ...(session === 'none' ? {} : { socket: ['UpdateItem'] }),
  ...(needs.includes('push') ? pushing : {}),
  ...inAnyWay(writes),
})
const disconnect: Written = Object.fromEntries(connections.map((family) => [family, ['DeleteItem']]))
const connect: Written = { socket: ['PutItem'] }

/** Each function by its construct, with its bundle, and all that it may write. */
const functions: [path: string, bundle: string, written: Written][] = [
  ...agentActions.map((spec): (typeof functions)[number] => [
    `AgentApi/${spec.name}`,
    `agent/${spec.name}`,
    byAction(spec),
  ]),
  ...customerActions.map((spec): (typeof functions)[number] => [
    `CustomerApi/${spec.name}`,
    `customer/${spec.name}`,
    byAction(spec),
  ]),
  ['AgentApi/$connect', 'socket/connect', connect],
  ['CustomerApi/$connect', 'socket/connect-customer', { ...connect, address: ['UpdateItem'] }],
  ['AgentApi/$disconnect', 'socket/disconnect', disconnect],
  ['CustomerApi/$disconnect', 'socket/disconnect', disconnect],
  ['AgentApi/$default', 'socket/default', {}],
  ['CustomerApi/$default', 'socket/default', {}],
  ['Workers/notify', 'worker/notify', inAnyWay([...workerWrites.notify, ...connections])],
  ['Workers/later', 'worker/later', inAnyWay([...workerWrites.later, ...connections])],
  ['Workers/clock', 'worker/clock', inAnyWay([...workerWrites.clock, ...connections])],
  [
    'Workers/index',
    'worker/index',
    { chat: ['PutItem'], postings: ['BatchWriteItem'], marks: ['BatchWriteItem'] },
  ],
  ['Workers/fan_out', 'worker/fan_out', pushing],
]

const deployed = Object.entries(resources).filter(([, { Type }]) => Type === 'AWS::Lambda::Function')

/** All statements of a function's role, as they are deployed. */
const statementsOf = (path: string): any[] => {
  const stem = path.replaceAll(/[^A-Za-z]/g, '')
  const [[, found] = [], ...more] = deployed.filter(([id]) =>
    new RegExp(`^${stem}Function[0-9A-F]{8}$`).test(id),
  )
  if (found === undefined || more.length > 0) throw new Error(`There is one function ${path}`)
  const role = resources[found.Properties.Role['Fn::GetAtt'][0]]!
  return role.Properties.Policies.flatMap(({ PolicyDocument }: any) => PolicyDocument.Statement)
}

/** Those on the table. */
const onTable = (path: string): any[] =>
  statementsOf(path)
    .filter(({ Resource }) => named(Resource) === '<ChatsTable.Arn>')
    .map((statement) => ({ ...statement, Resource: tableArn }))

/** A statement with lists throughout, for which policies may have a single value, and actions in order. */
const listed = ({ Sid, Effect, Action, Resource, Condition = {} }: any) => ({
  ...{ Sid, Effect, Action: list<string>(Action).toSorted(), Resource: list(Resource) },
  Condition: Object.entries<any>(Condition).map(([operator, keys]) => [
    operator,
    Object.entries<any>(keys).map(([key, values]) => [key, list(values)]),
  ]),
})

/** A key of each family. */
const keyOf = (family: Family): string => families[family].replaceAll('*', 'x')
const every = Object.keys(families) as Family[]
const ask = (path: string, action: string, keys: string[]) =>
  isAllowed(onTable(path), { action: `dynamodb:${action}`, keys })

test('the functions are all that are deployed', () => {
  expect(functions).toHaveLength(deployed.length)
})

describe.each(functions)('%s', (path, bundle, written) => {
  test('is deployed with the policy that its calls in tests are asked of', () => {
    expect(onTable(path).map(listed)).toEqual(tableStatementsOf(bundle).map(listed))
  })

  test('may write what it declares in the ways that it does, and no item of another family', async () => {
    const allowed: [Family, Writing][] = []
    for (const family of every)
      for (const action of writing)
        if (await ask(path, action, [keyOf(family)])) allowed.push([family, action])
    const expected = every.flatMap((family) =>
      writing.filter((action) => written[family]?.includes(action)).map((action) => [family, action]),
    )
    expect(allowed).toEqual(expected)
  })

  test('may write nothing with a key of a family that it does not declare beside those that it does', async () => {
    for (const action of writing) {
      const declared = every.filter((family) => written[family]?.includes(action)).map(keyOf)
      for (const other of every.filter((family) => written[family] === undefined))
        expect(await ask(path, action, [...declared, keyOf(other)]), `${action} on ${other}`).toBe(false)
    }
  })

  test('may write nothing without a key, scan nothing and change no table', async () => {
    for (const action of writing) expect(await ask(path, action, []), action).toBe(false)
    for (const action of ['Scan', 'PartiQLSelect', 'PartiQLUpdate', 'DeleteTable', 'UpdateTable'])
      expect(await ask(path, action, []), action).toBe(false)
  })

  test('has nothing of DynamoDB but the table and its stream, in a policy far below what IAM takes', () => {
    const statements = statementsOf(path)
    const ofDynamo = statements.filter(({ Action }) =>
      list<string>(Action).some((one) => one.startsWith('dynamodb:')),
    )
    for (const { Resource } of ofDynamo) expect(named(Resource)).toMatch(/^<ChatsTable\.(Arn|StreamArn)>$/)
    const text = JSON.stringify(statements.map(({ Resource, ...rest }) => [rest, list(Resource).map(flat)]))
    // IAM takes 10,240 characters of inline policies for a role
    expect(text.length).toBeLessThan(5000)
  })
})
