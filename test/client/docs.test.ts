import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import * as library from '../../shared/client/client.ts'
import { sharedWorld } from '../support/world.ts'

const clients: { close(): void }[] = []
afterAll(() => {
  for (const client of clients) client.close()
})

test('docs/client.md says what works: an agent, a widget, a loop, an error, and every option', async () => {
  const world = await sharedWorld()
  const license = await world.license({ nora: {} })
  const page = await readFile(join(import.meta.dirname, '../../docs/client.md'), 'utf8')
  const snippets = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code!)
  const shown = vi.fn<(events: any[]) => void>()
  const run = async (code: string, names: object = {}): Promise<any> => {
    const scope = { ...library, fetchToken: () => license.token('nora'), show: shown, ...names }
    const body = code
      .replaceAll(/^import .*\n/gm, '')
      .replaceAll('ws://127.0.0.1:4000/v1', world.agentUrl)
      .replaceAll('ws://127.0.0.1:4001/v1', world.customerUrl)
      .replaceAll("'demo'", `'${license.id}'`)
    const own = Object.entries(scope).filter(([name]) => !body.includes(`const ${name} =`))
    const AsyncFunction = (async () => {}).constructor as new (...parts: string[]) => (...given: any[]) => any
    const made = body.includes('const client =') ? 'return client' : ''
    const result = await new AsyncFunction(...own.map(([name]) => name), `${body}\n${made}`)(
      ...own.map(([, value]) => value),
    )
    if (result !== undefined) clients.push(result)
    return result
  }
  expect(snippets).toHaveLength(5)
  const [agent, widget, loop, error, options] = snippets
  for (const lines of [agent!, widget!]) expect(lines.trim().split('\n').length).toBeLessThanOrEqual(10)

  const nora = await run(agent!)
  await vi.waitUntil(() => nora.state === 'online')
  const customer = await run(widget!)
  await vi.waitUntil(() => JSON.stringify(shown.mock.calls).includes('pong, one of'), { timeout: 10_000 })
  const looping = run(loop!, { client: nora })
  const [chat] = customer.chats.all()
  await customer.request('send_event', { chat_id: chat.id, event: { type: 'message', text: 'stop' } })
  await looping
  await run(error!, { client: nora })
  const other = await run(options!)
  await vi.waitUntil(() => other.state === 'online')

  for (const name of ['url', 'token', 'licenseId', 'storage', 'customer', 'keeps', 'environment'])
    expect(page).toContain(`\`${name}\``)
})
