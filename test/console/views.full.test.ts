import { beforeAll, describe, expect, vi } from 'vitest'
import { sharedWorld, type World } from '../support/world.ts'
import { openBrowser, openOffice, testInBrowser } from './browser.ts'
import { deskOf, messagesOf, openChat, press, sees, seesNoMore, startChat, widgetOf, write } from './page.ts'
import type { Page } from 'playwright-core'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})

const wait = { timeout: 20_000, interval: 50 }

/** What lies outside of the page, to the right, and is not scrolled within a part of it. */
const overflowing = (page: Page): Promise<string[]> =>
  page.locator('button, input, select, textarea, h1, h2, h3, p, .bubble').evaluateAll((all: any[]) =>
    all
      .filter((element) => element.checkVisibility())
      .filter((element) => {
        const { left, right } = element.getBoundingClientRect()
        return left < -1 || right > element.ownerDocument.documentElement.clientWidth + 1
      })
      .filter((element) => element.closest('.switcher') === null)
      .map((element) => `${element.tagName} ${element.textContent}`),
  )

describe('the console', () => {
  testInBrowser(
    'shows texts and names as they are, whatever markup, code or direction is in them',
    async () => {
      const { url, license } = await openOffice(world, { nora: {} })
      const hostile = [
        '<img src=x onerror="alert(1)">',
        '<script>alert(2)</script>',
        '"><svg onload=alert(3)>',
        "{{constructor.constructor('alert(4)')()}}",
        'javascript:alert(5)',
        '\u202Egnp.exe \u2066[link](javascript:alert(6))',
        'data:text/html,<script>alert(7)</script> file:///etc/passwd',
      ]
      const name = '<b onmouseover=alert(8)>Kim</b>\u202E'
      const visitor = await license.visit({ customer: { name, properties: { '<i>x</i>': hostile[0] } } })
      const { chat } = await visitor.client.ok('start_chat', {
        chat: {
          properties: { order: { note: hostile[1] } },
          thread: { events: hostile.map((text) => ({ type: 'message', text })) },
        },
      })
      const fields = [{ type: 'text', name: hostile[0], label: hostile[0], value: hostile[1] }]
      const all = [
        { type: 'filled_form', fields },
        {
          type: 'custom',
          content: { html: hostile[0], props: { dangerouslySetInnerHTML: { __html: hostile[0] } } },
        },
        { type: 'annotation', annotation_type: hostile[0], text: hostile[1] },
        {
          type: 'message',
          text: 'see https://example.com/"onclick=alert(9) and http://[bad and https://ok.example/a.',
        },
      ]
      for (const event of all) await visitor.client.ok('send_event', { chat_id: chat.id, event })

      const { open, faults } = await openBrowser()
      const page = await open(url(['nora']))
      const nora = deskOf(page, 'nora')
      await openChat(nora, /Kim/)
      await sees(nora.getByRole('log'), 'https://ok.example/a')
      expect((await messagesOf(nora)).slice(0, hostile.length)).toEqual(hostile)
      expect(await nora.locator('.customer h4 .name').textContent()).toBe(name)
      expect(await page.locator('img, script:not([src]), svg, iframe, .thread b, .thread i, u').count()).toBe(
        0,
      )
      const links = await page
        .locator('a')
        .evaluateAll((found: any[]) => found.map(({ href, rel }) => [href, rel]))
      expect(links).toEqual([
        ['https://example.com/', 'noopener noreferrer nofollow'],
        ['https://ok.example/a', 'noopener noreferrer nofollow'],
      ])
      await press(nora, 'Frames')
      await press(nora, /← got get_chat_threads/)
      await sees(nora.locator('.frame'), '<img src=x onerror')
      expect(faults).toEqual([])
    },
  )

  testInBrowser('is used by the keyboard alone, and always shows where one is', async () => {
    const { url } = await openOffice(world, { nora: {} })
    const { open } = await openBrowser()
    const page = await open(url())
    await page.getByRole('button', { name: /nora/i }).waitFor()
    const { keyboard } = page
    /** Goes on by Tab to what has this name. */
    const tabTo = async (name: string | RegExp, by = 'Tab'): Promise<void> => {
      const focused = page.locator(':focus')
      for (let presses = 0; presses < 120; presses += 1) {
        await keyboard.press(by)
        if ((await focused.count()) === 0) continue
        const [own, isMarked] = await focused.evaluate((element: any) => [
          element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent ?? element.textContent,
          element.ownerDocument.defaultView.getComputedStyle(element).outlineStyle !== 'none',
        ])
        if (!(typeof name === 'string' ? own.trim() === name : name.test(own))) continue
        expect([own, isMarked]).toEqual([own, true])
        return
      }
      throw new Error(`Tab does not lead to ${String(name)}`)
    }
    await tabTo(/nora/i)
    await keyboard.press('Enter')
    const [nora, kim] = [deskOf(page, 'nora'), widgetOf(page)]
    await sees(nora, 'Online')
    await tabTo('Your name')
    await keyboard.type('Kim')
    await tabTo('Your message')
    await keyboard.type('Hello')
    await tabTo('Start the chat')
    await keyboard.press('Enter')
    await sees(nora.getByRole('navigation'), 'Kim')
    await tabTo(/^KKim/, 'Shift+Tab')
    await keyboard.press('Enter')
    await tabTo('Message')
    await keyboard.type('Hello Kim')
    await keyboard.press('Enter')
    await sees(kim, 'Hello Kim')

    // a dialog holds the focus, and Escape gives it back
    await tabTo('Ban…')
    await keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Ban this customer' })
    await dialog.waitFor()
    await tabTo('Days')
    await keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })
    expect(await page.locator(':focus').textContent()).toBe('Ban…')
    await keyboard.press('Enter')
    await tabTo('Ban')
    await keyboard.press('Enter')
    await sees(kim, /customer_banned/)
    await nora.getByText('Banned', { exact: true }).waitFor()
    await tabTo('Lift the ban')
    await keyboard.press('Enter')
    await nora.getByText('Banned', { exact: true }).waitFor({ state: 'hidden' })
  })

  testInBrowser('is used at a width of 390 pixels, where nothing lies outside', async () => {
    const { url } = await openOffice(world)
    const { open, faults } = await openBrowser({ viewport: { width: 390, height: 844 }, hasTouch: true })
    const page = await open(url())
    const fits = async () => expect(await overflowing(page)).toEqual([])
    await page.getByRole('button', { name: /nora/i }).waitFor()
    await fits()
    await press(page.getByRole('region', { name: 'Desk', exact: true }), /nora/i)
    const [nora, kim] = [deskOf(page, 'nora'), widgetOf(page)]
    await sees(nora, 'No chats.')
    const show = (panel: string) => press(page.locator('.switcher'), panel)
    await show('Visitor 1')
    await fits()
    await startChat(kim, 'Kim', `Hello ${'x'.repeat(300)}`)
    await fits()
    await show('Desk nora')
    await openChat(nora, /Kim/)
    await write(nora, 'Message', 'Hello Kim')
    await fits()
    await press(nora, 'Transfer…')
    await sees(page.getByRole('dialog'), 'Any free agent')
    await fits()
    await page.keyboard.press('Escape')
    await press(nora, 'Details')
    await sees(nora, 'Properties of the chat')
    await fits()
    await press(nora, 'Back to the chat')
    await press(nora, 'Frames')
    await press(nora, /→ sent login/)
    await fits()
    await press(nora, 'Frames')
    await press(nora, 'Team')
    await page.getByRole('dialog').waitFor()
    await fits()
    await page.keyboard.press('Escape')
    await press(nora, 'Back')
    await press(nora, 'Archive')
    await press(nora, 'Search')
    await fits()
    await show('Visitor 1')
    await sees(kim, 'Hello Kim')
    await press(kim, 'End chat')
    await sees(kim, 'This conversation is closed')
    await fits()
    expect(faults).toEqual([])
  })

  testInBrowser(
    'changes scopes, properties, statuses and who is there, and says why it is refused and who is a bot',
    async () => {
      const { url, license } = await openOffice(world, {
        nora: { groups: [1] },
        adam: { permission: 'administrator' },
        robin: { bot: true, priority: 'last', default_status: 'not_accepting_chats' },
      })
      const { open, faults } = await openBrowser({ viewport: { width: 1600, height: 900 } })
      const page = await open(url(['nora'], [1]))
      const [nora, kim] = [deskOf(page, 'nora'), widgetOf(page)]
      await startChat(kim, 'Kim', 'Hello')
      await openChat(nora, /Kim/)
      await nora.getByLabel('Group or agent').selectOption('group:1')
      await press(nora, 'Add')
      await nora.getByRole('button', { name: 'Remove Support' }).waitFor()
      await press(nora, 'Remove Support')
      await sees(nora, 'Every agent')

      await nora.getByText('Set a property').first().click()
      await nora.getByLabel('Namespace').first().fill('order')
      await nora.getByLabel('Name', { exact: true }).first().fill('number')
      await nora.getByLabel('Value').first().fill('4711')
      await press(nora, 'Set')
      await sees(nora, 'order.number')
      await press(nora, 'Remove order.number')
      await seesNoMore(nora, 'order.number')
      await nora.getByLabel('Namespace').first().fill('routing')
      await press(nora, 'Set')
      const notice = nora.getByRole('alert')
      await sees(notice, 'The properties were not changed')
      await sees(notice, /validation \(400\)/)
      await sees(notice, /routing/)
      await press(notice, 'Dismiss')
      await seesNoMore(notice, 'The properties were not changed')

      await nora.getByLabel('Status').selectOption('not_accepting_chats')
      await press(nora, 'Leave')
      await nora.getByPlaceholder('Join or supervise this chat to write in it').waitFor()
      await press(nora, /^Waiting/)
      await nora.getByRole('navigation').getByRole('button', { name: /Kim/ }).waitFor()
      await sees(kim, 'Waiting for an agent')
      await press(nora, 'Follow')
      await press(nora, 'Unfollow')
      await nora.getByRole('button', { name: 'Follow', exact: true }).waitFor()
      await press(nora, 'Join')
      await sees(kim.getByRole('log'), 'nora joined the chat')

      await press(nora, 'Team')
      await sees(page.getByRole('dialog'), 'normal, not accepting')
      await sees(page.getByRole('dialog'), 'administrator, offline')
      await page
        .getByRole('listitem')
        .filter({ hasText: /robin bot/ })
        .waitFor()
      await press(page.getByRole('dialog'), 'Close')

      const robin = await license.login('robin')
      const [{ id: chat_id }] = (await robin.ok('get_filtered_chats')).chats_summary
      await robin.ok('join_chat', { chat_id, agent_ids: ['robin'] })
      await robin.ok('send_event', { chat_id, event: { type: 'message', text: 'I count the lamps' } })
      for (const side of [nora, kim])
        await side
          .getByRole('log')
          .locator('.by')
          .filter({ hasText: /^robin bot/ })
          .waitFor()
      await nora
        .getByRole('complementary')
        .getByRole('listitem')
        .filter({ hasText: /robin bot/ })
        .waitFor()
      await robin.ok('update_agent', { routing_status: 'accepting_chats' })
      await press(nora, 'Transfer…')
      await page.getByRole('radio', { name: /^robin bot 1 active chat/ }).waitFor()
      expect(await page.locator('.state', { hasText: 'bot' }).count()).toBe(4)
      expect(faults).toEqual([])
    },
  )

  testInBrowser('logs in with a token, and says why one is not taken', async () => {
    const { url, license } = await openOffice(world, { nora: {} })
    const { open, context, faults } = await openBrowser()
    const page = await open(url())
    const desk = page.getByRole('region', { name: /^Desk/ })
    const logIn = async (token: string) => {
      await desk.getByLabel('Or an access token').fill(token)
      await press(desk, 'Log in')
    }
    await logIn('made-up')
    await sees(desk.getByRole('alert'), 'auth (401): Invalid access token')
    await sees(desk, 'Closed')
    await press(desk, 'Log out')
    await logIn(await license.token('nora'))
    await sees(desk, 'Online')
    expect(await desk.getByRole('heading', { level: 2 }).textContent()).toBe('noranormal')
    // it is kept nowhere: not in the address, nor in what a browser stores
    expect(page.url()).toBe(url([], [1]))
    const { origins, cookies } = await context.storageState()
    const stored = origins.flatMap(({ localStorage }) => localStorage.map(({ name }) => name))
    expect([cookies, stored]).toEqual([[], [`agent-chat:${license.id}:visitor-1`]])
    expect(faults).toEqual([])
  })

  testInBrowser(
    'shows the frames of both ways, without tokens, copied by a click, and forgets the oldest',
    async () => {
      const { url, license } = await openOffice(world, { nora: {} })
      const { open, context } = await openBrowser()
      await context.grantPermissions(['clipboard-read', 'clipboard-write'])
      const page = await open(url(['nora'], [1]))
      const [nora, kim] = [deskOf(page, 'nora'), widgetOf(page)]
      await press(nora, 'Frames')
      await press(kim, 'Frames')
      await startChat(kim, 'Kim', 'Hello')
      await sees(kim.locator('.frames'), 'start_chat')
      await press(nora, /→ sent login/)
      await press(nora.locator('.frame'), 'Copy')
      await sees(nora.locator('.frames'), 'Copied')
      const copied = JSON.parse(await page.evaluate('navigator.clipboard.readText()'))
      expect(copied).toMatchObject({ action: 'login', payload: { token: '…', reconnect: false } })
      for (const side of [nora, kim])
        expect(await side.locator('.frames').textContent()).not.toMatch(/eyJ|"token":"[^…]/)

      const { client } = await license.visit()
      const { chat } = await client.ok('start_chat')
      for (let n = 0; n < 320; n += 1)
        await client.ok('send_event', { chat_id: chat.id, event: { type: 'message', text: `flood ${n}` } })
      await vi.waitFor(async () => {
        await press(nora.locator('.frames'), 'Copy all')
        expect(await page.evaluate('navigator.clipboard.readText()')).toContain('"flood 319"')
      }, wait)
      expect(await page.evaluate('navigator.clipboard.readText()')).not.toContain('"flood 0"')
      expect(await nora.locator('.frames li').count()).toBeLessThanOrEqual(300)
      expect(await nora.locator('.frames li').count()).toBeGreaterThan(250)
    },
  )
})
