import { Aws } from 'aws-cdk-lib'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import type { FunctionSurroundings } from './action-function.ts'
import { customerKeyGrant, proxyGrant, socketGrants } from './grants.ts'
import type { RoutesProps } from './socket-api.ts'
import type { StackSettings } from './stack-settings.ts'
import type { TokenIssuer } from './token-issuer.ts'

type Environment = Readonly<Record<string, string>>

/** What the routes of both endpoints have behind them. */
interface Behind {
  readonly settings: StackSettings
  readonly functions: FunctionSurroundings
  readonly fanOutName: string
  /** What functions are told that work on the table; on the table and the queue; and that push. */
  readonly onTable: Environment
  readonly session: Environment
  readonly push: Environment
}

/** What stands behind the agents' endpoint. */
export const agentRoutes = (behind: Behind, issuer: TokenIssuer): RoutesProps => {
  const { settings, session } = behind
  const limited = { ...session, ...ratesOf(settings) }
  const limitedAgents = { ...limited, ...agentRatesOf(settings) }
  const resourceServer = settings.resourceServer ?? issuer.resourceServer
  return {
    ...alike(behind, limitedAgents),
    actions: agentActions,
    connect: { bundle: 'socket/connect', grants: socketGrants.connect, environment: limited },
    environments: {
      ...environmentsOf(behind, limitedAgents),
      login: { CLOCK_SKEW_MS: String(settings.clockSkewMs) },
      token: {
        TOKEN_ISSUER: issuer.issuer,
        TOKEN_AUDIENCE: issuer.audience,
        TOKEN_JWKS_URL: issuer.jwksUrl,
        TOKEN_TYPE: settings.tokenType,
        ...(resourceServer !== undefined && { TOKEN_RESOURCE_SERVER: resourceServer }),
      },
    },
  }
}

/** What stands behind the customers' endpoint. */
export const customerRoutes = (behind: Behind, customerKeyArn: string): RoutesProps => {
  const { settings, session } = behind
  const limited = { ...session, ...ratesOf(settings) }
  const { proxySecret, proxyAddressHeader } = settings
  return {
    ...alike(behind, limited),
    actions: customerActions,
    connect: {
      bundle: 'socket/connect-customer',
      grants: [...socketGrants.connectCustomer, ...(proxySecret === undefined ? [] : [proxyGrant])],
      environment: {
        ...limited,
        ...(proxySecret !== undefined && {
          PROXY_SECRET_ID: proxySecret,
          PROXY_ADDRESS_HEADER: proxyAddressHeader,
        }),
      },
    },
    loginGrants: [customerKeyGrant],
    environments: {
      ...environmentsOf(behind, limited),
      login: { CUSTOMER_KEY_SECRET_ID: customerKeyArn, CLOCK_SKEW_MS: String(settings.clockSkewMs) },
      token: {},
    },
  }
}

const alike = ({ functions, onTable }: Behind, limited: Environment) => ({
  functions,
  disconnect: { bundle: 'socket/disconnect', grants: socketGrants.disconnect, environment: onTable },
  default: { bundle: 'socket/default', grants: socketGrants.default, environment: limited },
})

const environmentsOf = ({ push, fanOutName }: Behind, session: Environment) => ({
  session,
  push,
  fanOut: {
    FAN_OUT_URL: `https://lambda.${Aws.REGION}.${Aws.URL_SUFFIX}/2015-03-31/functions/${fanOutName}/invocations`,
  },
})

/** The rates as the functions of both endpoints are told them: agents' too come from addresses. */
const ratesOf = (settings: StackSettings): Record<string, string> => ({
  RATE_START_CHAT: String(settings.customerStartChatRate),
  RATE_SEND_EVENT: String(settings.customerSendEventRate),
  RATE_OTHER: String(settings.customerOtherRate),
  RATE_ADDRESS_FACTOR: String(settings.customerAddressFactor),
  RATE_LICENSE_START_CHAT: String(settings.licenseStartChatRate),
})

/** The agents' rates that are on: a function without any counts nothing. */
const agentRatesOf = (settings: StackSettings): Record<string, string> => ({
  ...(settings.agentStartChatRate > 0 && { AGENT_RATE_START_CHAT: String(settings.agentStartChatRate) }),
  ...(settings.agentSendEventRate > 0 && { AGENT_RATE_SEND_EVENT: String(settings.agentSendEventRate) }),
  ...(settings.agentOtherRate > 0 && { AGENT_RATE_OTHER: String(settings.agentOtherRate) }),
})
