import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { putChatListing, putNewChat, type Chat } from '../../shared/table/chat/chats.ts'
import type { CustomerItem } from '../../shared/table/customers.ts'
import { keys } from '../../shared/table/keys.ts'
import { customerChatId } from '../../shared/table/ids.ts'
import { startEngines } from '../support/engines.ts'
import { type AdminWorld, now, openAdminWorld } from './admin-world.ts'

const engines = await startEngines()
afterAll(() => Promise.all(engines.map((engine) => engine.stop())))

const nowS = now / 1000

describe.each(engines)('admin customer on $label', ({ endpoint }) => {
  let world: AdminWorld
  beforeAll(async () => {
    world = await openAdminWorld(endpoint)
  })
  afterAll(() => world.close())

  const customer = (...argv: string[]) => world.admin('customer', ...argv)

  /** A customer of the license, as `send_event` and the like leave it. */
  const known = async (license: string, id: string, fields: Partial<CustomerItem> = {}) => {
    const Item = { ...keys.customer(license, id), id, license_id: license, ...fields }
    await world.table.write.write({ Put: { Item } })
  }
  /** A chat of the license with these users, each as `customer`, `agent` or `supervisor`. */
  const chatted = async (license: string, id: string, users: Chat['users']) => {
    const chat: Chat = {
      id,
      license_id: license,
      users,
      scopes: { groups: [], agents: [] },
      version: 1,
      thread: 1,
      active: false,
      changed_at: now,
      started_at: now,
    }
    expect(await world.table.write.transact([putNewChat(chat), putChatListing(chat)])).toEqual([])
  }
  const withChat = async (license: string, id: string, fields: Partial<CustomerItem> = {}) => {
    await known(license, id, fields)
    await chatted(license, customerChatId(license, id), [
      { id: 'nora', type: 'agent', present: true, met: true },
      { id, type: 'customer', present: true, met: true },
    ])
  }
  const banned = (id: string, untilS: number): Partial<CustomerItem> => ({
    name: id,
    ban: { days: 3, until: untilS, by: 'nora' },
  })

  describe('list', () => {
    it('lists whoever is or was in a chat, by id, and nobody of another license', async () => {
      const [license, other] = [await world.license(), await world.license()]
      await withChat(license, 'c3', { name: 'Cleo', email: 'cleo@example.com', online: true })
      await withChat(license, 'c1', banned('Ben', nowS + 60))
      await withChat(license, 'c2')
      await withChat(other, 'c4')
      // removed from a chat that others started
      await known(license, 'c5', { name: 'Eve' })
      await chatted(license, `o${license}`, [{ id: 'c5', type: 'customer', present: false, met: true }])
      expect((await customer('list', license)).out).toBe(
        [
          'CUSTOMER  NAME  EMAIL             STATE    BANNED UNTIL',
          'c1        Ben                     offline  2026-11-22T12:01:00Z',
          'c2                                offline',
          'c3        Cleo  cleo@example.com  online',
          'c5        Eve                     offline',
          '',
        ].join('\n'),
      )
    })

    it('--banned leaves those whose ban is not over', async () => {
      const license = await world.license()
      await withChat(license, 'over', banned('over', nowS))
      await withChat(license, 'never', { name: 'never' })
      const none = await customer('list', license, '--banned')
      expect(none.out).toBe(`License ${license} has no banned customers.\n`)
      await withChat(license, 'still', banned('still', nowS + 1))
      expect(await world.json('customer', 'list', license, '--banned')).toEqual([
        {
          id: 'still',
          license_id: license,
          name: 'still',
          properties: {},
          online: false,
          visits: 0,
          threads: 0,
          banned: true,
          ban: { days: 3, until: nowS + 1, by: 'nora' },
        },
      ])
    })

    it('loses none of very many', { tags: ['full'] }, async () => {
      const license = await world.license()
      const ids = Array.from({ length: 520 }, (_, n) => `c${String(n).padStart(4, '0')}`)
      // each in a chat of its own, but for one with two
      await Promise.all(ids.slice(1).map((id) => withChat(license, id)))
      await known(license, 'c0000')
      await chatted(license, `two${license}`, [
        { id: 'c0000', type: 'customer', present: true, met: true },
        { id: 'c0001', type: 'customer', present: true, met: true },
      ])
      const listed: { id: string }[] = await world.json('customer', 'list', license)
      expect(listed.map(({ id }) => id)).toEqual(ids)
    })

    it('tells no customers from no license', async () => {
      const license = await world.license()
      expect((await customer('list', license)).out).toBe(`License ${license} has no customers.\n`)
      expect(await customer('list', 'nobody')).toEqual({
        code: 1,
        out: '',
        err: 'error: There is no license nobody. See license list, or make it with license create.\n',
      })
    })

    it('lets no name pass for another line', async () => {
      const license = await world.license()
      await withChat(license, 'c1', { name: 'x\nc2  Ben\u{1b}[2K' })
      const { out } = await customer('list', license)
      expect(out.trimEnd().split('\n')).toHaveLength(2)
      expect(out).toContain('x\u{fffd}c2  Ben\u{fffd}[2K')
    })
  })

  describe('show', () => {
    it('shows who it is, whether it is there or banned, and what it said of itself', async () => {
      const license = await world.license()
      await withChat(license, 'c1', {
        ...banned('Ben', nowS + 3 * 86_400),
        email: 'ben@example.com',
        properties: { plan: 'gold', shoe: '42' },
        online: true,
        threads: 2,
        visits: 3,
        visit: { started_timestamp: nowS - 60, pages: [], ip: '10.0.0.1' },
      })
      expect((await customer('show', license, 'c1')).out).toBe(
        [
          `Customer c1 of license ${license}`,
          '  name           Ben',
          '  email          ben@example.com',
          '  state          online',
          '  banned         until 2026-11-25T12:00:00Z, by nora',
          '  threads        2',
          '  visits         3',
          '  last visit     2026-11-22T11:59:00Z',
          '  property plan  gold',
          '  property shoe  42',
          '',
        ].join('\n'),
      )
    })

    it('shows one that never chatted too, and a ban that is over as none', async () => {
      const license = await world.license()
      await known(license, 'c#1', { ban: { days: 1, until: nowS, by: 'nora' } })
      expect((await customer('show', license, 'c#1')).out).toContain('  banned   no\n')
      expect(await world.json('customer', 'show', license, 'c#1')).toMatchObject({ id: 'c#1', banned: false })
    })

    it('says where to look where there is none', async () => {
      expect(await customer('show', 'acme', 'c1')).toEqual({
        code: 1,
        out: '',
        err: 'error: License acme has no customer c1. See customer list acme.\n',
      })
    })
  })
})
