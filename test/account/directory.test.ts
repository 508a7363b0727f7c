import { describe, expect, test } from 'vitest'
import { showDirectory } from '../../shared/account/directory.ts'
import { jsonBytes } from '../../shared/protocol/budget.ts'
import { AgentItem } from '../../shared/table/accounts.ts'

const agent = (id: string, draft: object = {}) =>
  AgentItem.parse({
    ...{ id, license_id: 'l', name: `Name of ${id}`, permission: 'normal', groups: [], version: 1, ...draft },
  })
const several = (count: number, draft: object = {}) =>
  Array.from({ length: count }, (_, i) => agent(`agent-${String(i).padStart(3, '0')}`, draft))
const groupsOf = (count: number, name: string) => Array.from({ length: count }, (_, id) => ({ id, name }))
const avatar = `https://example.com/${'a'.repeat(200)}`

describe('showDirectory', () => {
  test('leaves out the last avatars where there is no room for all, and no names for them', () => {
    const agents = several(100, { avatar })
    const all = showDirectory({ agents, groups: [] }, 100_000)
    expect(all.agents.every((one) => one.avatar === avatar)).toBe(true)
    const most = jsonBytes(all.agents) + 2
    expect(showDirectory({ agents, groups: [] }, most).agents).toEqual(all.agents)

    const { agents: shown } = showDirectory({ agents, groups: [] }, most - 1)
    expect(shown.map((one) => one.avatar)).toEqual(
      Array.from({ length: 100 }, (_, i) => (i < 99 ? avatar : undefined)),
    )
    const half = showDirectory({ agents, groups: [] }, most - 50 * jsonBytes({ avatar }))
    expect(half.agents).toHaveLength(100)
    const withOne = half.agents.findIndex((one) => one.avatar === undefined)
    expect(withOne).toBeGreaterThan(40)
    expect(half.agents.slice(withOne).every((one) => one.avatar === undefined)).toBe(true)
  })

  test('keeps to any room, agents and groups together', () => {
    const agents = several(60, { avatar, name: 'Ä'.repeat(30) })
    for (const groups of [[], groupsOf(60, 'é'.repeat(40))])
      for (let room = 10; room < 40_000; room += 331) {
        const shown = showDirectory({ agents, groups }, room)
        expect(jsonBytes(shown.agents) + jsonBytes(shown.groups)).toBeLessThanOrEqual(room)
      }
  })

  test('gives groups a third of the room at least, and what the names of agents leave', () => {
    const groups = groupsOf(500, 'g'.repeat(256))
    const few = showDirectory({ agents: several(10, { avatar }), groups }, 90_000)
    expect(few.agents).toHaveLength(10)
    expect(jsonBytes(few.groups)).toBeGreaterThan(85_000)
    const many = showDirectory({ agents: several(500, { name: 'n'.repeat(256) }), groups }, 90_000)
    expect(jsonBytes(many.groups)).toBeGreaterThan(29_000)
    expect(jsonBytes(many.agents)).toBeGreaterThan(59_000)
  })

  test('shows 500 agents that are not deleted', () => {
    const agents = several(503).map((one, i) => (i < 2 ? { ...one, deleted: true } : one))
    const { agents: shown } = showDirectory({ agents, groups: [] }, 100_000)
    expect(shown.map(({ id }) => id)).toEqual(agents.slice(2, 502).map(({ id }) => id))
  })
})
