import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keys, licensesPk } from '../../shared/table/keys.ts'
import { startEngines } from '../support/engines.ts'
import { type AdminWorld, now, openAdminWorld } from './admin-world.ts'

/** What a license is where nothing was said of its customers. */
const untouched = {
  origins: [],
  routing: 'automatic',
  unseen_minutes: 5,
  idle_minutes: 10,
  archive_minutes: 30,
  index_texts: true,
  deleted_groups: [],
  successors: {},
  created_at: now / 1000,
}

const engines = await startEngines()
afterAll(() => Promise.all(engines.map((engine) => engine.stop())))

describe.each(engines)('admin license on $label', ({ endpoint }) => {
  let world: AdminWorld
  beforeAll(async () => {
    world = await openAdminWorld(endpoint)
  })
  afterAll(() => world.close())

  describe('create', () => {
    it('writes the license and its row in the list of all', async () => {
      const { code, out } = await world.admin(
        'license',
        'create',
        '--id',
        'acme',
        '--plan',
        'enterprise',
        '--expires',
        '2027-12-31',
      )
      expect(code).toBe(0)
      expect(out).toBe('Created license acme: plan enterprise, expires 2027-12-31T00:00:00Z.\n')
      expect(await world.itemsOf('acme')).toEqual([
        {
          ...{ ...keys.license('acme'), id: 'acme', plan: 'enterprise', version: 1 },
          ...{ expires_at: 1830211200, created_at: now / 1000 },
        },
      ])
      expect(await world.table.read.get(keys.licenseListed('acme'))).toEqual({
        ...keys.licenseListed('acme'),
        id: 'acme',
      })
    })

    it('makes up an id, and lets it last a year', async () => {
      const license = await world.json('license', 'create')
      expect(license).toEqual({
        id: expect.stringMatching(/^[a-z0-9]{12}$/),
        plan: 'team',
        expires_at: now / 1000 + 365 * 86_400,
        version: 1,
        ...untouched,
      })
    })

    it('refuses an id in use, and changes nothing', async () => {
      const license = await world.license('--plan', 'first')
      const { code, out, err } = await world.admin('license', 'create', '--id', license, '--plan', 'second')
      expect(code).toBe(1)
      expect(out).toBe('')
      expect(err).toBe(
        `error: License ${license} exists. Choose another --id, or change it with license set.\n`,
      )
      expect(await world.json('license', 'show', license)).toMatchObject({ plan: 'first', version: 1 })
    })

    it('of two of one id at once, makes one', async () => {
      const create = () => world.admin('license', 'create', '--id', 'twice')
      const codes = (await Promise.all([create(), create()])).map(({ code }) => code)
      expect(codes.toSorted()).toEqual([0, 1])
    })

    it.each([
      ['a date', '2028-02-29', 1835395200],
      ['a time with its zone', '2027-01-31T12:00:00+02:00', 1801389600],
      ['unix seconds', '1800000000', 1800000000],
    ])('takes %s', async (_, expires, expires_at) => {
      expect(await world.json('license', 'create', '--expires', expires)).toMatchObject({ expires_at })
    })

    it.each(['2027-02-29', '2027-02-29T00:00:00Z', '2027-01-31T12:00', '1800000000000', 'tomorrow', '-1'])(
      'refuses to expire %s',
      async (expires) => {
        const { code, err } = await world.admin('license', 'create', `--expires=${expires}`)
        expect(code).toBe(2)
        expect(err).toBe(
          'error: --expires: Give a date (2027-01-31), a time with its zone (2027-01-31T12:00:00Z) or unix seconds.\n',
        )
      },
    )

    it.each(['a#b', 'a b', '', 'ä', 'x'.repeat(65)])('refuses the id "%s"', async (id) => {
      const { code, err } = await world.admin('license', 'create', '--id', id)
      expect(code).toBe(2)
      expect(err).toBe('error: --id: A license id is 1 to 64 letters, digits and -.\n')
    })

    it('refuses a plan that is too long or blank', async () => {
      expect(await world.admin('license', 'create', '--plan', 'ä'.repeat(129))).toMatchObject({
        code: 2,
        err: 'error: --plan: Too long: at most 256 bytes of UTF-8.\n',
      })
      expect((await world.admin('license', 'create', '--plan', ' ')).err).toBe(
        'error: --plan: Must not be blank.\n',
      )
    })
  })

  describe('list', () => {
    it('says so where there is none', async () => {
      const empty = await openAdminWorld(endpoint)
      expect(await empty.admin('license', 'list')).toMatchObject({ code: 0, out: 'There are no licenses.\n' })
      expect(await empty.json('license', 'list')).toEqual([])
      await empty.close()
    })

    it('lists them by id, with what they are', async () => {
      const few = await openAdminWorld(endpoint)
      await few.admin('license', 'create', '--id', 'b', '--expires', '2020-01-01')
      await few.admin('license', 'create', '--id', 'a', '--expires', '2027-01-01', '--plan', 'enterprise')
      const { out } = await few.admin('license', 'list')
      expect(out).toBe(
        [
          'LICENSE  PLAN        EXPIRES               EVENTS  STATE',
          'a        enterprise  2027-01-01T00:00:00Z  off     valid',
          'b        team        2020-01-01T00:00:00Z  off     expired',
          '',
        ].join('\n'),
      )
      expect(await few.json('license', 'list')).toEqual([
        { id: 'a', plan: 'enterprise', expires_at: 1798761600, version: 1, ...untouched },
        { id: 'b', plan: 'team', expires_at: 1577836800, version: 1, ...untouched },
      ])
      await few.close()
    })
  })

  describe('show', () => {
    it('shows one, with how many groups and agents it has', async () => {
      const license = await world.license('--expires', '2027-01-01')
      await world.admin('group', 'create', license, '--name', 'Sales')
      for (const id of ['ana', 'ben', 'cleo'])
        await world.admin('agent', 'create', license, '--name', id, '--id', id)
      await world.admin('agent', 'delete', license, 'cleo')
      const { code, out } = await world.admin('license', 'show', license)
      expect(code).toBe(0)
      expect(out).toBe(
        [
          `License ${license}`,
          '  plan           team',
          '  expiry         expires 2027-01-01T00:00:00Z',
          '  groups         1',
          '  agents         2',
          '  origins        any',
          '  routing        automatic',
          '  unseen chats   go to another agent after 5 minutes',
          '  silent chats   are idle after 10 minutes, archived after 30 minutes',
          '  message texts  searched',
          '  events         do not go out',
          '  version        1',
          '',
        ].join('\n'),
      )
      expect(await world.json('license', 'show', license)).toEqual({
        id: license,
        plan: 'team',
        expires_at: 0x6b36ec80,
        version: 1,
        ...untouched,
        groups: 1,
        agents: 2,
      })
    })

    it('says how to go on where there is none', async () => {
      expect(await world.admin('license', 'show', 'nobody')).toEqual({
        code: 1,
        out: '',
        err: 'error: There is no license nobody. See license list, or make it with license create.\n',
      })
    })
  })

  describe('set', () => {
    it('changes what is given, and leaves the rest', async () => {
      const license = await world.license('--expires', '2027-01-01')
      expect((await world.admin('license', 'set', license, '--plan', 'business')).out).toBe(
        `Changed license ${license}: plan business, expires 2027-01-01T00:00:00Z.\n`,
      )
      expect(await world.json('license', 'set', license, '--expires', '2026-01-01')).toEqual({
        id: license,
        plan: 'business',
        expires_at: 0x6955b900,
        version: 3,
        ...untouched,
      })
      expect((await world.admin('license', 'show', license)).out).toContain('expired 2026-01-01T00:00:00Z')
    })

    it('leaves attributes alone that it does not know', async () => {
      const license = await world.license()
      await world.table.write.write({
        Update: {
          Key: keys.license(license),
          UpdateExpression: 'SET later_on = :later',
          ExpressionAttributeValues: { ':later': ['x'] },
        },
      })
      await world.admin('license', 'set', license, '--plan', 'business')
      expect(await world.table.read.get(keys.license(license))).toMatchObject({
        plan: 'business',
        later_on: ['x'],
      })
    })

    it('takes origins as browsers send them, each once, in place of those there were', async () => {
      const license = await world.license()
      const set = (...origins: string[]) =>
        world.json('license', 'set', license, ...origins.flatMap((origin) => ['--origin', origin]))
      expect(
        await set(
          'https://WWW.Example.com',
          'https://www.example.com:443/',
          'http://shop.example.com:8080',
          'http://bücher.example:80',
          'https://[::1]:8443',
          'capacitor://localhost',
          'Ionic://LOCALHOST/',
        ),
      ).toMatchObject({
        origins: [
          'https://www.example.com',
          'http://shop.example.com:8080',
          'http://xn--bcher-kva.example',
          'https://[::1]:8443',
          'capacitor://localhost',
          'ionic://localhost',
        ],
      })
      expect(await set('https://other.example')).toMatchObject({ origins: ['https://other.example'] })
      expect((await world.admin('license', 'show', license)).out).toContain(
        '  origins        https://other.example\n',
      )
      expect(await world.json('license', 'set', license, '--any-origin')).toMatchObject({
        origins: [],
        version: 4,
      })
      expect(await world.table.read.get(keys.license(license))).toMatchObject({ origins: [] })
    })

    it.each([
      ...['example.com', 'https://example.com/chat', 'https://example.com/?a=1', 'https://example.com#a'],
      ...['https://me@example.com', 'https://*.example.com', '*', 'null', 'ftp://example.com', 'https://'],
      ...['https://example.com:99999', 'https://exa mple.com', 'https:/\\example.com'],
    ])('refuses the origin %s', async (origin) => {
      expect(await world.admin('license', 'set', 'acme', '--origin', 'https://a.example', origin)).toEqual({
        code: 2,
        out: '',
        err: 'error: --origin: An origin is http or https, a host and perhaps a port: https://www.example.com:8443.\n',
      })
    })

    it('sets how customers’ chats find agents and when they end', async () => {
      const license = await world.license()
      const minutes = ['--unseen-minutes', '1', '--idle-minutes', '30', '--archive-minutes', '1440']
      expect(await world.json('license', 'set', license, '--routing', 'manual', ...minutes)).toMatchObject({
        routing: 'manual',
        unseen_minutes: 1,
        idle_minutes: 30,
        archive_minutes: 1440,
        version: 2,
      })
      const { out } = await world.admin('license', 'show', license)
      expect(out).toContain('  routing        manual\n')
      expect(out).toContain('  unseen chats   go to another agent after 1 minute\n')
      expect(out).toContain('  silent chats   are idle after 30 minutes, archived after 1440 minutes\n')
    })

    it('turns the search by words of messages off and on, and says what that means for old ones', async () => {
      const license = await world.license('--expires', '2027-01-01')
      const set = (to: string) => world.admin('license', 'set', license, '--index-texts', to)
      const changed = `Changed license ${license}: plan team, expires 2027-01-01T00:00:00Z.\n`
      expect(await set('off')).toMatchObject({
        code: 0,
        out: `${changed}The words of new messages are not indexed, and archives not searched by words. Those of old messages stay in the table until: reindex ${license}.\n`,
      })
      expect((await world.admin('license', 'show', license)).out).toContain('  message texts  not searched\n')
      expect(await world.json('license', 'show', license)).toMatchObject({ index_texts: false, version: 2 })
      expect((await set('on')).out).toBe(
        `${changed}The words of new messages are indexed. For those of old ones: reindex ${license}.\n`,
      )
      expect(await world.json('license', 'set', license, '--plan', 'x')).toMatchObject({
        index_texts: true,
        version: 4,
      })
    })

    it('turns events on and off, which are off', async () => {
      const license = await world.license()
      const shown = async () => (await world.admin('license', 'show', license)).out
      expect(await shown()).toContain('  events         do not go out\n')
      expect(await world.json('license', 'set', license, '--events', 'on')).toMatchObject({ events: true })
      expect(await shown()).toContain('  events         go out to the event bus\n')
      expect(await world.json('license', 'set', license, '--events', 'off')).toMatchObject({ events: false })
      expect(await shown()).toContain('  events         do not go out\n')
    })

    it('archives no chat before it is idle, by what is given and what stands', async () => {
      const license = await world.license()
      const refused = (archive: string, idle: string) => ({
        code: 1,
        out: '',
        err: `error: Chats would be archived after ${archive} minutes and idle after ${idle} minutes. Set --archive-minutes to more than --idle-minutes.\n`,
      })
      const set = (...options: string[]) => world.admin('license', 'set', license, ...options)
      expect(await set('--idle-minutes', '30')).toEqual(refused('30', '30'))
      expect(await set('--archive-minutes', '9')).toEqual(refused('9', '10'))
      expect(await set('--archive-minutes', '20', '--idle-minutes', '21')).toEqual(refused('20', '21'))
      expect(await world.json('license', 'show', license)).toMatchObject({ ...untouched, version: 1 })
      expect((await set('--idle-minutes', '29')).code).toBe(0)
      expect((await set('--archive-minutes', '60', '--idle-minutes', '59')).code).toBe(0)
      world.beforeNext('UpdateItem', () => set('--archive-minutes', '100', '--idle-minutes', '99'))
      expect(await set('--archive-minutes', '61')).toEqual(refused('61', '99'))
    })

    it.each([
      [['--routing', 'random'], '--routing: Routing is automatic or manual.'],
      [['--idle-minutes', '0'], '--idle-minutes: Minutes are a whole number from 1 to 1440.'],
      [['--archive-minutes', '1441'], '--archive-minutes: Minutes are a whole number from 1 to 1440.'],
      [['--index-texts', 'yes'], '--index-texts: It is on or off.'],
      [['--unseen-minutes', '1.5'], '--unseen-minutes: Minutes are a whole number from 1 to 1440.'],
      [
        ['--any-origin', '--origin', 'https://a.example'],
        '--any-origin: Clears what --origin sets: leave one of the two out.',
      ],
      [
        ['--origin', ...Array.from({ length: 101 }, (_, n) => `https://${n}.example`)],
        '--origin: A license has at most 100 origins.',
      ],
    ])('refuses %s', async (options, sentence) => {
      expect(await world.admin('license', 'set', 'acme', ...options)).toEqual({
        code: 2,
        out: '',
        err: `error: ${sentence}\n`,
      })
    })

    it('loses no change to another one at the same time', async () => {
      const license = await world.license()
      world.beforeNext('UpdateItem', () => world.admin('license', 'set', license, '--plan', 'theirs'))
      expect((await world.admin('license', 'set', license, '--expires', '1800000000')).code).toBe(0)
      expect(await world.json('license', 'show', license)).toMatchObject({
        plan: 'theirs',
        expires_at: 18e8,
        version: 3,
      })
    })

    it('gives up, with nothing written, where others never cease', { tags: ['full'] }, async () => {
      const license = await world.license()
      world.proxy.setFault(({ operation }) =>
        operation === 'UpdateItem' ? { errorType: 'TransactionConflictException' } : undefined,
      )
      const { code, err } = await world.admin('license', 'set', license, '--plan', 'x')
      world.proxy.setFault(undefined)
      expect(code).toBe(1)
      expect(err).toBe('error: Others keep changing the same items. Try again in a moment.\n')
    })

    it('says what can be changed', async () => {
      expect(await world.admin('license', 'set', 'acme')).toEqual({
        code: 2,
        out: '',
        err: 'error: <license>: Say what to change: --plan, --expires, --origin, --any-origin, --routing, --unseen-minutes, --idle-minutes, --archive-minutes, --index-texts, --events.\n',
      })
    })

    it('makes no license', async () => {
      const { code, err } = await world.admin('license', 'set', 'nobody', '--plan', 'x')
      expect(code).toBe(1)
      expect(err).toMatch(/^error: There is no license nobody\./)
      expect(await world.itemsOf('nobody')).toEqual([])
      const listed = await world.table.read.query({ pk: licensesPk })
      expect(listed.map(({ id }) => id)).not.toContain('nobody')
    })
  })
})
