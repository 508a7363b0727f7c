import { runSimulation } from '@cloud-copilot/iam-simulate'
import {
  actionGrants,
  type Grant,
  socketGrants,
  statementOf,
  workerGrants,
} from '../../infra/stack/grants.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { families, isOf } from '../../shared/table/families.ts'
import type { Call } from './engine-proxy.ts'

// Whether IAM would allow what functions ask of the table: a local engine asks nobody.

const accountId = '111111111111'
/** The table, as the policies of these tests name it. */
export const tableArn = `arn:aws:dynamodb:eu-west-1:${accountId}:table/Chats`

/** What IAM is asked of a call: an action, on all partition keys of the call. */
export interface Asked {
  action: string
  keys: readonly string[]
}

const ofTransaction = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'ConditionCheckItem',
} as const

/**
 * What IAM is asked of a call of the wire. A transaction's actions are asked about with the keys of all its
 * items, which no way of looking at them is stricter than.
 */
const askedOf = ({ operation, request }: Pick<Call, 'operation' | 'request'>): Asked[] => {
  const asked = (action: string, keys: any[]): Asked => ({
    action: `dynamodb:${action}`,
    keys: [...new Set<string>(keys.map((key) => key.S))],
  })
  const given = request as any
  const requested = Object.values<any>(given.RequestItems ?? {})
  switch (operation) {
    case 'GetItem':
    case 'UpdateItem':
    case 'DeleteItem':
      return [asked(operation, [given.Key.pk])]
    case 'PutItem':
      return [asked(operation, [given.Item.pk])]
    case 'Query':
      return [asked(operation, [given.ExpressionAttributeValues[':pk']])]
    case 'BatchGetItem':
      return [
        asked(
          operation,
          requested.flatMap(({ Keys }) => Keys).map(({ pk }) => pk),
        ),
      ]
    case 'BatchWriteItem': {
      const pks = requested
        .flat()
        .map(({ PutRequest, DeleteRequest }) => (PutRequest?.Item ?? DeleteRequest.Key).pk)
      return [asked(operation, pks)]
    }
    case 'TransactWriteItems': {
      const parts: [keyof typeof ofTransaction, any][] = given.TransactItems.flatMap(Object.entries)
      const pks = parts.map(([, { Key, Item }]) => (Key ?? Item).pk)
      return [...new Set(parts.map(([kind]) => ofTransaction[kind]))].map((action) => asked(action, pks))
    }
    default:
      throw new Error(`No function may ask the table for ${operation}`)
  }
}

/** Whether statements, those of one role, allow it. */
export const isAllowed = async (statements: readonly object[], { action, keys }: Asked): Promise<boolean> => {
  const answer = await runSimulation(
    {
      request: {
        principal: `arn:aws:iam::${accountId}:role/Function`,
        action,
        resource: { resource: tableArn, accountId },
        contextVariables: keys.length === 0 ? {} : { 'dynamodb:LeadingKeys': [...keys] },
      },
      identityPolicies: [{ name: 'Needs', policy: { Version: '2012-10-17', Statement: statements } }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
    },
    {},
  )
  if (answer.resultType === 'error') throw new Error(JSON.stringify(answer.errors))
  return answer.overallResult === 'Allowed'
}

const grantsOf = (bundle: string): readonly Grant[] => {
  const [folder, name] = bundle.split('/')
  const found: Record<string, readonly Grant[] | undefined> = {
    ...Object.fromEntries(agentActions.map((spec) => [`agent/${spec.name}`, actionGrants(spec)])),
    ...Object.fromEntries(customerActions.map((spec) => [`customer/${spec.name}`, actionGrants(spec)])),
  }
  const grants =
    folder === 'http'
      ? []
      : folder === 'socket'
        ? socketGrants[(name === 'connect-customer' ? 'connectCustomer' : name) as keyof typeof socketGrants]
        : folder === 'worker'
          ? workerGrants[name as keyof typeof workerGrants]
          : found[bundle]
  if (grants === undefined) throw new Error(`There is no function ${bundle}`)
  return grants
}

/** What a bundle's role says of the table. */
export const tableStatementsOf = (bundle: string): object[] =>
  grantsOf(bundle)
    .filter(({ on }) => on === 'table')
    .map((grant) => statementOf(grant, [tableArn]))

const familyOf = (pk: string): string =>
  Object.entries(families).find(([, pattern]) => isOf(pattern, pk))?.[0] ?? pk

const known = new Set<string>()

/**
 * Throws where a function made a call that IAM denies it. Of calls that are alike each process asks about
 * one.
 */
export const expectAllowed = async (calls: readonly Call[]): Promise<void> => {
  const denied: string[] = []
  for (const { lambda, ...call } of calls) {
    if (lambda === undefined) continue
    for (const asked of askedOf(call)) {
      const alike = `${lambda}: ${asked.action} on ${[...new Set(asked.keys.map(familyOf))].toSorted().join(', ')}`
      if (known.has(alike)) continue
      known.add(alike)
      if (!(await isAllowed(tableStatementsOf(lambda), asked))) denied.push(alike)
    }
  }
  if (denied.length > 0) throw new Error(`IAM denies\n${denied.join('\n')}`)
}
