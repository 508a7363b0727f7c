import type { Recorder } from './app.ts'
import type { OpenFaults } from './faults.ts'
import type { History } from './history.ts'
import type { Cast } from './run.ts'
import type { Stand } from './stand.ts'

// beyond what any row of a socket lives
const longAfterMs = 3 * 3600 * 1000

/** The sockets that live and are logged in, by user. */
const livingOf = ({ sockets }: Recorder): Record<string, number[]> => {
  const living: Record<string, number[]> = {}
  for (const [index, { license, user, isLoggedIn, closedAt }] of sockets.entries())
    if (closedAt === undefined && isLoggedIn === true) (living[`${license} ${user}`] ??= []).push(index)
  return living
}

/**
 * Nothing goes wrong any more: everyone comes on again, what is dead is found out, and all that was put off
 * is done. Then the table is held against what the apps saw; then all leave, and their time runs out.
 */
export const endRun = async (
  stand: Stand,
  cast: Cast,
  recorder: Recorder,
  faults: OpenFaults,
): Promise<Pick<History, 'followers' | 'probes' | 'quiet' | 'watched' | 'over'>> => {
  const { stack, calm } = stand
  await calm()
  // whoever is dead is found out by a push, unless it came just now
  await stand.minuteLater()
  for (const { apps, tabs, listeners } of cast) {
    await Promise.all(listeners.map((one) => one.comeOn()))
    for (const actor of apps) await actor.comeOn()
    for (const tab of tabs) await tab.comeIn()
    const [owner] = apps
    await owner?.socket?.call('send_broadcast', { content: { said: 'is anybody there?' } })
  }
  await calm()
  for (const { tabs } of cast) for (const tab of tabs) await tab.comeIn()
  await touchEach(cast)
  const followers = cast.flatMap((one) => one.followers)
  await Promise.all(followers.map((follower) => follower.finish()))
  for (const follower of followers) await follower.speak()
  await calm()
  await stand.minuteLater()
  const watched = await changeStatuses(stand, cast, recorder)
  await calm()
  await Promise.all(followers.map((follower) => follower.finish()))
  await calm()

  const quiet = { items: await stand.scan(), living: livingOf(recorder), at: performance.now() }
  const records = followers.map(({ record }) => record)
  const probes = await probe(cast, quiet.living)
  await calm()

  faults.turn(true)
  // only their `$disconnect` goes wrong now, as nothing else happens
  for (const follower of followers) follower.close()
  for (const { apps, tabs, listeners } of cast)
    for (const { socket } of [...apps, ...tabs, ...listeners]) await socket?.close()
  faults.turn(false)
  await calm()
  const atMs = Date.now() + longAfterMs
  await stack.tick(atMs)
  await calm()
  // it takes those out of the list of active chats that the first one closed
  await stack.tick(atMs + 60_000)
  await stand.expire(atMs)
  await calm()
  await calm()
  return { followers: records, probes, quiet, watched, over: { items: await stand.scan(), atMs } }
}

/** Mends a customer and tags its thread once in each license: a short load may come to neither. */
const touchEach = async (cast: Cast): Promise<void> => {
  for (const { apps, tabs, scene } of cast) {
    const [[owner], [tab]] = [apps, tabs]
    const { id: customer_id, chat: chat_id, thread: thread_id } = tab?.person ?? {}
    const customer = { properties: { plan: scene.tag('p') } }
    await owner?.socket?.call('update_customer', { customer_id, customer })
    await owner?.socket?.call('tag_thread', { chat_id, thread_id, tag: scene.tag('hid-t') })
  }
}

/** Agents change their statuses, and one of each license leaves: what every socket is told last. */
const changeStatuses = async (
  { calm }: Stand,
  cast: Cast,
  recorder: Recorder,
): Promise<History['watched']> => {
  const from = recorder.frames.length
  for (const { apps } of cast) {
    for (const { socket } of apps)
      for (const routing_status of ['not_accepting_chats', 'accepting_chats'])
        await socket?.call('update_agent', { routing_status })
    for (const { user, socket } of apps) if (user.startsWith('noel')) await socket?.close()
  }
  await calm()
  const last = new Map<string, History['watched'][number]>()
  const living = new Set(Object.values(livingOf(recorder)).flat())
  for (const socket of living) if (recorder.sockets[socket]?.as !== 'agent') living.delete(socket)
  for (const { socket, text } of recorder.frames.slice(from)) {
    const frame = JSON.parse(text)
    if (frame.action !== 'agent_updated' || !living.has(socket)) continue
    const { agent_id: agent, routing_status: status } = frame.payload
    const { license = '' } = recorder.sockets[socket] ?? {}
    last.set(`${socket} ${agent}`, { socket, agent, license, status })
  }
  return [...last.values()]
}

/** An event in every chat, by somebody who is in it: everyone with access is to get it. */
const probe = async (cast: Cast, living: History['quiet']['living']): Promise<History['probes']> => {
  const probes: History['probes'][number][] = []
  for (const { license, scene, apps } of cast) {
    const asked = Object.entries(living).flatMap(([user, sockets]) =>
      user.startsWith(`${license.id} `) ? sockets : [],
    )
    for (const { id, active } of scene.chats.values()) {
      if (!active) continue
      for (const { socket } of apps) {
        const event = { type: 'message', text: `probe ${license.marker}`, recipients: 'all' }
        const reply = await socket?.call('send_event', { chat_id: id, event })
        if (reply?.kind !== 'success') continue
        probes.push({ chat: id, event: reply.payload.event.id, asked })
        break
      }
    }
  }
  for (const { apps, tabs, followers, listeners } of cast)
    for (const socket of [...apps, ...tabs, ...listeners]
      .map((one) => one.socket)
      .concat(followers.map(({ app }) => app)))
      await socket?.caughtUp()
  return probes
}
