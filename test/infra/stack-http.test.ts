import { describe, expect, test } from 'vitest'
import { agentActions, httpActions } from '../../shared/protocol/agent/index.ts'
import { findings, flat, synthesize } from './synthesized.ts'

const { root, resources: outer, http } = synthesize()
const routes = http.of('AWS::ApiGatewayV2::Route')
const [[, stage] = []] = http.of('AWS::ApiGatewayV2::Stage')

describe('the HTTP API', () => {
  test('has the actions that are not about a connection', () => {
    const left = agentActions.filter((spec) => !httpActions.includes(spec)).map(({ name }) => name)
    expect(left).toEqual(['login', 'logout', 'ping', 'follow_chat', 'unfollow_chat', 'sync'])
    expect(routes.map(([, { Properties }]) => Properties.RouteKey).toSorted()).toEqual(
      [...httpActions.map(({ name }) => `POST /v1/agent/action/${name}`), '$default'].toSorted(),
    )
    const [[, api] = []] = http.of('AWS::ApiGatewayV2::Api')
    expect(api?.Properties).toMatchObject({ Name: 'AgentChat-http', ProtocolType: 'HTTP' })
    // which the gateway would answer without asking whose license it is
    expect(api?.Properties['CorsConfiguration']).toBeUndefined()
  })

  test('has the functions of the agents’ endpoint behind it, and one of its own that may touch nothing', () => {
    const integrations = new Map(http.of('AWS::ApiGatewayV2::Integration'))
    for (const [, { Properties }] of routes) {
      const [, integration = ''] = /<(\w+)>/.exec(flat(Properties.Target)) ?? []
      const { IntegrationUri, PayloadFormatVersion } = integrations.get(integration)!.Properties
      expect(PayloadFormatVersion).toBe('2.0')
      const [, name] = /\/(\w+)$/.exec(Properties.RouteKey) ?? []
      const isOwn = name === undefined
      const stem = isOwn ? 'Fallback' : `AgentApi${name.replaceAll('_', '')}`
      expect(flat(IntegrationUri), Properties.RouteKey).toMatch(new RegExp(`${stem}Function`))
      if (!isOwn) expect(Object.keys(outer).filter((id) => id.startsWith(`${stem}Function`))).toHaveLength(1)
    }
    const roles = http.of('AWS::IAM::Role').map(([, { Properties }]) => Properties)
    expect(roles).toHaveLength(1)
    const [statement, ...more] = roles[0]!['Policies'][0].PolicyDocument.Statement
    expect([statement.Sid, more]).toEqual(['Logs', []])
  })

  test('lets each function be invoked by its own routes alone', () => {
    const permissions = http.of('AWS::Lambda::Permission').map(([, { Properties }]) => Properties)
    expect(permissions).toHaveLength(httpActions.length + 1)
    for (const { Principal, SourceArn } of permissions) {
      expect(Principal).toBe('apigateway.amazonaws.com')
      expect(flat(SourceArn)).toMatch(/:<Api\w+>\/\*\/\*(\/v1\/agent\/action\/\w+)?$/)
    }
  })

  test('throttles each route, since anybody may ask: at most a fifth of 1,000 functions in all', () => {
    const { DefaultRouteSettings, RouteSettings } = stage!.Properties
    const busy = (of: any) => of.ThrottlingBurstLimit + of.ThrottlingRateLimit * 0.1
    const all = routes.map(([, { Properties }]) => RouteSettings[Properties.RouteKey] ?? DefaultRouteSettings)
    expect(Object.keys(RouteSettings).toSorted()).toEqual(['$default', 'POST /v1/agent/action/send_event'])
    const sum = all.map(busy).reduce((one, other) => one + other, 0)
    expect(sum).toBeLessThanOrEqual(200)
    expect(sum).toBeGreaterThan(150)
    expect(stage!.DependsOn).toEqual(expect.arrayContaining(routes.map(([id]) => id)))
  })

  test('logs who, what and how long, and never a token', () => {
    const { Format } = stage!.Properties['AccessLogSettings']
    expect(Object.keys(JSON.parse(Format))).toContain('status')
    expect(Format).not.toMatch(/authorization|\$context\.(path|authorizer)/i)
    expect(findings(root)).toEqual([])
  })
})
