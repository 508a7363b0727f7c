import { beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../shared/protocol/limits.ts'
import { keys } from '../../shared/table/keys.ts'
import { startCustomerChat } from '../support/customers.ts'
import { message } from '../support/events.ts'
import { mapAtOnce } from '../support/map-at-once.ts'
import { type License, sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})

/** What a login answers, and how large the frame was. */
const loggedIn = async (license: License, agent = 'ann') => {
  const client = await world.open()
  const answer = await client.ok('login', { token: await license.token(agent) })
  return { answer, bytes: Buffer.byteLength(client.answers.at(-1) ?? '') }
}
const numbered = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(4, '0')}`)
const writeAgents = (license: License, ids: string[], draft: object = {}) =>
  world.table.write.batch(
    ids.map((id) => ({
      Put: {
        Item: {
          ...{ ...keys.agent(license.id, id), id, license_id: license.id, name: `Name of ${id}` },
          ...{ permission: 'normal', groups: [], version: 1, ...draft },
        },
      },
    })),
  )
const writeGroups = (license: License, count: number) =>
  world.table.write.batch(
    Array.from({ length: count }, (_, id) => ({
      Put: { Item: { ...keys.group(license.id, id + 1), id: id + 1, name: `Group ${id}` } },
    })),
  )
const startChats = async (license: License, count: number, texts?: string[]) => {
  await mapAtOnce(numbered('cus-', count), (id) =>
    startCustomerChat(world, license.id, id, texts === undefined ? {} : { texts }),
  )
}

test('a login shows the newest hundred chats', async () => {
  const license = await world.license({ ann: {} })
  const started: string[] = []
  for (const id of numbered('cus-', 102)) {
    started.push(await startCustomerChat(world, license.id, id))
    // later by a millisecond at least
    for (const at = Date.now(); at === Date.now();) await new Promise(setImmediate)
  }
  const { answer } = await loggedIn(license)
  const ids = answer.chats_summary.map(({ id }: { id: string }) => id)
  expect(ids).toEqual(started.toReversed().slice(0, 100))
})

describe('the directory of a login', () => {
  test('keeps below 120 KiB with 500 agents of long names and avatars, and big chats', async () => {
    const draft = { name: 'Ä'.repeat(100), avatar: `https://example.com/${'a'.repeat(1900)}` }
    const license = await world.license({ 'agent-0000': draft, 'agent-0001': draft })
    await writeAgents(license, numbered('agent-', 500).slice(2), draft)
    const ann = await license.login('agent-0000')
    const initial_events = [message('x'.repeat(16_000))]
    await mapAtOnce(Array.from({ length: 6 }), () => ann.ok('start_chat', { initial_events }))

    const { answer, bytes } = await loggedIn(license, 'agent-0001')
    expect(bytes).toBeLessThanOrEqual(limits.frameBytes)
    expect(answer.my_profile.avatar).toBe(draft.avatar)
    expect(answer.agents.length).toBeGreaterThan(100)
    expect(answer.agents[0]).toMatchObject({ id: 'agent-0000', name: draft.name })
    expect(answer.chats_summary).toHaveLength(6)
    expect(answer.chats_summary[0].users).toMatchObject([{ id: 'agent-0000', avatar: draft.avatar }])
  })

  test('has all of 500 agents and 500 groups, beside 100 chats, below 120 KiB', async () => {
    const license = await world.license({ ann: {} })
    await writeAgents(license, numbered('agent-', 499))
    await writeGroups(license, 500)
    await startChats(license, 100, ['x'.repeat(2000)])

    const { answer, bytes } = await loggedIn(license)
    expect(bytes).toBeLessThanOrEqual(limits.frameBytes)
    expect([answer.agents.length, answer.groups.length, answer.chats_summary.length]).toEqual([500, 500, 100])
    expect(answer.chats_summary[0]).not.toHaveProperty('has_more')
  })

  test('leaves 100 bare chats their room, however large it is', async () => {
    const avatar = `https://e.com/${'a'.repeat(2000)}`
    const license = await world.license({ ann: { name: 'Ä'.repeat(128), avatar } })
    await writeAgents(license, numbered('agent-', 499), { avatar })
    await writeGroups(license, 500)
    await startChats(license, 100)
    const { answer, bytes } = await loggedIn(license)
    expect(bytes).toBeLessThanOrEqual(limits.frameBytes)
    expect([answer.agents.length, answer.groups.length, answer.chats_summary.length]).toEqual([500, 500, 100])
    expect(answer.agents[0].avatar).toBeDefined()
  })

  test('has 500 agents that are not deleted, however many are', async () => {
    const license = await world.license({ ann: {} })
    await writeAgents(license, numbered('before-', 1100), { deleted: true })
    await writeAgents(license, numbered('colleague-', 510))
    const { answer } = await loggedIn(license)
    const ids = answer.agents.map(({ id }: { id: string }) => id)
    expect(ids).toEqual(['ann', ...numbered('colleague-', 499)])
  })
})
