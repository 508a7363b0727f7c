import { readFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Template } from 'aws-cdk-lib/assertions'
import { afterAll, expect, test, vi } from 'vitest'
import { message } from '../support/events.ts'
import { startWorld } from '../support/world.ts'

const root = join(import.meta.dirname, '../..')
const page = await readFile(join(root, 'docs/events.md'), 'utf8')
const snippet = (language: string): string => {
  const [found, ...more] = [...page.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 'gs'))]
  expect(more).toEqual([])
  return found![1]!
}

/** Runs a snippet with what it imports; resolves to the value that it calls `name`. */
const run = async (code: string, name: string, given: object = {}): Promise<any> => {
  const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (...given: any[]) => any
  const scope: Record<string, unknown> = { ...given }
  for (const [, names, from] of code.matchAll(/^import \{ (.+) \} from '(.+)'$/gm)) {
    const found = await import(from!.replace(/^\./, root))
    for (const one of names!.split(', ')) scope[one] = found[one]
  }
  const body = `${code.replaceAll(/^import .*\n/gm, '')}\nreturn ${name}`
  return new AsyncFunction(...Object.keys(scope), body)(...Object.values(scope))
}

let receiver: Server | undefined
afterAll(() => {
  receiver?.closeAllConnections()
  receiver?.close()
})

test('docs/events.md has a receiver that is told what is said in public, once', async () => {
  const store = vi.fn<(...given: any[]) => void>()
  const opened: Server = await run(
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

test('docs/events.md has a webhook that can be deployed', async () => {
  const template = Template.fromStack(await run(snippet('ts'), 'stack'))
  template.resourceCountIs('AWS::Events::ApiDestination', 1)
  template.hasResourceProperties('AWS::Events::Rule', { EventBusName: '<EventBusName>' })
})
