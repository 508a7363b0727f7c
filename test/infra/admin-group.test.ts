import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keys } from '../../shared/table/keys.ts'
import { startEngines } from '../support/engines.ts'
import { type AdminWorld, openAdminWorld } from './admin-world.ts'

const engines = await startEngines()
afterAll(() => Promise.all(engines.map((engine) => engine.stop())))

describe.each(engines)('admin group on $label', ({ endpoint }) => {
  let world: AdminWorld
  beforeAll(async () => {
    world = await openAdminWorld(endpoint)
  })
  afterAll(() => world.close())

  const group = (command: string, ...argv: string[]) => world.admin('group', command, ...argv)
  const withAgents = async (...agents: string[]) => {
    const license = await world.license()
    await group('create', license, '--name', 'Sales')
    for (const id of agents)
      await world.json('agent', 'create', license, '--name', id, '--id', id, '--group', '1')
    return license
  }
  const groupsOf = async (license: string, agent: string) =>
    (await world.json('agent', 'show', license, agent)).groups

  describe('create', () => {
    it('counts from 1', async () => {
      const license = await world.license()
      expect(await group('create', license, '--name', 'Sales')).toEqual({
        code: 0,
        out: `Created group 1 of license ${license}: Sales.\n`,
        err: '',
      })
      expect(await world.json('group', 'create', license, '--name', 'Support')).toEqual({
        id: 2,
        name: 'Support',
      })
      expect(await world.table.read.get(keys.group(license, 2))).toEqual({
        ...keys.group(license, 2),
        id: 2,
        name: 'Support',
        version: 1,
      })
    })

    it('goes on after the highest id', async () => {
      const license = await world.license()
      await group('create', license, '--name', 'Zero', '--id', '0')
      await group('create', license, '--name', 'Ninth', '--id', '9')
      expect(await world.json('group', 'create', license, '--name', 'Next')).toMatchObject({ id: 10 })
    })

    it('refuses an id in use', async () => {
      const license = await withAgents()
      expect(await group('create', license, '--name', 'Other', '--id', '1')).toEqual({
        code: 1,
        out: '',
        err: `error: Group 1 of license ${license} exists: Sales. Choose another --id.\n`,
      })
    })

    it('gives the id of a deleted group never again', async () => {
      const license = await withAgents()
      await group('delete', license, '1')
      expect(await group('create', license, '--name', 'Again', '--id', '1')).toMatchObject({
        code: 1,
        err: `error: Group 1 of license ${license} was deleted, and chats may still name it. Choose another --id.\n`,
      })
      expect(await world.json('group', 'create', license, '--name', 'Next')).toMatchObject({ id: 2 })
    })

    it('of many at once, gives each an id of its own', async () => {
      const license = await world.license()
      const names = ['a', 'b', 'c', 'd', 'e']
      const made = await Promise.all(
        names.map((name) => world.json('group', 'create', license, '--name', name)),
      )
      expect(made.map(({ id }) => id).toSorted()).toEqual([1, 2, 3, 4, 5])
    })

    it('refuses a license that is not there, and writes nothing', async () => {
      for (const id of [[], ['--id', '4']]) {
        const { code, err } = await group('create', 'nobody', '--name', 'Sales', ...id)
        expect(code).toBe(1)
        expect(err).toMatch(/^error: There is no license nobody\./)
      }
      expect(await world.itemsOf('nobody')).toEqual([])
    })

    it.each(['1.5', 'x', '1'.repeat(16), ''])('refuses the id "%s"', async (id) => {
      expect(await group('create', 'acme', '--name', 'Sales', '--id', id)).toMatchObject({
        code: 2,
        err: 'error: --id: A group id is a whole number of up to 15 digits.\n',
      })
    })

    it('needs a name', async () => {
      expect(await group('create', 'acme')).toMatchObject({
        code: 2,
        err: "error: required option '--name <name>' not specified\n(--help shows what there is)\n",
      })
      expect((await group('create', 'acme', '--name', '')).err).toBe('error: --name: Must not be empty.\n')
    })
  })

  describe('list', () => {
    it('lists them by number, with their agents', async () => {
      const license = await withAgents('ana', 'ben')
      await group('create', license, '--name', 'Tenth', '--id', '10')
      await group('create', license, '--name', 'Second', '--id', '2')
      expect((await group('list', license)).out).toBe(
        ['GROUP  NAME    AGENTS', '1      Sales   ana, ben', '2      Second', '10     Tenth', ''].join('\n'),
      )
      expect(await world.json('group', 'list', license)).toEqual([
        { id: 1, name: 'Sales', agents: ['ana', 'ben'] },
        { id: 2, name: 'Second', agents: [] },
        { id: 10, name: 'Tenth', agents: [] },
      ])
    })

    it('lets no name steer the terminal', async () => {
      const license = await world.license()
      await group('create', license, '--name', '\u001b[2Jx')
      expect((await group('list', license)).out).toContain('1      \u{fffd}[2Jx')
    })

    it('tells no groups from no license', async () => {
      const license = await world.license()
      expect((await group('list', license)).out).toBe(`License ${license} has no groups.\n`)
      expect(await group('list', 'nobody')).toMatchObject({ code: 1, out: '' })
    })
  })

  describe('set', () => {
    it('renames', async () => {
      const license = await withAgents()
      expect((await group('set', license, '1', '--name', 'Second level')).out).toBe(
        `Renamed group 1 of license ${license}: Second level.\n`,
      )
      expect(await world.json('group', 'list', license)).toMatchObject([{ id: 1, name: 'Second level' }])
    })

    it('makes no group', async () => {
      const license = await world.license()
      expect(await group('set', license, '3', '--name', 'x')).toMatchObject({
        code: 1,
        err: `error: License ${license} has no group 3. See group list ${license}, or make it with group create.\n`,
      })
      expect(await world.json('group', 'list', license)).toEqual([])
    })

    it('is tried again where the group changed in between', async () => {
      const license = await withAgents()
      world.beforeNext('UpdateItem', () => group('set', license, '1', '--name', 'theirs'))
      expect((await group('set', license, '1', '--name', 'ours')).code).toBe(0)
      expect(await world.table.read.get(keys.group(license, 1))).toMatchObject({ name: 'ours', version: 3 })
    })
  })

  describe('delete', () => {
    it('deletes an empty one', async () => {
      const license = await withAgents()
      expect((await group('delete', license, '1')).out).toBe(
        `Deleted group 1 of license ${license}: Sales. No active chat names it.\n`,
      )
      expect(await world.json('group', 'list', license)).toEqual([])
      expect(await group('delete', license, '1')).toMatchObject({ code: 1 })
    })

    it('refuses one with agents, naming them', async () => {
      const license = await withAgents('ana', 'ben')
      expect(await group('delete', license, '1')).toEqual({
        code: 1,
        out: '',
        err:
          `error: Group 1 of license ${license} is not empty: ana, ben. ` +
          'Move them with agent set, or take them out of it with --force.\n',
      })
      expect(await world.json('group', 'list', license)).toMatchObject([{ agents: ['ana', 'ben'] }])
    })

    it('is not held up by agents that are deleted', async () => {
      const license = await withAgents('ana')
      await world.admin('agent', 'delete', license, 'ana')
      expect((await group('delete', license, '1')).code).toBe(0)
    })

    it('with --force takes its agents out of it', async () => {
      const license = await withAgents('ana', 'ben')
      await group('create', license, '--name', 'Support')
      await world.json('agent', 'set', license, 'ana', '--group', '1', '2')
      expect((await group('delete', license, '1', '--force')).out).toBe(
        `Deleted group 1 of license ${license}: Sales. ana, ben left it. No active chat names it.\n`,
      )
      expect(await groupsOf(license, 'ana')).toEqual([2])
      expect(await groupsOf(license, 'ben')).toEqual([])
    })

    it('with --into names the group that takes its place, which must be another', async () => {
      const license = await withAgents()
      await group('create', license, '--name', 'Support')
      expect(await group('delete', license, '1', '--into', '7')).toEqual({
        code: 1,
        out: '',
        err: `error: License ${license} has no group 7. See group list ${license}, or make it with group create.\n`,
      })
      expect((await group('delete', license, '1', '--into', '1')).err).toBe(
        'error: Group 1 cannot take its own place. Choose another --into.\n',
      )
      const chat = { id: 'c', users: [], thread: 1, started_at: 1 }
      for (const [id, groups] of [
        ['c', [1]],
        ['d', [2]],
      ] as const)
        await world.table.write.write({
          Put: {
            Item: { ...keys.activeChat(license, id), ...chat, id, scopes: { groups, agents: [] } },
          },
        })
      expect((await group('delete', license, '1', '--into', '2')).out).toBe(
        `Deleted group 1 of license ${license}: Sales. 1 active chat names it: they go to group 2.\n`,
      )
      expect(await world.table.read.get(keys.license(license))).toMatchObject({
        ...{ deleted_groups: [1], successors: { 1: 2 } },
      })
    })

    it('with --force takes out more agents than a transaction holds', async () => {
      const license = await withAgents()
      const ids = Array.from({ length: 105 }, (_, n) => `agent-${String(n).padStart(3, '0')}`)
      for (const id of ids) {
        const item = { id, license_id: license, name: id, permission: 'normal', groups: [1], version: 1 }
        await world.table.write.write({ Put: { Item: { ...keys.agent(license, id), ...item } } })
      }
      const { out } = await group('delete', license, '1', '--force')
      expect(out).toMatch(/agent-000, .*, agent-019 and 85 more left it\. No active chat names it\.\n$/)
      const agents: { groups: number[]; version: number }[] = await world.json('agent', 'list', license)
      expect(agents).toHaveLength(105)
      expect(agents.every(({ groups, version }) => groups.length === 0 && version === 2)).toBe(true)
    })

    it.each([
      ['stays where an agent joins it just then', [], ['ana']],
      ['takes out an agent that joins it just then', ['--force'], []],
    ])('%s', async (_, force, left) => {
      const license = await withAgents()
      await world.admin('agent', 'create', license, '--name', 'Ana', '--id', 'ana')
      world.beforeNext('TransactWriteItems', () => world.json('agent', 'set', license, 'ana', '--group', '1'))
      const { code } = await group('delete', license, '1', ...force)
      expect(code).toBe(left.length > 0 ? 1 : 0)
      expect(await groupsOf(license, 'ana')).toEqual(left.length > 0 ? [1] : [])
      expect(await world.json('group', 'list', license)).toEqual(
        left.length > 0 ? [{ id: 1, name: 'Sales', agents: left }] : [],
      )
    })
  })
})
