import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { App, NestedStack, type Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { AwsSolutionsChecks } from 'cdk-nag'
import { ChatStack } from '../../infra/stack/chat-stack.ts'
import { settingsFrom } from '../../infra/stack/stack-settings.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'

interface Resource {
  Type: string
  Properties: Record<string, any>
  DependsOn?: string[]
  DeletionPolicy?: string
}

const cdkJson = JSON.parse(readFileSync(join(import.meta.dirname, '../../cdk.json'), 'utf8'))

const directory = (): string => mkdtempSync(join(tmpdir(), 'stack-'))

/** A folder of bundles that say their own name: the template needs no real build. */
export const bundles = (names: readonly string[]): string => {
  const dist = directory()
  for (const name of names) {
    const file = join(dist, name, 'index.mjs')
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, `export const handler = async () => '${name}'`)
  }
  return dist
}

export const bundleNames: readonly string[] = [
  ...agentActions.map(({ name }) => `agent/${name}`),
  ...customerActions.map(({ name }) => `customer/${name}`),
  ...['connect', 'connect-customer', 'disconnect', 'default'].map((name) => `socket/${name}`),
  'http/default',
  ...['notify', 'index', 'later', 'clock', 'fan_out'].map((name) => `worker/${name}`),
]

/** An app with the flags that `cdk.json` ships. */
export const app = (context: Record<string, unknown> = {}): App =>
  new App({ outdir: directory(), context: { ...cdkJson.context, ...context } })

const synthesizeAnew = (context: Record<string, unknown>) => {
  const root = app({ dist: bundles(bundleNames), ...context })
  const stack = new ChatStack(root, settingsFrom(root.node))
  const [customers, http, operations, ...more] = stack.node.children.filter(
    (child) => child instanceof NestedStack,
  )
  if (customers === undefined || http === undefined || operations === undefined || more.length > 0)
    throw new Error('There are three nested stacks')
  return {
    root,
    stack,
    ...read(stack),
    customers: { stack: customers, ...read(customers) },
    http: { stack: http, ...read(http) },
    operations: { stack: operations, ...read(operations) },
  }
}

const known = new Map<string, ReturnType<typeof synthesizeAnew>>()

/**
 * The shipped stack with these settings, as templates: its own, and the nested ones of customers, of
 * the HTTP API and of operations. It takes a second, and is made once in a process for the same settings.
 */
export const synthesize = (context: Record<string, unknown> = {}): ReturnType<typeof synthesizeAnew> => {
  const settings = JSON.stringify(context)
  const stacks = known.get(settings) ?? synthesizeAnew(context)
  known.set(settings, stacks)
  return stacks
}

export const read = (stack: Stack) => {
  const template = Template.fromStack(stack)
  const json = template.toJSON()
  const resources: Record<string, Resource> = json.Resources
  return { template, resources, outputs: json.Outputs ?? {}, of: (type: string) => ofType(resources, type) }
}

const ofType = (resources: Record<string, Resource>, type: string): [string, Resource][] =>
  Object.entries(resources).filter(([, resource]) => resource.Type === type)

/** What `cdk synth` would refuse, one line each. */
export const findings = (root: App): string[] =>
  new AwsSolutionsChecks()
    .validateScope(root)
    .violations.flatMap(({ ruleName, violatingResources }) =>
      violatingResources.map(({ constructPath }) => `${ruleName} ${constructPath}`),
    )

/** CloudFormation's references as one readable string: `<Id>`, `<Id.Attribute>`. */
export const flat = (value: any): string => {
  if (typeof value === 'string') return value
  if (value?.Ref !== undefined) return `<${value.Ref}>`
  if (value?.['Fn::GetAtt'] !== undefined) return `<${value['Fn::GetAtt'].join('.')}>`
  if (value?.['Fn::Join'] !== undefined) return value['Fn::Join'][1].map(flat).join(value['Fn::Join'][0])
  return JSON.stringify(value)
}

const abroad =
  /<(?:referencetoAgentChat|Customers\w+\.Outputs\.AgentChatCustomers)(\w+?)[0-9A-F]{8}(Ref|[A-Z]\w+)>/g

/**
 * The same, with the hashes of the logical ids dropped; what is in another stack reads as if it were in this
 * one.
 */
export const named = (value: any): string =>
  flat(value)
    .replace(abroad, (_, id: string, of: string) => (of === 'Ref' ? `<${id}>` : `<${id}.${of}>`))
    .replace(/<(\w+?)[0-9A-F]{8}(\.\w+)?>/g, '<$1$2>')

export const list = <T>(value: T | T[]): T[] => (Array.isArray(value) ? value : [value])

/** Which partition keys a statement is on. */
export const whereOf = ({ like, not }: { like: string[]; not: string[] }): string =>
  [...like, ...(not.length > 0 ? ['but', ...not] : [])].join(' ')

/** A policy statement as one line: what, on what, under which condition. */
const statement = (given: any): string => {
  const {
    'ForAllValues:StringLike': like,
    'ForAllValues:StringNotLike': unlike,
    Null: present,
    ...others
  } = given.Condition ?? {}
  const keysOf = (condition: any): string[] => (condition ? list(condition['dynamodb:LeadingKeys']) : [])
  const where = like && ` where ${whereOf({ like: keysOf(like), not: keysOf(unlike) })}`
  if ((like || unlike) && present?.['dynamodb:LeadingKeys'] !== 'false')
    return `unguarded ${JSON.stringify(given)}`
  if (given.Effect !== 'Allow' || Object.keys(others).length > 0) return JSON.stringify(given)
  return `${list(given.Action).sort().join(' ')} on ${list(given.Resource).map(named).sort().join(' ')}${where ?? ''}`
}

/** All that a function's role allows, in lines; nothing else may hang on that role. */
export const allowed = (resources: Record<string, Resource>, functionId: string): string[] => {
  const roleId = resources[functionId]?.Properties.Role['Fn::GetAtt'][0]
  const { Policies, ManagedPolicyArns, PermissionsBoundary } = resources[roleId]!.Properties
  const attached = Object.values(resources).filter(
    ({ Type, Properties }) =>
      /^AWS::IAM::(Managed)?Policy$/.test(Type) && JSON.stringify(Properties).includes(roleId),
  )
  return [
    ...[ManagedPolicyArns, PermissionsBoundary, ...attached]
      .filter(Boolean)
      .map((extra) => JSON.stringify(extra)),
    ...Policies.flatMap((policy: any) => policy.PolicyDocument.Statement.map(statement)),
  ].sort()
}
