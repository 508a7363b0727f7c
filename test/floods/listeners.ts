import { once } from 'node:events'
import { expect, vi } from 'vitest'
import { WebSocket } from 'ws'
import { pushed } from '../../shared/protocol/envelope.ts'
import { deliver } from '../../shared/push/deliver.ts'
import { invokeFanOut } from '../../shared/push/fan-out.ts'
import { readAgentSockets } from '../../shared/table/sockets.ts'
import type { Listener } from '../support/crowd.ts'
import type { License, World } from '../support/world.ts'

// What many bare connections are sent.

export const isOpen = ({ socket }: Listener): boolean => socket.readyState === WebSocket.OPEN

/** How many frames of this action each has. */
export const got = (listeners: readonly Listener[], action: string): number[] =>
  listeners.map(({ frames }) => frames.filter((frame) => frame.includes(`"action":"${action}"`)).length)

/** Resolves once each has as many frames, or more, of this action. */
export const allGot = (listeners: readonly Listener[], action: string, count = 1): Promise<void> =>
  vi.waitFor(() => expect(got(listeners, action).filter((n) => n < count)).toEqual([]), {
    timeout: 25_000,
    interval: 20,
  })

export const leave = async (world: World, listeners: readonly Listener[]): Promise<void> => {
  await Promise.all(
    listeners.filter(isOpen).map(({ socket }) => {
      socket.close()
      return once(socket, 'close')
    }),
  )
  await world.settled()
}

export const frameOf = (thread: string): string =>
  pushed('thread_closed', { chat_id: 'c', thread_id: thread })

/** The slices that are handed over from here on. */
export const takeSlices = (world: World): unknown[] => {
  const slices: unknown[] = []
  world.functions.setHold((slice) => void slices.push(slice))
  return slices
}

/** As an action's function does it. */
export const delivering = (world: World) => ({
  handOver: invokeFanOut,
  write: world.table.write,
  signal: new AbortController().signal,
  postingMs: 1000,
  nowMs: Date.now(),
})

/** Pushes these to all of a licence's agents. */
export const sendToAll = async (world: World, { id }: License, frames: readonly string[]): Promise<void> => {
  const rows = await readAgentSockets(world.table.read, id)
  const pushes = frames.map((frame) => ({ to: () => true, frame }))
  await deliver({ ...delivering(world), rows, pushes })
}
