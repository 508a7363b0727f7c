import { once } from 'node:events'
import { WebSocket } from 'ws'
import { placesOf } from '../../shared/access/audience-lists.ts'
import { type Key, keys } from '../../shared/table/keys.ts'
import type { Op } from '../../shared/table/ops.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'
import { maxAgeS as socketLifeS, rowKeys, type Session, type SocketRow } from '../../shared/table/sockets.ts'
import { mapAtOnce } from './map-at-once.ts'
import type { License, World } from './world.ts'

/** A bare connection and the frames that it was sent. */
export interface Listener {
  socket: WebSocket
  frames: string[]
}

const dayS = 24 * 3600
const agoS = 60
const atOnce = 100

/**
 * Many connections of one agent, and their ids in no order. Their sessions are written as logins write them,
 * without these: a thousand logins take longer than all that is tested with them. They came a minute ago.
 */
export const crowd = async (
  world: Pick<World, 'gateway' | 'agentUrl' | 'table'>,
  license: Pick<License, 'id'>,
  agent: string,
  count: number,
): Promise<{ listeners: Listener[]; connections: string[] }> => {
  const before = new Set(world.gateway.connections())
  const listeners: Listener[] = []
  while (listeners.length < count) {
    const part = Math.min(atOnce, count - listeners.length)
    listeners.push(...(await Promise.all(Array.from({ length: part }, () => listen(world)))))
  }
  const connections = world.gateway.connections().filter((id) => !before.has(id))
  const nowS = Math.floor(Date.now() / 1000)
  const own: Session = {
    ...{ license_id: license.id, agent_id: agent, name: agent, permission: 'normal', groups: [] },
    token_expires_at: nowS + dayS,
    license_expires_at: nowS + dayS,
  }
  const session = { ...own, places: placesOf(own) }
  const items = connections.flatMap((connection) => {
    const socket = { connection, connected_at: (nowS - agoS) * 1000, ttl: nowS + socketLifeS - agoS }
    const { name: _, ...row } = session
    return [
      { ...keys.socket(connection), ...socket, session },
      ...rowKeys(session, connection).map((key) => ({ ...key, ...row, connection, ttl: socket.ttl })),
    ]
  })
  await world.table.write.batch(items.map((Item) => ({ Put: { Item } })))
  return { listeners, connections }
}

const listen = async (world: Pick<World, 'agentUrl'>): Promise<Listener> => {
  const socket = new WebSocket(world.agentUrl)
  const frames: string[] = []
  socket.on('message', (data) => frames.push(String(data)))
  socket.on('error', () => {}) // the test sees that it is closed
  await once(socket, 'open')
  return { socket, frames }
}

/** The connections of a license's agents as if they had come a minute earlier. */
export const aged = async (world: World, { id }: License): Promise<void> =>
  agedRows(world, await readAgentSockets(world.table.read, id))

/** The same of these connections. */
export const agedRows = async (world: World, rows: readonly SocketRow[]): Promise<void> => {
  const earlier = (key: Key): Op => ({
    Update: {
      Key: key,
      UpdateExpression: 'ADD #ttl :minute',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeNames: { '#ttl': 'ttl' },
      ExpressionAttributeValues: { ':minute': -agoS },
    },
  })
  const both = rows.flatMap((row) => [keys.socket(row.connection), ...rowKeys(row, row.connection)])
  await mapAtOnce(both, (key) => world.table.write.write(earlier(key)))
}
