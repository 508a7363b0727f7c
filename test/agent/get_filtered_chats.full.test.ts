import { beforeAll, describe, expect, test } from 'vitest'
import type { PropertyValue } from '../../shared/protocol/properties.ts'
import { readChat } from '../../shared/table/chat/chats.ts'
import type { Client } from '../support/client.ts'
import { message } from '../support/events.ts'
import { mapAtOnce } from '../support/map-at-once.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ index: true })
})

const action = 'get_filtered_chats'
const start = async (client: Client, chat: object = {}): Promise<string> =>
  (await client.ok('start_chat', { chat })).chat.id
const idsOf = ({ chats_summary }: { chats_summary: { id: string }[] }) => chats_summary.map(({ id }) => id)
const startedAt = async (id: string) => (await readChat(world.table.read, id))!.started_at

describe('get_filtered_chats over many generated chats', () => {
  /** Numbers of 0 to `below`, the same in every run. */
  const seeded = (seed: number) => {
    let state = seed
    return (below: number): number => {
      // mulberry32
      state = (state + 0x6d2b79f5) | 0
      let t = Math.imul(state ^ (state >>> 15), 1 | state)
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
      return ((t ^ (t >>> 14)) >>> 0) % below
    }
  }
  const namespaces = ['a', 'b', 'constructor']
  const names = ['x', 'y', 'x.y']
  const values: PropertyValue[] = [0, 1, '1', '', true, false]

  interface Model {
    id: string
    properties: Map<string, PropertyValue>
    active: boolean
    visible: boolean
    at: number
  }

  test(
    'finds what a plain filter over all of them finds, for an owner and for a normal agent',
    { timeout: 120_000 },
    async () => {
      const random = seeded(20_260_613)
      const one = <T>(list: readonly T[]): T => list[random(list.length)]!
      const license = await world.license(
        { olga: { permission: 'owner' }, ben: { groups: [2] }, ann: {} },
        { groups: ['A', 'B'] },
      )
      const [olga, ben, ann] = [
        await license.login('olga'),
        await license.login('ben'),
        await license.login('ann'),
      ]
      const scopes: [object, boolean][] = [
        [{}, true],
        [{ groups: [1] }, false],
        [{ groups: [1, 2] }, true],
        [{ agents: ['ben'] }, true],
        [{ agents: ['ann'], groups: [1] }, false],
      ]
      const starting: (() => Promise<Model>)[] = []
      for (let i = 0; i < 60; i += 1) {
        const properties = new Map<string, PropertyValue>()
        const given: Record<string, Record<string, PropertyValue>> = {}
        for (let n = random(5); n > 0; n -= 1) {
          const [space, name, value] = [one(namespaces), one(names), one(values)]
          properties.set(`${space}.${name}`, value)
          ;(Object.hasOwn(given, space) ? given[space]! : (given[space] = {}))[name] = value
        }
        const [scope, isVisible] = one(scopes)
        const [closes, writesAgain, joins] = [random(2) === 0, random(3) === 0, random(3) === 0]
        starting.push(async () => {
          const id = await start(ann, { scopes: scope, properties: given })
          if (closes) await ann.ok('close_thread', { chat_id: id })
          if (closes && writesAgain) await ann.ok('send_event', { chat_id: id, event: message('again') })
          const isJoined = !isVisible && joins
          if (isJoined) await ann.ok('join_chat', { chat_id: id, agent_ids: ['ben'] })
          const active = !closes || writesAgain
          return { id, properties, active, visible: isVisible || isJoined, at: await startedAt(id) }
        })
      }
      const model = await mapAtOnce(starting, (begin) => begin())
      model.sort((a, b) => b.at - a.at || (a.id < b.id ? -1 : 1))

      const kinds = ['exists', 'values', 'exclude_values'] as const
      const sizes = new Set<number>()
      for (let i = 0; i < 60; i += 1) {
        const asked = new Map<string, { kind: (typeof kinds)[number]; value: boolean | PropertyValue[] }>()
        const properties: Record<string, any> = {}
        for (let n = random(4); n > 0; n -= 1) {
          const [space, name, kind] = [one(namespaces), one(names), one(kinds)]
          if (asked.has(`${space}.${name}`)) continue
          const value =
            kind === 'exists' ? random(2) === 0 : Array.from({ length: 1 + random(4) }, () => one(values))
          asked.set(`${space}.${name}`, { kind, value })
          if (random(2) === 0) properties[`${space}.${name}`] = { [kind]: value }
          else {
            if (!Object.hasOwn(properties, space)) properties[space] = {}
            properties[space][name] = { [kind]: value }
          }
        }
        const include_active = one([undefined, true, false, 'false'])
        const fits = (chat: Model) =>
          [...asked].every(([name, { kind, value }]) => {
            const has = chat.properties.get(name)
            if (typeof value === 'boolean') return (has !== undefined) === value
            const isListed = value.some((listed) => listed === has)
            return kind === 'values' ? isListed : !isListed
          }) &&
          (!chat.active || include_active === undefined || include_active === true)
        const limit = 1 + random(30)
        const page = 1 + random(3)
        const sides = [
          [olga, model],
          [ben, model.filter(({ visible }) => visible)],
        ] as const
        await Promise.all(
          sides.map(async ([client, seen]) => {
            const expected = seen.filter(fits).map(({ id }) => id)
            sizes.add(expected.length)
            const filters = { properties, include_active }
            const [all, paged] = await Promise.all([
              client.ok(action, { filters }),
              client.ok(action, { filters, pagination: { page, limit } }),
            ])
            expect([filters, idsOf(all)]).toEqual([filters, expected])
            expect(all.pagination).toEqual({ page: 1, total: expected.length })
            expect(idsOf(paged)).toEqual(expected.slice((page - 1) * limit, page * limit))
            expect(paged.pagination).toEqual({ page, total: expected.length })
          }),
        )
      }
      // the filters did tell chats apart
      expect(sizes.size).toBeGreaterThan(15)
    },
  )
})
