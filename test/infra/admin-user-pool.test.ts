import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { keys } from '../../shared/table/keys.ts'
import { issuerOf } from '../../infra/admin/cli/user-pool.ts'
import { startEngines } from '../support/engines.ts'
import { type AdminWorld, openAdminWorld } from './admin-world.ts'

const pool = 'eu-west-1_AbCdEf123'
it.each([
  ['cn-north-1_AbCdEf123', 'https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbCdEf123'],
  ['us-gov-west-1_AbCdEf123', 'https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_AbCdEf123'],
])('the pool %s is the issuer %s', (id, url) => {
  expect(issuerOf(id)).toBe(url)
})

const poolIssuer = `https://cognito-idp.eu-west-1.amazonaws.com/${pool}`

type Call = { operation: string; input: { UserPoolId: string; Username: string; [name: string]: unknown } }
type Answer = { status?: number; body: object }

/** Speaks as much of Cognito's AWS JSON 1.1 as creating and deleting a user takes. */
async function startCognito() {
  const users = new Map<string, string>()
  const calls: Call[] = []
  let spoil: ((call: Call) => Answer | undefined) | undefined
  const failure = (type: string, message: string): Answer => ({
    status: 400,
    body: { __type: type, message },
  })

  function answerTo({ operation, input }: Call): Answer {
    if (input.UserPoolId !== pool)
      return failure('ResourceNotFoundException', `User pool ${input.UserPoolId} does not exist.`)
    if (operation === 'AdminCreateUser') {
      if (users.has(input.Username)) return failure('UsernameExistsException', 'User account already exists')
      const sub = crypto.randomUUID()
      users.set(input.Username, sub)
      const Attributes = [
        { Name: 'email', Value: input.Username },
        { Name: 'sub', Value: sub },
      ]
      return {
        body: { User: { Username: sub, Attributes, Enabled: true, UserStatus: 'FORCE_CHANGE_PASSWORD' } },
      }
    }
    const name = [...users].find((user) => user.includes(input.Username))?.[0]
    if (operation !== 'AdminDeleteUser' || name === undefined)
      return failure('UserNotFoundException', 'No such user')
    users.delete(name)
    return { body: {} }
  }

  const server = createServer(async (request, response) => {
    const [service, operation = ''] = String(request.headers['x-amz-target']).split('.')
    expect(service).toBe('AWSCognitoIdentityProviderService')
    expect(request.headers['content-type']).toBe('application/x-amz-json-1.1')
    const call: Call = { operation, input: (await json(request)) as Call['input'] }
    calls.push(call)
    const { status = 200, body } = spoil?.(call) ?? answerTo(call)
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    users,
    calls,
    spoilWith: (next: typeof spoil) => {
      spoil = next
    },
    reset: () => {
      users.clear()
      calls.length = 0
      spoil = undefined
    },
    stop: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

const cognito = await startCognito()
const [engine] = await startEngines()
if (engine === undefined) throw new Error('No engine')
afterAll(async () => {
  cognito.stop()
  await engine.stop()
})

describe('admin agent on a deployed table', () => {
  let world: AdminWorld
  let license: string
  beforeAll(async () => {
    world = await openAdminWorld(engine.endpoint)
  })
  afterAll(() => world.close())
  beforeEach(async () => {
    cognito.reset()
    license = await world.license()
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'test')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test')
    vi.stubEnv('AWS_ENDPOINT_URL_DYNAMODB', world.proxy.endpoint)
    vi.stubEnv('AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER', cognito.endpoint)
  })
  afterEach(() => {
    world.proxy.setFault(undefined)
    vi.unstubAllEnvs()
  })

  const deployed = (...argv: string[]) =>
    world.admin(...argv, '--table', world.tableName, '--region', 'us-east-1')
  const create = (...argv: string[]) =>
    deployed('agent', 'create', license, '--name', 'Ana', '--id', 'ana', ...argv)
  const invited = ['--email', 'ana@example.com', '--user-pool', pool]
  const operations = () => cognito.calls.map(({ operation }) => operation)
  const agents = async (): Promise<unknown[]> => world.json('agent', 'list', license, '--deleted')

  it("creates the pool's user, and the agent that its sub logs in as", async () => {
    const { code, out, err } = await create(...invited, '--permission', 'owner')
    expect(err).toBe('')
    expect(code).toBe(0)
    const subject = cognito.users.get('ana@example.com')
    expect(out).toBe(
      `Created agent ana of license ${license}: Ana, owner.\nThe subject ${subject} of ${poolIssuer} logs in as it.\n`,
    )
    expect(cognito.calls).toEqual([
      {
        operation: 'AdminCreateUser',
        input: {
          UserPoolId: pool,
          Username: 'ana@example.com',
          DesiredDeliveryMediums: ['EMAIL'],
          UserAttributes: [
            { Name: 'email', Value: 'ana@example.com' },
            { Name: 'email_verified', Value: 'true' },
            { Name: 'name', Value: 'Ana' },
          ],
        },
      },
    ])
    expect(await world.table.read.get(keys.identity(poolIssuer, subject ?? ''))).toMatchObject({
      license_id: license,
      agent_id: 'ana',
    })
    expect(await agents()).toMatchObject([
      { id: 'ana', email: 'ana@example.com', identities: [{ issuer: poolIssuer, subject }] },
    ])
  })

  it('takes a user that the pool has, by its sub', async () => {
    const { code } = await create('--user-pool', pool, '--subject', `sub-${license}`)
    expect(code).toBe(0)
    expect(cognito.calls).toEqual([])
    expect(await world.table.read.get(keys.identity(poolIssuer, `sub-${license}`))).toMatchObject({
      agent_id: 'ana',
    })
  })

  it('takes a subject of another issuer', async () => {
    expect(await create('--issuer', 'https://login.example.com', '--subject', license)).toMatchObject({
      code: 0,
      out:
        `Created agent ana of license ${license}: Ana, normal.\n` +
        `The subject ${license} of https://login.example.com logs in as it.\n`,
    })
  })

  it.each([
    ['a license that is not there', async () => (license = 'nobody'), /There is no license nobody\./],
    [
      'an id in use',
      () => world.admin('agent', 'create', license, '--name', 'A', '--id', 'ana'),
      /Agent ana .* exists/,
    ],
  ])('invites nobody for %s', async (_, prepare, sentence) => {
    await prepare()
    const { code, err } = await create(...invited)
    expect(code).toBe(1)
    expect(err).toMatch(sentence)
    expect(cognito.calls).toEqual([])
  })

  it('invites nobody for a group that is not there', async () => {
    expect((await create(...invited, '--group', '1')).err).toMatch(/has no group 1\./)
    expect(cognito.calls).toEqual([])
  })

  it('deletes the user again where the agent came in between', async () => {
    world.beforeNext('TransactWriteItems', () =>
      world.admin('agent', 'create', license, '--name', 'Other', '--id', 'ana'),
    )
    const { code, err } = await create(...invited)
    expect(code).toBe(1)
    expect(err).toMatch(/Agent ana of license .* exists: Other\./)
    expect(operations()).toEqual(['AdminCreateUser', 'AdminDeleteUser'])
    expect(cognito.users.size).toBe(0)
    expect(await agents()).toMatchObject([{ name: 'Other' }])
  })

  it('deletes the user again where the table refuses the write', async () => {
    world.proxy.setFault(({ operation }) =>
      operation === 'TransactWriteItems' ? { errorType: 'AccessDeniedException' } : undefined,
    )
    const { code, err } = await create(...invited)
    world.proxy.setFault(undefined)
    expect(code).toBe(1)
    expect(err).toMatch(/^error: AccessDeniedException/)
    expect(cognito.users.size).toBe(0)
    expect(await agents()).toEqual([])
  })

  it('keeps the user where only the answers of the write were lost', async () => {
    world.proxy.setFault(({ operation }) =>
      operation === 'TransactWriteItems' ? { reset: true, afterWrite: true } : undefined,
    )
    const { code, out } = await create(...invited)
    world.proxy.setFault(undefined)
    expect(code).toBe(0)
    expect(out).toMatch(/^Created agent ana/)
    expect(operations()).toEqual(['AdminCreateUser'])
    expect(await agents()).toMatchObject([
      { identities: [{ subject: cognito.users.get('ana@example.com') }] },
    ])
  })

  it('says what to delete where the user cannot be deleted again', async () => {
    world.proxy.setFault(({ operation }) =>
      operation === 'TransactWriteItems' ? { errorType: 'AccessDeniedException' } : undefined,
    )
    cognito.spoilWith(({ operation }) =>
      operation === 'AdminDeleteUser'
        ? { status: 400, body: { __type: 'NotAuthorizedException', message: 'no' } }
        : undefined,
    )
    const { code, err } = await create(...invited)
    expect(code).toBe(1)
    const username = cognito.users.get('ana@example.com')
    expect(err).toBe(
      `error: The user ana@example.com was created in the pool ${pool}, and could not be deleted again ` +
        '(NotAuthorizedException: no). ' +
        `Delete it: aws cognito-idp admin-delete-user --user-pool-id ${pool} --username ${username}\n`,
    )
  })

  it('says how to take a user that the pool has', async () => {
    cognito.users.set('ana@example.com', 'sub')
    expect(await create(...invited)).toEqual({
      code: 1,
      out: '',
      err:
        `error: The pool ${pool} already has a user ana@example.com. Add its sub with --subject <sub>; it is in the output of: ` +
        `aws cognito-idp admin-get-user --user-pool-id ${pool} --username ana@example.com\n`,
    })
    expect(await agents()).toEqual([])
    expect(cognito.users.size).toBe(1)
  })

  it('says so where there is no such pool', async () => {
    const { code, err } = await create('--email', 'ana@example.com', '--user-pool', 'eu-west-1_Other')
    expect(code).toBe(1)
    expect(err).toBe("error: There is no user pool eu-west-1_Other. The stack's output names it.\n")
  })

  it("hands on the pool's own reasons", async () => {
    cognito.spoilWith(() => ({
      status: 400,
      body: { __type: 'InvalidParameterException', message: 'Username should be a phone number.' },
    }))
    expect((await create(...invited)).err).toBe(
      `error: The pool ${pool} refuses the user ana@example.com: Username should be a phone number.\n`,
    )
  })

  it('writes nothing for a user without a sub', async () => {
    cognito.spoilWith(({ operation }) =>
      operation === 'AdminCreateUser' ? { body: { User: { Username: 'u', Attributes: [] } } } : { body: {} },
    )
    expect((await create(...invited)).err).toBe(
      `error: The pool ${pool} created ana@example.com without a sub. Nothing was written.\n`,
    )
    expect(operations()).toEqual(['AdminCreateUser', 'AdminDeleteUser'])
    expect(await agents()).toEqual([])
  })

  it.each([
    [
      [],
      "--table: Who logs in as it? Add --user-pool <id> for a new user of the stack's pool, or --subject <sub>.",
    ],
    [['--user-pool', pool], '--user-pool: The pool invites its new user by mail. Add --email <address>.'],
    [['--subject', 's'], '--subject: Whose subject is it? Add --issuer <issuer> or --user-pool <id>.'],
    [
      ['--user-pool', pool, '--subject', 's', '--issuer', 'i'],
      '--issuer: The user pool is the issuer: leave one of the two out.',
    ],
  ])('refuses %s', async (options, sentence) => {
    expect(await create(...options)).toEqual({ code: 2, out: '', err: `error: ${sentence}\n` })
    expect(cognito.calls).toEqual([])
  })
})
