import { App, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { settingsFrom } from '../../infra/stack/stack-settings.ts'
import { tokenIssuer } from '../../infra/stack/token-issuer.ts'
import { tokenScopes } from '../../shared/protocol/action.ts'
import { synthesize } from './synthesized.ts'

const made = (context: Record<string, string>) => {
  const app = new App({ context })
  const stack = new Stack(app, 'S', { env: { region: 'eu-west-1' } })
  tokenIssuer(stack, settingsFrom(app.node))
  return Template.fromStack(stack)
}
const own = { issuer: 'https://id.example.com', audience: 'chat', jwksUrl: 'https://id.example.com/keys' }

test('with a domain, clients of the pool get tokens there, for the token scopes or for all', () => {
  const template = made({ botDomain: 'acme-chat' })
  template.hasResourceProperties('AWS::Cognito::UserPoolDomain', { Domain: 'acme-chat' })
  const [{ Properties }] = Object.values(
    template.findResources('AWS::Cognito::UserPoolResourceServer'),
  ) as any
  expect(Properties.Identifier).toBe('agent-chat')
  const names = Properties.Scopes.map((scope: any) => scope.ScopeName)
  expect(names).toEqual(['all', ...tokenScopes])
  // what Cognito takes for a name
  for (const name of names) expect(name).toMatch(/^[\x21\x23-\x2e\x30-\x5b\x5d-\x7e]{1,256}$/)
  expect(JSON.stringify(template.findOutputs('BotTokenUrl'))).toContain(
    '.auth.eu-west-1.amazoncognito.com/oauth2/token',
  )
  // the clients are the operator's: people's app gets no token for itself
  template.resourceCountIs('AWS::Cognito::UserPoolClient', 1)
  template.hasResourceProperties('AWS::Cognito::UserPoolClient', { AllowedOAuthFlowsUserPoolClient: false })
})

test('without one there is none of it', () => {
  const template = made({})
  for (const type of ['UserPoolDomain', 'UserPoolResourceServer'])
    template.resourceCountIs(`AWS::Cognito::${type}`, 0)
})

test.each([
  [{ botDomain: 'acme', ...own }, /-c botDomain= is for the stack's own user pool/],
  [{ botDomain: 'acme', resourceServer: 'crm' }, /makes the resource server agent-chat, whose scopes count/],
  [{ botDomain: 'Acme' }, /-c botDomain: must be up to 63 small letters/],
  [{ botDomain: '-acme' }, /-c botDomain: /],
  [{ botDomain: 'my-cognito' }, /-c botDomain: /],
])('%j is refused', (context, sentence) => {
  expect(() => made(context)).toThrow(sentence)
})

test('with a domain, functions count the scopes of its resource server alone', { tags: ['full'] }, () => {
  const told = synthesize({ botDomain: 'acme-chat' })
    .of('AWS::Lambda::Function')
    .map(([, { Properties }]) => Properties['Environment'].Variables)
    .filter((variables) => 'TOKEN_ISSUER' in variables)
  expect(told.length).toBeGreaterThan(20)
  for (const { TOKEN_RESOURCE_SERVER: server } of told) expect(server).toBe('agent-chat')
})
