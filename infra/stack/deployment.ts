import { Duration, NestedStack, Stack } from 'aws-cdk-lib'
import { type IMetric, Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch'
import type { Construct } from 'constructs'
import { type Kind, type Measure, namespaceOf } from '../../shared/platform/metrics.ts'

/**
 * The name of the deployment that this is a part of, whichever nested stack it is in: it begins all names
 * people see.
 */
export const deploymentOf = (scope: Construct): string => {
  let stack = Stack.of(scope)
  while (stack instanceof NestedStack && stack.nestedStackParent) stack = stack.nestedStackParent
  return stack.stackName
}

/** What the functions of this deployment measured in five minutes: summed, unless told otherwise. */
export const measuredBy = (
  scope: Construct,
  name: Measure,
  of: { kind: Kind; action?: string } | { error: string },
  statistic: string = Stats.SUM,
): IMetric =>
  new Metric({
    namespace: namespaceOf(deploymentOf(scope)),
    metricName: name,
    dimensionsMap: { ...of },
    statistic,
    period: Duration.minutes(5),
  })
