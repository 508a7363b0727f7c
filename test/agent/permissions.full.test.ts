import { beforeAll, expect, test } from 'vitest'
import { sharedWorld, type World } from '../support/world.ts'
import { tryVariant, variantsOf } from './attempts.ts'
import { deniedFor, people, reaches, rows } from './matrix.ts'
import { type Scene, setScene } from './scene.ts'

let world: World
let scene: Scene
beforeAll(async () => {
  world = await sharedWorld()
  scene = await setScene(world)
})

test.each(rows.flatMap(variantsOf))('$name', (variant) => tryVariant(world, scene, variant))

test.each([
  ['a chat whose thread is closed', 'hidden', true],
  ['a chat without scopes', 'open', false],
] as const)('everyone else is refused in %s', async (_where, kind, closed) => {
  const chat = await scene.start(kind, { closed, guestsIn: true })
  await scene.forget()
  const place = await scene.place('host', chat)
  for (const row of rows.filter(({ on }) => on === 'chat'))
    for (const person of people.filter((one) => !row.may[kind].includes(one)))
      expect(
        await scene.clients[person].refused(row.action, row.payload(scene.placeAs(person, place))),
        `${row.name} by ${person}`,
      ).toEqual(deniedFor(row.action))
  await scene.silence()
})

test('lists of chats show whom a chat is shown to, and nobody else', async () => {
  const world = await sharedWorld({ index: true })
  const scene = await setScene(world)
  const hidden = await scene.start('hidden')
  const closed = await scene.start('hidden', { closed: true })
  const open = await scene.start('open')
  await world.settled()
  const shownOf = (chats: { id: string }[]) =>
    [hidden, closed, open].filter((chat) => chats.some(({ id }) => id === chat))
  for (const person of [...people, 'stranger'] as const) {
    const client = scene.clients[person]
    const license = person === 'stranger' ? scene.strangers : scene.license
    const all =
      person === 'stranger' ? [] : reaches.access.hidden.includes(person) ? [hidden, closed, open] : [open]
    const filtered = await client.ok('get_filtered_chats', { filters: { include_active: true } })
    expect(shownOf(filtered.chats_summary), person).toEqual(all)
    const { chats } = await client.ok('get_archives', { filters: { query: 'hello' } })
    expect(shownOf(chats.map(({ chat }: any) => chat)), person).toEqual(all)
    const { chats_summary } = await client.ok('login', { token: await license.token(person) })
    expect(shownOf(chats_summary), person).toEqual(all.filter((id) => id !== closed))
  }
})
