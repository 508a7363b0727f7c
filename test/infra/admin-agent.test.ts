import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAgent } from '../../shared/provisioning/change-agent.ts'
import { AgentItem, setOnline, setOffline } from '../../shared/table/accounts.ts'
import { keys } from '../../shared/table/keys.ts'
import { startEngines } from '../support/engines.ts'
import { type AdminWorld, issuer, openAdminWorld } from './admin-world.ts'

const engines = await startEngines()
afterAll(() => Promise.all(engines.map((engine) => engine.stop())))

describe.each(engines)('admin agent on $label', ({ endpoint }) => {
  let world: AdminWorld
  beforeAll(async () => {
    world = await openAdminWorld(endpoint)
  })
  afterAll(() => world.close())

  const agent = (command: string, ...argv: string[]) => world.admin('agent', command, ...argv)
  const created = (license: string, id: string, ...argv: string[]) =>
    world.json('agent', 'create', license, '--id', id, '--name', id, ...argv)
  const shown = (license: string, id: string) => world.json('agent', 'show', license, id)
  const identity = (subject: string, of = issuer) => world.table.read.get(keys.identity(of, subject))
  const withGroups = async (...groups: string[]) => {
    const license = await world.license()
    for (const id of groups) await world.json('group', 'create', license, '--name', `g${id}`, '--id', id)
    return license
  }

  describe('create', () => {
    it('writes the agent and who logs in as it', async () => {
      const license = await withGroups('1', '2')
      const { code, out } = await agent(
        'create',
        license,
        '--id',
        'ana@x.com',
        '--name',
        'Ana',
        '--email',
        'ana@example.com',
        '--avatar',
        'https://example.com/a.png',
        '--permission',
        'administrator',
        '--group',
        '2',
        '1',
        '2',
        '--status',
        'not_accepting_chats',
        '--subject',
        '00u1',
        '--issuer',
        'https://login.example.com',
      )
      expect(code).toBe(0)
      expect(out).toBe(
        `Created agent ana@x.com of license ${license}: Ana, administrator, in groups 1, 2.\n` +
          'The subject 00u1 of https://login.example.com logs in as it.\n',
      )
      expect(await world.table.read.get(keys.agent(license, 'ana@x.com'))).toEqual({
        ...keys.agent(license, 'ana@x.com'),
        license_id: license,
        id: 'ana@x.com',
        name: 'Ana',
        email: 'ana@example.com',
        avatar: 'https://example.com/a.png',
        permission: 'administrator',
        groups: [1, 2],
        default_status: 'not_accepting_chats',
        suspended: false,
        identities: [{ issuer: 'https://login.example.com', subject: '00u1' }],
        version: 1,
      })
      expect(await identity('00u1', 'https://login.example.com')).toEqual({
        ...keys.identity('https://login.example.com', '00u1'),
        license_id: license,
        agent_id: 'ana@x.com',
      })
    })

    it('needs only a name where a local stack runs, and says how to get a token', async () => {
      const license = await world.license()
      const { out } = await agent('create', license, '--name', 'Ana', '--id', 'ana')
      expect(out).toBe(
        `Created agent ana of license ${license}: Ana, normal.\n` +
          `The subject ${license}/ana of ${issuer} logs in as it.\n` +
          `A token for it: npm run -s admin -- token ana --license ${license}\n`,
      )
      const made = await world.json('agent', 'create', license, '--name', 'Ben')
      expect(made).toMatchObject({
        id: expect.stringMatching(/^[a-z0-9]{12}$/),
        permission: 'normal',
        groups: [],
        default_status: 'accepting_chats',
        identities: [{ issuer, subject: `${license}/${made.id}` }],
      })
    })

    it('refuses a license that is not there, and writes nothing', async () => {
      expect(await agent('create', 'nobody', '--name', 'Ana', '--id', 'ana')).toEqual({
        code: 1,
        out: '',
        err: 'error: There is no license nobody. See license list, or make it with license create.\n',
      })
      expect(await world.itemsOf('nobody')).toEqual([])
      expect(await identity('nobody/ana')).toBeUndefined()
    })

    it('refuses a group that is not there, and writes nothing', async () => {
      const license = await withGroups('1')
      expect(await agent('create', license, '--name', 'Ana', '--id', 'ana', '--group', '1', '2')).toEqual({
        code: 1,
        out: '',
        err: `error: License ${license} has no group 2. See group list ${license}, or make it with group create.\n`,
      })
      expect((await world.itemsOf(license)).map(({ sk }) => sk)).toEqual(['GROUP#1', 'LICENSE'])
      expect(await world.table.read.get(keys.group(license, 1))).toMatchObject({ version: 1 })
      expect(await identity(`${license}/ana`)).toBeUndefined()
    })

    it('refuses an id in use, and writes nothing', async () => {
      const license = await world.license()
      await created(license, 'ana')
      expect(await agent('create', license, '--name', 'Other', '--id', 'ana', '--subject', 'other')).toEqual({
        code: 1,
        out: '',
        err: `error: Agent ana of license ${license} exists: ana. Choose another --id, or change it with agent set.\n`,
      })
      expect(await shown(license, 'ana')).toMatchObject({ name: 'ana', version: 1 })
      expect(await identity('other')).toBeUndefined()
    })

    it('gives the id of a deleted agent never again', async () => {
      const license = await world.license()
      await created(license, 'ana')
      await agent('delete', license, 'ana')
      expect(await agent('create', license, '--name', 'Ana', '--id', 'ana')).toMatchObject({
        code: 1,
        err: `error: Agent id ana of license ${license} was that of ana, who is deleted. Choose another --id.\n`,
      })
      expect(await shown(license, 'ana')).toMatchObject({ deleted: true })
    })

    it('refuses a subject in use, saying by whom, in whatever license', async () => {
      const [license, other] = [await world.license(), await world.license()]
      await created(license, 'ana', '--subject', `s-${license}`)
      for (const at of [license, other]) {
        expect(
          await agent('create', at, '--name', 'Ben', '--id', 'ben', '--subject', `s-${license}`),
        ).toMatchObject({
          code: 1,
          err:
            `error: The subject s-${license} of ${issuer} logs in as agent ana of license ${license}. ` +
            'Give another --subject: one logs in as one agent only.\n',
        })
        expect(await agent('show', at, 'ben')).toMatchObject({ code: 1 })
      }
    })

    it('of two with one subject at once, makes one, and nothing of the other', async () => {
      for (let round = 0; round < 10; round++) {
        const license = await withGroups('1')
        const ids = ['ana', 'ben']
        const results = await Promise.all(
          ids.map((id) =>
            agent('create', license, '--id', id, '--name', id, '--group', '1', '--subject', `s-${license}`),
          ),
        )
        expect(results.map(({ code }) => code).toSorted()).toEqual([0, 1])
        const winner = ids[results.findIndex(({ code }) => code === 0)]
        expect(results.find(({ code }) => code === 1)?.err).toContain(
          `logs in as agent ${winner} of license ${license}`,
        )
        const agents: { id: string }[] = await world.json('agent', 'list', license)
        expect(agents.map(({ id }) => id)).toEqual([winner])
        expect(await identity(`s-${license}`)).toMatchObject({ license_id: license, agent_id: winner })
      }
    })

    it('of two with one id at once, makes one, with its own subject only', async () => {
      const license = await world.license()
      const subjects = [`a-${license}`, `b-${license}`]
      const results = await Promise.all(
        subjects.map((subject) =>
          agent('create', license, '--id', 'ana', '--name', 'Ana', '--subject', subject),
        ),
      )
      expect(results.map(({ code }) => code).toSorted()).toEqual([0, 1])
      const { identities } = await shown(license, 'ana')
      const found = await Promise.all(subjects.map((subject) => identity(subject)))
      expect(identities).toEqual([
        { issuer, subject: subjects[found.findIndex((item) => item !== undefined)] },
      ])
      expect(found.filter((item) => item !== undefined)).toHaveLength(1)
    })

    it('is tried again where the table met a conflict', async () => {
      const license = await world.license()
      let conflicts = 3
      world.proxy.setFault(({ operation }) =>
        operation === 'TransactWriteItems' && conflicts-- > 0
          ? {
              errorType: 'TransactionCanceledException',
              body: {
                CancellationReasons: [{ Code: 'None' }, { Code: 'TransactionConflict' }, { Code: 'None' }],
              },
            }
          : undefined,
      )
      expect(await created(license, 'ana')).toMatchObject({ id: 'ana', version: 1 })
      world.proxy.setFault(undefined)
    })

    it('may be run again for a demo: an agent that exists stays as it is', async () => {
      const license = await world.license()
      const draft = {
        license_id: license,
        id: 'ana',
        name: 'Ana',
        identity: { issuer, subject: `demo-${license}` },
      }
      const first = await createAgent(world.table, draft)
      expect(first.outcome).toBe('created')
      expect(await createAgent(world.table, { ...draft, name: 'Other' })).toEqual({
        ...first,
        outcome: 'exists',
      })
    })

    it.each([
      ['--id', 'a b', 'An agent id is 1 to 64 letters, digits and the characters . _ @ + -'],
      ['--id', 'a#b', 'An agent id is 1 to 64 letters, digits and the characters . _ @ + -'],
      ['--id', 'x'.repeat(65), 'An agent id is 1 to 64 letters, digits and the characters . _ @ + -'],
      ['--name', 'x'.repeat(257), 'Too long: at most 256 bytes of UTF-8'],
      ['--name', 'é'.repeat(129), 'Too long: at most 256 bytes of UTF-8'],
      ['--email', 'ana', 'An email address looks like name@example.com'],
      ['--email', `${'x'.repeat(251)}@x.com`, 'Too long: at most 256 bytes of UTF-8'],
      ['--avatar', 'ftp://example.com/a.png', 'An avatar is an http or https URL'],
      ['--avatar', 'javascript:alert(1)', 'An avatar is an http or https URL'],
      ['--avatar', 'https://', 'An avatar is an http or https URL'],
      ['--avatar', `https://example.com/${'x'.repeat(2048)}`, 'Too long: at most 2048 bytes of UTF-8'],
      ['--permission', 'boss', 'A permission is one of owner, administrator, normal'],
      ['--status', 'offline', 'A status is one of accepting_chats, not_accepting_chats'],
      ['--group', 'sales', 'A group id is a whole number of up to 15 digits'],
      ['--subject', '', 'Must not be empty'],
      ['--user-pool', 'us-east-1_Ab', 'A user pool belongs to a deployed stack: name its table with --table'],
      ['--user-pool', 'pool', 'A user pool id looks like us-east-1_AbCdEf123'],
      ['--issuer', 'https://x', 'Which subject of it? Add --subject <sub>'],
    ])('refuses %s %s', async (option, value, sentence) => {
      const name = option === '--name' ? [] : ['--name', 'Ana']
      expect(await agent('create', 'acme', ...name, option, value)).toEqual({
        code: 2,
        out: '',
        err: `error: ${option}: ${sentence}.\n`,
      })
    })

    it('refuses more groups than a transaction can check', async () => {
      const groups = Array.from({ length: 51 }, (_, n) => String(n))
      expect((await agent('create', 'acme', '--name', 'Ana', '--group', ...groups)).err).toBe(
        'error: --group: An agent is in at most 50 groups.\n',
      )
    })

    it('says all that is wrong at once', async () => {
      expect((await agent('create', 'ac#me', '--name', '', '--email', 'x')).err).toBe(
        [
          'error: <license>: A license id is 1 to 64 letters, digits and -.',
          '--name: Must not be empty.',
          '--email: An email address looks like name@example.com.',
          '',
        ].join('\n'),
      )
    })
  })

  describe('list', () => {
    it('lists those of one license', async () => {
      const [license, other] = [await withGroups('1', '2'), await world.license()]
      await created(license, 'ben', '--permission', 'owner', '--email', 'ben@example.com')
      await created(license, 'ana', '--group', '1', '2')
      await created(license, 'cleo')
      await created(license, 'dan')
      await created(license, 'robin', '--bot', '--priority', 'first')
      await created(other, 'stranger')
      await agent('suspend', license, 'cleo')
      await agent('delete', license, 'dan')
      const lines = [
        'AGENT  NAME   PERMISSION  GROUPS  STATE      BOT    EMAIL',
        'ana    ana    normal      1, 2    offline',
        'ben    ben    owner               offline           ben@example.com',
        'cleo   cleo   normal              suspended',
        'robin  robin  normal              offline    first',
      ]
      expect((await agent('list', license)).out).toBe([...lines, ''].join('\n'))
      expect((await agent('list', license, '--deleted')).out).toBe(
        [...lines.slice(0, -1), 'dan    dan    normal              deleted', lines.at(-1), ''].join('\n'),
      )
      const agents: { id: string }[] = await world.json('agent', 'list', license)
      expect(agents.map(({ id }) => id)).toEqual(['ana', 'ben', 'cleo', 'robin'])
    })

    it('tells no agents from no license', async () => {
      const license = await world.license()
      expect((await agent('list', license)).out).toBe(`License ${license} has no agents.\n`)
      expect(await agent('list', 'nobody')).toMatchObject({ code: 1, out: '' })
    })
  })

  describe('show', () => {
    it('shows who it is and whether it is there', async () => {
      const license = await withGroups('1')
      const made = await created(license, 'ana', '--group', '1', '--avatar', 'https://example.com/a.png')
      await world.table.write.write(setOnline(AgentItem.parse(made), 'accepting_chats'))
      expect((await agent('show', license, 'ana')).out).toBe(
        [
          `Agent ana of license ${license}`,
          '  name                ana',
          '  avatar              https://example.com/a.png',
          '  permission          normal',
          '  groups              1',
          '  state               online',
          '  status after login  accepting_chats',
          '  chats at most       6',
          `  logs in as          ${license}/ana of ${issuer}`,
          '  version             1',
          '',
        ].join('\n'),
      )
    })

    it('says where to look where there is none', async () => {
      expect(await agent('show', 'acme', 'nobody')).toEqual({
        code: 1,
        out: '',
        err: 'error: License acme has no agent nobody. See agent list acme.\n',
      })
    })
  })

  describe('set', () => {
    it('changes what is given, and leaves the rest', async () => {
      const license = await withGroups('1', '2', '3')
      const before = await created(license, 'ana', '--group', '1', '2', '--email', 'a@example.com')
      expect((await agent('set', license, 'ana', '--name', 'Anna')).out).toBe(
        `Changed agent ana of license ${license}.\n`,
      )
      expect(await shown(license, 'ana')).toEqual({ ...before, name: 'Anna', version: 2 })
      const after = await world.json(
        'agent',
        'set',
        license,
        'ana',
        '--group',
        '3',
        '2',
        '--permission',
        'owner',
        '--status',
        'not_accepting_chats',
        '--avatar',
        'https://example.com/b.png',
        '--email',
        'b@example.com',
      )
      expect(after).toEqual({
        ...before,
        name: 'Anna',
        groups: [2, 3],
        permission: 'owner',
        default_status: 'not_accepting_chats',
        avatar: 'https://example.com/b.png',
        email: 'b@example.com',
        version: 3,
      })
      expect(await shown(license, 'ana')).toEqual(after)
    })

    it('sets how many chats it may have, from its creation on', async () => {
      const license = await world.license()
      expect(await created(license, 'ana')).toMatchObject({ max_chats: 6 })
      expect(await created(license, 'ben', '--max-chats', '0')).toMatchObject({ max_chats: 0 })
      expect(await world.json('agent', 'set', license, 'ana', '--max-chats', '1000')).toMatchObject({
        max_chats: 1000,
        version: 2,
      })
      expect(await world.table.read.get(keys.agent(license, 'ben'))).toMatchObject({ max_chats: 0 })
      expect((await agent('show', license, 'ana')).out).toContain('  chats at most       1000\n')
      expect((await agent('set', license, 'ana', '--max-chats', '1000')).out).toContain('is so already')
      await agent('delete', license, 'ben')
      expect(await world.table.read.get(keys.agent(license, 'ben'))).not.toHaveProperty('max_chats')
    })

    it.each(['-1', '1001', '1.5', 'all', ''])('refuses %s chats', async (limit) => {
      expect(await agent('set', 'acme', 'ana', `--max-chats=${limit}`)).toEqual({
        code: 2,
        out: '',
        err: 'error: --max-chats: A limit of chats is a whole number from 0 to 1000.\n',
      })
    })

    it('clears email, avatar and groups', async () => {
      const license = await withGroups('1')
      await created(
        license,
        'ana',
        '--group',
        '1',
        '--email',
        'a@example.com',
        '--avatar',
        'https://example.com/a',
      )
      const after = await world.json('agent', 'set', license, 'ana', '--clear', 'email', 'avatar', 'groups')
      expect(after).toMatchObject({ groups: [], version: 2 })
      expect(after).not.toHaveProperty('email')
      expect(after).not.toHaveProperty('avatar')
      expect(await shown(license, 'ana')).toEqual(after)
    })

    it('writes nothing where nothing changes', async () => {
      const license = await withGroups('1', '2')
      await created(license, 'ana', '--group', '1', '2')
      const { code, out } = await agent(
        'set',
        license,
        'ana',
        '--name',
        'ana',
        '--group',
        '2',
        '1',
        '--clear',
        'email',
        '--subject',
        `${license}/ana`,
      )
      expect(code).toBe(0)
      expect(out).toBe(`Agent ana of license ${license} is so already.\n`)
      expect(await shown(license, 'ana')).toMatchObject({ version: 1 })
    })

    it('gives the agent another subject, and frees the one it had', async () => {
      const license = await world.license()
      await created(license, 'ana')
      const after = await world.json('agent', 'set', license, 'ana', '--subject', `new-${license}`)
      expect(after).toMatchObject({ identities: [{ issuer, subject: `new-${license}` }], version: 2 })
      expect(await identity(`new-${license}`)).toMatchObject({ license_id: license, agent_id: 'ana' })
      expect(await identity(`${license}/ana`)).toBeUndefined()
      expect(await created(license, 'ben', '--subject', `${license}/ana`)).toMatchObject({ id: 'ben' })
    })

    it('refuses a subject in use, and changes nothing else either', async () => {
      const license = await world.license()
      const before = await created(license, 'ana')
      await created(license, 'ben')
      expect(await agent('set', license, 'ana', '--name', 'x', '--subject', `${license}/ben`)).toMatchObject({
        code: 1,
        err:
          `error: The subject ${license}/ben of ${issuer} logs in as agent ben of license ${license}. ` +
          'Give another --subject: one logs in as one agent only.\n',
      })
      expect(await shown(license, 'ana')).toEqual(before)
      expect(await identity(`${license}/ana`)).toMatchObject({ agent_id: 'ana' })
    })

    it('refuses a group that is not there', async () => {
      const license = await world.license()
      await created(license, 'ana')
      expect((await agent('set', license, 'ana', '--group', '5')).err).toMatch(/has no group 5\./)
      expect(await shown(license, 'ana')).toMatchObject({ groups: [], version: 1 })
    })

    it('loses none of many changes at once, and none of presence', async () => {
      const license = await withGroups('1')
      const made = AgentItem.parse(await created(license, 'ana'))
      const changes = [
        ['--name', 'Anna'],
        ['--email', 'a@example.com'],
        ['--avatar', 'https://example.com/a'],
        ['--permission', 'owner'],
        ['--group', '1'],
        ['--status', 'not_accepting_chats'],
      ]
      const login = world.table.write.write(setOnline(made, 'accepting_chats'))
      const results = await Promise.all(changes.map((change) => agent('set', license, 'ana', ...change)))
      expect(results.map(({ err }) => err)).toEqual(changes.map(() => ''))
      const { done } = await login
      expect(await shown(license, 'ana')).toMatchObject({
        name: 'Anna',
        email: 'a@example.com',
        avatar: 'https://example.com/a',
        permission: 'owner',
        groups: [1],
        default_status: 'not_accepting_chats',
        version: 7,
        ...(done ? { online: true, seq: 1, routing_status: 'accepting_chats' } : { online: false, seq: 0 }),
      })
    })

    it('leaves presence alone that changes after its read', async () => {
      const license = await world.license()
      const made = AgentItem.parse(await created(license, 'ana'))
      world.beforeNext('TransactWriteItems', () =>
        world.table.write.write(setOnline(made, 'accepting_chats')),
      )
      await agent('set', license, 'ana', '--name', 'Anna')
      const online = AgentItem.parse(await shown(license, 'ana'))
      expect(online).toMatchObject({ name: 'Anna', online: true, seq: 1, routing_status: 'accepting_chats' })
      world.beforeNext('TransactWriteItems', () => world.table.write.write(setOffline(online, 'a check')))
      await agent('set', license, 'ana', '--name', 'Anne')
      expect(await shown(license, 'ana')).toMatchObject({ name: 'Anne', online: false, seq: 1, version: 3 })
    })

    it('decides anew where the agent changed in between', async () => {
      const license = await world.license()
      await created(license, 'ana')
      world.beforeNext('TransactWriteItems', () => agent('delete', license, 'ana'))
      expect(await agent('set', license, 'ana', '--name', 'x')).toMatchObject({
        code: 1,
        err: `error: Agent ana of license ${license} is deleted, and stays so. Create another one.\n`,
      })
    })

    it('makes no agent', async () => {
      const license = await world.license()
      expect(await agent('set', license, 'ana', '--name', 'x')).toMatchObject({
        code: 1,
        err: `error: License ${license} has no agent ana. See agent list ${license}.\n`,
      })
      expect(await world.itemsOf(license)).toHaveLength(1)
    })

    it.each([
      [
        [],
        '<agent>: Say what to change: --name, --email, --avatar, --permission, --group, --status, --max-chats, --priority, --subject, --clear.',
      ],
      [['--clear', 'name'], '--clear: Only email, avatar and groups can be cleared.'],
      [
        ['--clear', 'email', '--email', 'a@b'],
        '--clear: Clears what another option sets: leave one of the two out.',
      ],
      [['--issuer', 'x'], '--issuer: Which subject of it? Add --subject <sub>.'],
      [['--table', 't', '--user-pool', 'us-east-1_A'], '--user-pool: Which user of it? Add --subject <sub>.'],
      [
        ['--table', 't', '--subject', 's'],
        '--subject: Whose subject is it? Add --issuer <issuer> or --user-pool <id>.',
      ],
    ])('refuses %s', async (options, sentence) => {
      expect(await agent('set', 'acme', 'ana', ...options)).toEqual({
        code: 2,
        out: '',
        err: `error: ${sentence}\n`,
      })
    })
  })

  describe('suspend and resume', () => {
    it('set one attribute, once', async () => {
      const license = await world.license()
      const before = await created(license, 'ana')
      expect((await agent('suspend', license, 'ana')).out).toBe(
        `Suspended agent ana of license ${license}.\n`,
      )
      expect(await shown(license, 'ana')).toEqual({ ...before, suspended: true, version: 2 })
      expect((await agent('suspend', license, 'ana')).out).toBe(
        `Agent ana of license ${license} is suspended already.\n`,
      )
      expect((await agent('resume', license, 'ana')).out).toBe(`Resumed agent ana of license ${license}.\n`)
      expect(await agent('resume', license, 'ana')).toMatchObject({
        code: 0,
        out: `Agent ana of license ${license} is not suspended.\n`,
      })
      expect(await shown(license, 'ana')).toEqual({ ...before, version: 3 })
    })

    it.each(['suspend', 'resume'])('%s needs an agent', async (command) => {
      const license = await world.license()
      expect(await agent(command, license, 'ana')).toMatchObject({ code: 1, out: '' })
      await created(license, 'ana')
      await agent('delete', license, 'ana')
      expect((await agent(command, license, 'ana')).err).toBe(
        `error: Agent ana of license ${license} is deleted, and stays so. Create another one.\n`,
      )
    })
  })

  describe('delete', () => {
    it('leaves id and name, and nobody who logs in as it', async () => {
      const license = await withGroups('1')
      const options = [
        '--permission',
        'owner',
        '--email',
        'a@example.com',
        '--avatar',
        'https://example.com/a',
      ]
      await created(license, 'ana', '--group', '1', ...options)
      expect(await agent('delete', license, 'ana')).toEqual({
        code: 0,
        out: `Deleted agent ana of license ${license}. No active chat has it or names it.\n`,
        err: '',
      })
      const item = await world.table.read.get(keys.agent(license, 'ana'))
      expect(item).toEqual({
        ...keys.agent(license, 'ana'),
        id: 'ana',
        license_id: license,
        name: 'ana',
        permission: 'normal',
        groups: [],
        identities: [],
        deleted: true,
        version: 2,
      })
      expect(AgentItem.parse(item).deleted).toBe(true)
      expect(await identity(`${license}/ana`)).toBeUndefined()
      expect((await agent('show', license, 'ana')).out).toBe(
        [`Agent ana of license ${license}`, '  name   ana', '  state  deleted', ''].join('\n'),
      )
    })

    it('frees the subject for another agent', async () => {
      const license = await world.license()
      await created(license, 'ana', '--subject', `s-${license}`)
      await agent('delete', license, 'ana')
      expect(await created(license, 'ben', '--subject', `s-${license}`)).toMatchObject({ id: 'ben' })
    })

    it('leaves presence to those who write it', async () => {
      const license = await world.license()
      const made = AgentItem.parse(await created(license, 'ana'))
      world.beforeNext('TransactWriteItems', () =>
        world.table.write.write(setOnline(made, 'accepting_chats')),
      )
      await agent('delete', license, 'ana')
      expect(await shown(license, 'ana')).toMatchObject({ deleted: true, online: true, seq: 1 })
    })

    it('takes the subject that it got in between', async () => {
      const license = await world.license()
      await created(license, 'ana')
      world.beforeNext('TransactWriteItems', () =>
        agent('set', license, 'ana', '--subject', `new-${license}`),
      )
      expect((await agent('delete', license, 'ana')).code).toBe(0)
      expect(await identity(`${license}/ana`)).toBeUndefined()
      expect(await identity(`new-${license}`)).toBeUndefined()
    })

    it('may be repeated', async () => {
      const license = await world.license()
      await created(license, 'ana')
      await agent('delete', license, 'ana')
      expect((await agent('delete', license, 'ana')).out).toBe(
        `Agent ana of license ${license} is deleted already.\n`,
      )
      expect(await world.table.read.get(keys.agent(license, 'ana'))).toMatchObject({ version: 2 })
      expect(await agent('delete', license, 'nobody')).toMatchObject({ code: 1, out: '' })
    })
  })

  describe('where the answer of a write is lost', () => {
    it.each([
      ['agent create', ['--name', 'Ana', '--id', 'ana']],
      ['group create', ['--name', 'Sales', '--id', '7']],
    ])('%s tells success all the same', async (command, options) => {
      const license = await world.license()
      let lost = 1
      world.proxy.setFault(({ operation }) =>
        operation === 'TransactWriteItems' && lost-- > 0 ? { reset: true, afterWrite: true } : undefined,
      )
      const result = await world.admin(...command.split(' '), license, ...options)
      world.proxy.setFault(undefined)
      expect(result).toMatchObject({ code: 0, err: '' })
    })
  })
})
