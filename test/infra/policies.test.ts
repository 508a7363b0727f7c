import { describe, expect, test } from 'vitest'
import { type ActionSpec, type Family, isOverHttp } from '../../shared/protocol/action.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { workerWrites } from '../../shared/platform/writes.ts'
import { common, families } from '../../shared/table/families.ts'
import { keys } from '../../shared/table/keys.ts'
import type { Call } from '../support/engine-proxy.ts'
import { expectAllowed, isAllowed, tableArn, tableStatementsOf } from '../support/permitted-calls.ts'
import { flat, list, named, synthesize } from './synthesized.ts'

const { customers, ...outer } = synthesize()
const resources = { ...outer.resources, ...customers.resources }

const writing = ['PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem', 'BatchWriteItem'] as const
const reading = ['GetItem', 'BatchGetItem', 'Query'] as const
type Way = (typeof writing)[number] | (typeof reading)[number]
type Touched = Partial<Record<Family, readonly Way[]>>

const anyWay = ['PutItem', 'UpdateItem', 'DeleteItem', 'ConditionCheckItem'] as const
const touched = (named: readonly Family[], ways: readonly Way[]): Touched =>
  Object.fromEntries(named.map((family) => [family, ways]))
/** All that some parts allow. */
const together = (...parts: Touched[]): Touched =>
  touchedBy((family) => parts.flatMap((part) => part[family] ?? []))
const touchedBy = (waysOf: (family: Family) => readonly Way[]): Touched =>
  Object.fromEntries(every.flatMap((family) => (waysOf(family).length > 0 ? [[family, waysOf(family)]] : [])))
const every = Object.keys(families) as Family[]
const connections = ['socket', 'agentSockets', 'audience', 'customerSockets'] as const
const pushing = touched(connections, ['UpdateItem', 'DeleteItem'])
const disconnecting = touched(connections, ['DeleteItem'])
const connecting = touched(['socket'], ['PutItem'])

/** What each function may that answers frames: its session, and counting. */
const counting = touched(['address', 'count'], ['UpdateItem'])
const answering = together(touched(['socket'], ['GetItem']), counting)

const byAction = ({ needs, alsoReads = [], writes = [], ...by }: ActionSpec): Touched =>
  together(
    answering,
    needs.includes('read') ? touched([...common, ...alsoReads], reading) : {},
    needs.includes('push') ? pushing : {},
    isOverHttp(by) ? touched(['identity', 'account'], ['GetItem']) : {},
    touched(writes, anyWay),
  )
const byWorker = (writes: readonly Family[]): Touched =>
  together(touched(every, reading), touched([...writes, ...connections], anyWay))

/** Each function by its construct, with its bundle, and all that it may do with items. */
const functions: [path: string, bundle: string, ways: Touched][] = [
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
  ['AgentApi/$connect', 'socket/connect', together(connecting, counting)],
  [
    'CustomerApi/$connect',
    'socket/connect-customer',
    together(connecting, counting, touched(['account'], ['GetItem'])),
  ],
  ['AgentApi/$disconnect', 'socket/disconnect', disconnecting],
  ['CustomerApi/$disconnect', 'socket/disconnect', disconnecting],
  ['AgentApi/$default', 'socket/default', answering],
  ['CustomerApi/$default', 'socket/default', answering],
  ['Workers/notify', 'worker/notify', byWorker(workerWrites.notify)],
  [
    'Workers/later',
    'worker/later',
    together(byWorker(workerWrites.later), touched(['postings', 'marks'], ['BatchWriteItem'])),
  ],
  ['Workers/clock', 'worker/clock', byWorker(workerWrites.clock)],
  [
    'Workers/index',
    'worker/index',
    together(
      touched(every, reading),
      touched(['chat'], ['PutItem', 'UpdateItem']),
      touched(['count'], ['UpdateItem']),
      touched(['postings', 'marks'], ['BatchWriteItem']),
    ),
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
const answers = new Map<string, Promise<boolean>>()
/**
 * Whether statements allow an action on items of these keys: of functions with the same ones one is asked
 * about.
 */
const ask = (statements: object[], action: string, keys: string[]): Promise<boolean> => {
  const question = JSON.stringify([statements, action, keys])
  const answer = answers.get(question) ?? isAllowed(statements, { action: `dynamodb:${action}`, keys })
  answers.set(question, answer)
  return answer
}

const callOf = (operation: string, request: Call['request']): Call => ({
  ...{ lambda: 'customer/update_customer', operation, request },
  ...{ startedAt: 0, endedAt: 0, status: 200, rru: 0, wru: 0 },
})
const putOf = (pk: string) => ({ Item: { pk: { S: pk } } })

test('a world fails by a call that a function’s policy does not allow, be it a part of a transaction', async () => {
  const [own, others] = [keys.customer('l', 'c').pk, keys.identity('i', 's').pk]
  await expectAllowed([callOf('PutItem', putOf(own)), callOf('GetItem', { Key: { pk: { S: own } } })])
  const name = 'customer/update_customer: dynamodb'
  await expect(expectAllowed([callOf('PutItem', putOf(others))])).rejects.toThrow(
    `IAM denies\n${name}:PutItem on identity`,
  )
  const parts = [{ Update: { Key: { pk: { S: own } } } }, { Put: putOf(others) }]
  await expect(expectAllowed([callOf('TransactWriteItems', { TransactItems: parts })])).rejects.toThrow(
    `IAM denies\n${name}:UpdateItem on customer, identity\n${name}:PutItem on customer, identity`,
  )
  await expect(expectAllowed([callOf('Scan', {})])).rejects.toThrow('No function may ask the table for Scan')
})

test('the functions are all that are deployed', () => {
  expect(functions).toHaveLength(deployed.length)
})

const everyWay = [...writing, ...reading]

describe.each(functions)('%s', (path, bundle, ways) => {
  const statements = onTable(path)

  test('is deployed with the policy that its calls in tests are asked of', () => {
    expect(statements.map(listed)).toEqual(tableStatementsOf(bundle).map(listed))
  })

  test('may do with items what it declares, and nothing with those of another family', async () => {
    const allowed: string[] = []
    for (const family of every)
      for (const action of everyWay)
        if (await ask(statements, action, [keyOf(family)])) allowed.push(`${action} on ${family}`)
    expect(allowed).toEqual(
      every.flatMap((family) =>
        everyWay.filter((action) => ways[family]?.includes(action)).map((action) => `${action} on ${family}`),
      ),
    )
  })

  test('may do nothing with an item of another family beside those that it declares', async () => {
    for (const action of everyWay) {
      const declared = every.filter((family) => ways[family]?.includes(action))
      const other = every.find((family) => !declared.includes(family))
      if (other !== undefined)
        expect(await ask(statements, action, [...declared, other].map(keyOf)), `${action} on ${other}`).toBe(
          false,
        )
    }
  })

  test('may write nothing without a key, scan nothing and change no table', async () => {
    for (const action of [...writing, 'Scan', 'PartiQLSelect', 'PartiQLUpdate', 'DeleteTable', 'UpdateTable'])
      expect(await ask(statements, action, []), action).toBe(false)
  })

  test('has nothing of DynamoDB but the table and its stream, in a policy far below what IAM takes', () => {
    const all = statementsOf(path)
    const ofDynamo = all.filter(({ Action }) =>
      list<string>(Action).some((one) => one.startsWith('dynamodb:')),
    )
    for (const { Resource } of ofDynamo) expect(named(Resource)).toMatch(/^<ChatsTable\.(Arn|StreamArn)>$/)
    const text = JSON.stringify(all.map(({ Resource, ...rest }) => [rest, list(Resource).map(flat)]))
    // IAM takes 10,240 characters of inline policies for a role
    expect(text.length).toBeLessThan(5000)
  })
})
