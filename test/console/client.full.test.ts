import { beforeAll, describe, expect, vi } from 'vitest'
import { openStage, scenarioTests, testFlood } from '../client/scenario-tests.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { openBrowser, openOffice, testInBrowser } from './browser.ts'
import { deskOf, messagesOf, openChat, sees, startChat, widgetOf, write } from './page.ts'
import { openScenarioPage } from './scenario-page.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})

const wait = { timeout: 20_000, interval: 50 }

describe('the client in a browser', () => {
  for (const [name, run] of Object.entries(scenarioTests))
    testInBrowser(name, async () => run(await openStage(world), (await openScenarioPage()).play))

  testInBrowser('is bounded in memory, whatever comes', async () => {
    const { page, play } = await openScenarioPage()
    const browser = await page.context().newCDPSession(page)
    const usedMB = async () => {
      await browser.send('HeapProfiler.collectGarbage')
      return (await browser.send('Runtime.getHeapUsage')).usedSize / 1e6
    }
    const stage = await openStage(world)
    const before = await usedMB()
    await testFlood(stage, play)
    // of the 100 MB that came it keeps 5
    expect((await usedMB()) - before).toBeLessThan(12)
  })

  testInBrowser('misses nothing on a laptop that sleeps for an hour', async () => {
    const { url, license } = await openOffice(world, { nora: {} })
    const { open, faults } = await openBrowser()
    const page = await open('about:blank')
    await page.clock.install()
    await page.goto(url(['nora'], [1]))
    const [nora, kim] = [deskOf(page, 'nora'), widgetOf(page)]
    await sees(nora, 'Online')
    await startChat(kim, 'Kim', 'before')
    await openChat(nora, /Kim/)
    await sees(nora.getByRole('log'), 'before')

    // asleep: the network forgets the page's connections, and tells neither side
    await page.clock.pauseAt(Date.now() + 1000)
    for (const gateway of [world.gateway, world.customers])
      for (const id of gateway.connections()) gateway.drop(id, { clean: false, posts: 'lost' })
    const phone = await license.login('nora')
    const [{ id: chat_id }] = (await phone.ok('get_filtered_chats')).chats_summary
    for (let n = 1; n <= 30; n += 1)
      await phone.ok('send_event', { chat_id, event: { type: 'message', text: `asleep ${n}` } })
    await page.clock.fastForward('01:00:00')
    await page.clock.resume()

    const expected = ['before', ...Array.from({ length: 30 }, (_, n) => `asleep ${n + 1}`)]
    for (const side of [nora, kim])
      await vi.waitFor(async () => expect((await messagesOf(side)).slice(1)).toEqual(expected), wait)
    await write(kim, 'Your message', 'after')
    await sees(nora.getByRole('log'), 'after')
    expect(faults).toEqual([])
  })

  testInBrowser(
    'is one customer in ten tabs, which all show the same; an eleventh says why it cannot',
    async () => {
      const { url } = await openOffice(world, { nora: {} })
      const agents = await openBrowser()
      const nora = deskOf(await agents.open(url(['nora'])), 'nora')
      await sees(nora, 'Online')
      const { open, faults } = await openBrowser()
      const first = widgetOf(await open(url([], [1])))
      await startChat(first, 'Kim', 'hello')
      const tabs = [first]
      for (let n = 2; n <= 10; n += 1) tabs.push(widgetOf(await open(url([], [1]))))
      for (const tab of tabs) await sees(tab, 'hello')
      await openChat(nora, /Kim/)
      await write(nora, 'Message', 'answer')
      for (const [n, tab] of tabs.entries()) await write(tab, 'Your message', `from tab ${n + 1}`)
      await vi.waitFor(async () => expect((await messagesOf(nora)).length).toBe(13), wait)
      const all = (await messagesOf(nora)).slice(1)
      expect(all.toSorted()).toEqual(
        ['answer', 'hello', ...tabs.map((_, n) => `from tab ${n + 1}`)].toSorted(),
      )
      for (const tab of tabs)
        await vi.waitFor(async () => expect((await messagesOf(tab)).slice(1)).toEqual(all), wait)

      const eleventh = widgetOf(await open(url([], [1])))
      await sees(eleventh.getByRole('alert'), /too_many_connections \(429\)/)
      await sees(eleventh, 'Closed')
      expect(await nora.getByRole('navigation').getByRole('button', { name: /Kim/ }).count()).toBe(1)
      expect(faults).toEqual([])
    },
  )
})
