import { expect } from 'vitest'
import { chatInactive } from '../support/wire-errors.ts'
import type { World } from '../support/world.ts'
import { type Kind, people, type Person, type Row } from './matrix.ts'
import type { Scene } from './scene.ts'

// Rows of `matrix.ts` tried by those who may: by all of them in an active chat with scopes, elsewhere by
// those for whom it differs.

export interface Variant {
  name: string
  row: Row
  kind: Kind
  closed: boolean
  by: readonly Person[]
}

const variant = (row: Row, kind: Kind, closed: boolean, by: readonly Person[]): Variant => {
  const allowed = by.filter((person) => row.may[kind].includes(person))
  const where =
    row.on === 'license'
      ? 'in the license'
      : `in a chat ${kind === 'open' ? 'without scopes' : closed ? 'whose thread is closed' : 'with scopes'}`
  return { name: `${row.name}, ${where}: ${whoMay(row, kind, by)}`, row, kind, closed, by: allowed }
}
export const whoMay = (row: Row, kind: Kind, by: readonly Person[] = people): string => {
  const allowed = by.filter((person) => row.may[kind].includes(person))
  return allowed.length === 0 ? 'nobody' : allowed.length === by.length ? 'everyone' : allowed.join(', ')
}
export const variantsOf = (row: Row): Variant[] =>
  row.on === 'license'
    ? [variant(row, 'hidden', false, people)]
    : [
        variant(row, 'hidden', false, people),
        variant(row, 'hidden', true, ['administrator', 'member', 'supervisor']),
        variant(row, 'open', false, ['member', 'outsider', 'former']),
      ]

/** All that is stored of a chat; what the index keeps there follows by itself, and is waited for. */
export const storedOfChat = async (world: World, scene: Scene, chat: string): Promise<unknown> => {
  await world.settled()
  return scene.storedOfChat(chat)
}

/**
 * Fails unless each of them may do it, and it tells and changes what it should: nothing where it is so
 * already.
 */
export const tryVariant = async (
  world: World,
  scene: Scene,
  { row, kind, closed, by }: Variant,
): Promise<void> => {
  const { clients, heard, silence } = scene
  const chat = await scene.start(kind, { closed, guestsIn: row.guestsIn === true })
  const mine = row.on === 'chat' ? () => storedOfChat(world, scene, chat) : scene.storedOfLicense
  const effects = closed ? (row.effects.closed ?? row.effects.active) : row.effects.active
  let stored = await mine()
  for (const person of by) {
    if (row.on === 'chat' && (await scene.restore(chat, { closed }))) stored = await mine()
    await scene.forget()
    const payload = row.payload(await scene.place(person, chat))
    const changes = effects !== 'chat_inactive' && row.unchanged?.includes(person) !== true
    if (effects === 'chat_inactive')
      expect(await clients[person].refused(row.action, payload), person).toEqual(chatInactive)
    else await clients[person].ok(row.action, payload)

    expect(await heard(clients.host), person).toEqual(changes ? effects : [])
    expect(await heard(clients.stranger)).toEqual([])
    if (!changes) await silence()
    const then = await mine()
    if (changes && row.writes) expect(then, person).not.toEqual(stored)
    else expect(then, person).toEqual(stored)
    stored = then
  }
}

/**
 * Fails unless the first of those who may do it in an active chat with scopes tells and changes what it
 * should, and the others may do it too: where they can, by the same request, which then changes nothing more
 * and tells nobody.
 */
export const tryTogether = async (world: World, scene: Scene, row: Row): Promise<void> => {
  const { clients, heard, silence } = scene
  const [first, ...others] = people.filter((person) => row.may.hidden.includes(person))
  if (first === undefined) return
  const chat = await scene.start('hidden', { guestsIn: row.guestsIn === true })
  const mine = row.on === 'chat' ? () => storedOfChat(world, scene, chat) : scene.storedOfLicense
  const place = await scene.place(first, chat)
  const before = await mine()
  await scene.forget()
  await clients[first].ok(row.action, row.payload(place))
  const changes = row.unchanged?.includes(first) !== true
  expect(await heard(clients.host)).toEqual(changes ? row.effects.active : [])
  const after = await mine()
  if (changes && row.writes) expect(after).not.toEqual(before)
  else expect(after).toEqual(before)

  const isSame = row.again !== undefined
  if (isSame) await scene.forget()
  // a status of one's own: the one that the others have
  const { me: given } = place.otherStatus
  const otherStatus = {
    ...{ host: place.otherStatus.host },
    me: given === 'accepting_chats' ? ('not_accepting_chats' as const) : ('accepting_chats' as const),
  }
  for (const person of others) {
    const payload = row.payload(isSame ? { ...place, otherStatus } : scene.placeAs(person, place))
    if (row.again === 'chat_inactive')
      expect(await clients[person].refused(row.action, payload), person).toEqual(chatInactive)
    else await clients[person].ok(row.action, payload)
  }
  if (isSame) {
    await silence()
    expect(await mine()).toEqual(after)
  }
  expect(await heard(clients.stranger)).toEqual([])
}
