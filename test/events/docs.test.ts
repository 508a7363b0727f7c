import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, expect, test, vi } from 'vitest'
import { message } from '../support/events.ts'
import { startWorld } from '../support/world.ts'
import { runSnippet, snippet } from './snippets.ts'

let receiver: Server | undefined
afterAll(() => {
  receiver?.closeAllConnections()
  receiver?.close()
})

test('docs/events.md has a receiver that is told what is said in public, once', async () => {
  const store = vi.fn<(...given: any[]) => void>()
  const opened: Server = await runSnippet(
    snippet('js').replace('listen(9000)', "listen(0, '127.0.0.1')"),
    'receiver',
    { store },
  )
  receiver = opened
  await vi.waitUntil(() => opened.listening)
  const { port } = opened.address() as AddressInfo
  const world = await startWorld({ events: { to: `http://127.0.0.1:${port}` } })
  const license = await world.license({ nora: {} }, { settings: { events: true } })
  const nora = await license.login('nora')
  const { chat } = await nora.ok('start_chat')
  const said = []
  for (const recipients of ['all', 'agents'])
    said.push(await nora.ok('send_event', { chat_id: chat.id, event: message('hello', { recipients }) }))
  await world.settled()
  expect(store.mock.calls).toEqual([[license.id, 'agent', said[0].event]])
  const shown = JSON.parse(snippet('json')).detail.payload.event
  expect(Object.keys(shown).toSorted()).toEqual(Object.keys(said[0].event).toSorted())
})
