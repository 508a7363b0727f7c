import { Aws, Duration, Validations } from 'aws-cdk-lib'
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import {
  ApplicationLogLevel,
  Architecture,
  Code,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  SystemLogLevel,
} from 'aws-cdk-lib/aws-lambda'
import type { ILogGroup } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { deploymentOf } from './deployment.ts'
import { type Grant, statementOf, type Target } from './grants.ts'
import { SettingsError } from './stack-settings.ts'

/** What the resources of a target are, as policies name them. */
export interface Resources {
  readonly arns: readonly string[]
  /** Only where a name ends in a wildcard: these ARNs as cdk-nag spells them, and why they must. */
  readonly wildcards?: { readonly findings: readonly string[]; readonly reason: string }
}

/** What all functions of a stack have in common. */
export interface FunctionSurroundings {
  readonly dist: string
  readonly memoryMb: number
  readonly resources: Readonly<Partial<Record<Target, Resources>>>
  /** The key that table and queues are encrypted with, where it is the deployment's own. */
  readonly kmsKeyArn?: string
}

interface ActionFunctionProps extends FunctionSurroundings {
  /** The bundle's folder under `dist`. */
  readonly bundle: string
  readonly description: string
  readonly grants: readonly Grant[]
  /** Only what the function uses. */
  readonly environment: Readonly<Record<string, string>>
  /** Shared: a function has no log group of its own. */
  readonly logGroup: ILogGroup
  /** Where others must know it before it is there. */
  readonly functionName?: string
  /**
   * How many of it run at once, and so much of the account's concurrency is its own; absent: it shares what
   * is left.
   */
  readonly reservedConcurrency?: number
  /** 20 s if absent: more than any deadline of the protocol, less than the gateway's 29 s. */
  readonly timeout?: Duration
}

/** One bundle as a Lambda function that may touch what its grants say and nothing else. */
export class ActionFunction extends Construct {
  readonly handler: LambdaFunction

  constructor(scope: Construct, id: string, props: ActionFunctionProps) {
    super(scope, id)
    const folder = join(props.dist, props.bundle)
    if (!existsSync(join(folder, 'index.mjs')))
      throw new SettingsError(`${join(folder, 'index.mjs')} is missing: run "npm run build" first`)

    const statements = props.grants.map((grant) =>
      PolicyStatement.fromJson(statementOf(grant, resourcesOf(props, grant.on).arns)),
    )
    const logs = new PolicyStatement({
      sid: 'Logs',
      actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      resources: [props.logGroup.logGroupArn],
    })
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: {
        Needs: new PolicyDocument({ statements: [...statements, ...keyStatements(props), logs] }),
      },
    })
    for (const { on } of props.grants) {
      const { wildcards } = resourcesOf(props, on)
      for (const finding of wildcards?.findings ?? [])
        Validations.of(role).acknowledge({
          id: `AwsSolutions-IAM5[Resource::${finding}]`,
          reason: wildcards?.reason ?? '',
        })
    }

    this.handler = new LambdaFunction(this, 'Function', {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(folder),
      handler: 'index.handler',
      description: props.description,
      ...(props.functionName !== undefined && { functionName: props.functionName }),
      memorySize: props.memoryMb,
      ...(props.reservedConcurrency !== undefined && {
        reservedConcurrentExecutions: props.reservedConcurrency,
      }),
      timeout: props.timeout ?? Duration.seconds(20),
      environment: { DEPLOYMENT: deploymentOf(this), ...props.environment },
      // Nothing that is wired to the function may widen what it may touch.
      role: role.withoutPolicyUpdates(),
      logGroup: props.logGroup,
      loggingFormat: LoggingFormat.JSON,
      applicationLogLevelV2: ApplicationLogLevel.INFO,
      // START, END and REPORT lines (about 0.7 KB at $0.50 per GB) would cost more than the request ($0.20
      // per million).
      systemLogLevelV2: SystemLogLevel.WARN,
    })
  }
}

const resourcesOf = ({ resources }: FunctionSurroundings, on: Target): Resources => {
  const found = resources[on]
  if (found === undefined) throw new Error(`A function is granted ${on}, which this stack does not have`)
  return found
}

const encrypted: readonly Target[] = ['table', 'stream', 'later', 'failures']
const crypting = [
  'kms:Decrypt',
  'kms:DescribeKey',
  'kms:Encrypt',
  'kms:GenerateDataKey',
  'kms:GenerateDataKeyWithoutPlaintext',
  'kms:ReEncryptFrom',
  'kms:ReEncryptTo',
]

/** How a function may use the deployment's own key: through DynamoDB and SQS alone. */
const keyStatements = ({ kmsKeyArn, grants }: ActionFunctionProps): PolicyStatement[] => {
  if (kmsKeyArn === undefined || !grants.some(({ on }) => encrypted.includes(on))) return []
  return [
    new PolicyStatement({
      sid: 'Key',
      actions: crypting,
      resources: [kmsKeyArn],
      conditions: {
        StringEquals: {
          'kms:ViaService': ['dynamodb', 'sqs'].map(
            (service) => `${service}.${Aws.REGION}.${Aws.URL_SUFFIX}`,
          ),
        },
      },
    }),
  ]
}
