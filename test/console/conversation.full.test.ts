import { beforeAll, describe, expect, vi } from 'vitest'
import { sharedWorld, type World } from '../support/world.ts'
import { openBrowser, openOffice, testInBrowser } from './browser.ts'
import { deskOf, messagesOf, openChat, press, sees, seesNoMore, startChat, widgetOf, write } from './page.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ index: true })
})

const wait = { timeout: 20_000, interval: 50 }

describe('a conversation in the console', () => {
  testInBrowser(
    'is written, seen while it is typed, answered, supervised, closed, rated, and found in the archive',
    async () => {
      const { url } = await openOffice(world)
      const { open, faults } = await openBrowser()
      const page = await open(url(['nora'], [1]))
      const [nora, kim] = [deskOf(page, 'nora'), widgetOf(page)]
      await sees(nora, 'Online')
      await startChat(kim, 'Kim Larsen', 'Does the blue lamp fit a bulb of 40 W?')
      await openChat(nora, /Kim Larsen/)
      await sees(nora, 'Chat assigned to nora')
      // the form that came with the first message
      expect(await nora.locator('.form').textContent()).toBe('Your nameKim Larsen')

      await kim.getByLabel('Your message').pressSequentially('It is the round o')
      await sees(nora.getByRole('log'), 'It is the round o')
      await sees(nora.getByRole('log'), 'Kim Larsen is writing…')
      await kim.getByLabel('Your message').pressSequentially('ne')
      await press(kim, 'Send')
      await seesNoMore(nora.getByRole('log'), 'is writing…')
      await nora.getByLabel('Message', { exact: true }).pressSequentially('Yes')
      await sees(kim, 'nora is writing…')
      await write(nora, 'Message', 'Yes, it does.')
      await sees(kim, 'Yes, it does.')
      await sees(nora, 'Seen by Kim Larsen')

      // a second agent, whom the customer does not notice
      await press(page.locator('.top'), 'Add a desk')
      await press(page.getByRole('region', { name: 'Desk', exact: true }), /adam/i)
      const adam = deskOf(page, 'adam')
      await openChat(adam, /Kim Larsen/, 'Others')
      await press(adam, 'Supervise')
      await sees(nora, /supervised by adam/)
      await write(adam, 'Note for agents', 'Offer the bulb as well.')
      await sees(nora, 'Note, for agents only')
      await write(nora, 'Message', 'Shall I add a bulb?')
      await sees(kim, 'Shall I add a bulb?')
      const said = ['Does the blue lamp fit a bulb of 40 W?', 'It is the round one', 'Yes, it does.']
      expect((await messagesOf(kim)).slice(1)).toEqual([...said, 'Shall I add a bulb?'])
      expect((await messagesOf(nora)).slice(1)).toEqual([
        ...[...said, 'Offer the bulb as well.', 'Shall I add a bulb?'],
      ])
      expect(await kim.textContent()).not.toContain('adam')

      await press(nora, 'Close chat')
      await sees(kim, 'This conversation is closed')
      await press(kim, 'Good')
      await kim.getByLabel('Comment').fill('Quick and kind')
      await press(kim, 'Rate')
      await sees(kim, 'Quick and kind')
      await sees(nora, /rated the chat good/)

      await world.settled()
      await press(nora, 'Back')
      await press(nora, 'Archive')
      await nora.getByLabel('Words').fill('lamp BLUE')
      await nora.getByText('More filters').click()
      await nora.getByLabel(/^Agent/).selectOption('nora')
      await nora.getByLabel(/Thread property/).fill('routing.unassigned=false')
      await press(nora, 'Search')
      await sees(nora, '1 found')
      await nora.getByLabel('Words').fill('green')
      await press(nora, 'Search')
      await sees(nora, 'Nothing found.')
      await nora.getByLabel('Words').fill('bulb')
      await press(nora, 'Search')
      await nora
        .getByRole('navigation')
        .getByRole('button', { name: /Kim Larsen/ })
        .click()
      await sees(nora.getByRole('log'), 'Shall I add a bulb?')

      // the customer comes back, in another page of the same browser
      const again = widgetOf(await open(url([], [1])))
      await sees(again, 'Shall I add a bulb?')
      await again.getByLabel('Your message').fill('One more thing')
      await press(again, 'Start a new chat')
      await sees(kim, 'One more thing')
      await sees(nora.getByRole('log'), 'One more thing')
      expect(faults).toEqual([])
    },
  )

  testInBrowser('is transferred to a group, waits there in line, and goes on to another', async () => {
    const { url, license } = await openOffice(world, {
      nora: { groups: [1] },
      ben: { groups: [1] },
      adam: { permission: 'administrator', default_status: 'not_accepting_chats', groups: [1] },
    })
    const { open, faults } = await openBrowser()
    const page = await open(url(['nora', 'adam'], [1, 2]))
    const [nora, adam] = [deskOf(page, 'nora'), deskOf(page, 'adam')]
    const [kim, lee] = [widgetOf(page), widgetOf(page, 2)]
    await sees(nora, 'Online')
    await sees(adam, 'Online')
    await startChat(kim, 'Kim', 'Hello')
    await openChat(nora, /Kim/)

    // what is refused is said in words, where it was asked for
    const dialog = page.getByRole('dialog', { name: 'Transfer this chat' })
    const choose = async (name: string | RegExp) => {
      await dialog.getByRole('radio', { name }).check()
      await press(dialog, 'Transfer')
    }
    await press(nora, 'Transfer…')
    await choose('adam 0 active chats, not accepting')
    await sees(dialog.getByRole('alert'), 'The agent adam does not accept chats')
    await choose('Sales nobody there')
    await sees(dialog.getByRole('alert'), 'Nobody is free: 1 does not accept chats')
    expect(await dialog.getByRole('radio', { name: /nora/ }).count()).toBe(0)
    await dialog.getByRole('checkbox', { name: 'Wait if nobody is free' }).check()
    await press(dialog, 'Transfer')
    await dialog.waitFor({ state: 'hidden' })
    await sees(nora, /cannot be seen any more/)
    await press(nora, 'Back')
    await sees(nora, 'No chats.')
    await press(adam, /^Waiting/)
    await sees(adam.getByRole('navigation'), /^Position 1, since/)

    await openChat(adam, /Kim/, 'Waiting')
    await sees(adam.locator('.chat'), /^Position 1, since/)
    await sees(kim, /^You are number 1 in line$/)
    await adam.getByLabel('Status').selectOption('accepting_chats')
    await seesNoMore(adam.locator('.chat'), /^Position 1/)
    await seesNoMore(kim, /in line/)
    // the next one in line is told how long that took
    for (const desk of [adam, nora]) await desk.getByLabel('Status').selectOption('not_accepting_chats')
    await startChat(lee, 'Lee', 'Hello')
    await sees(lee, /^You are number 1 in line, others waited \d+ (s|min)$/)
    // who has transferred it does not get it back
    await license.login('ben')
    await press(adam, 'Transfer…')
    await choose('Support free')
    await dialog.waitFor({ state: 'hidden' })
    await sees(adam.locator('.chat'), 'with ben')
    await seesNoMore(lee, /in line/)
    await press(adam, 'Log out')
    await page.getByText('Who works at this desk?').waitFor()
    await press(nora, 'Team')
    await sees(page.getByRole('dialog'), 'administrator, offline')
    expect(faults).toEqual([])
  })

  testInBrowser('is whole after the line was cut in its midst, on either side', async () => {
    const { url } = await openOffice(world, { nora: {} })
    const { open, faults } = await openBrowser()
    const page = await open(url(['nora'], [1]))
    const [nora, kim] = [deskOf(page, 'nora'), widgetOf(page)]
    await sees(nora, 'Online')
    await startChat(kim, 'Kim', 'one')
    await openChat(nora, /Kim/)
    await write(nora, 'Message', 'two')
    await sees(kim, 'two')

    await press(nora, 'Cut the line')
    await sees(nora, 'Line cut, reconnecting…')
    await write(kim, 'Your message', 'three')
    await write(kim, 'Your message', 'four')
    await write(nora, 'Message', 'five')
    await sees(nora, 'Sending…')
    await vi.waitFor(async () => expect(await messagesOf(kim)).toContain('four'), wait)
    expect(await messagesOf(nora)).not.toContain('four')
    await press(nora, 'Mend the line')
    await sees(nora, 'Recovered: nothing is missing')
    const expected = ['one', 'two', 'three', 'four', 'five']
    for (const side of [nora, kim])
      await vi.waitFor(async () => expect((await messagesOf(side)).slice(1)).toEqual(expected), wait)

    await press(kim, 'Cut the line')
    await sees(kim, 'Line cut, reconnecting…')
    await write(nora, 'Message', 'six')
    await sees(nora, 'six')
    await press(nora, 'Close chat')
    await sees(nora, 'This conversation is closed')
    await press(kim, 'Mend the line')
    await sees(kim, 'Recovered: nothing is missing')
    await sees(kim, 'This conversation is closed')
    expect((await messagesOf(kim)).slice(1)).toEqual([...expected, 'six'])
    expect(faults).toEqual([])
  })

  testInBrowser('is read back as far as one scrolls, over threads, without a repeat or a gap', async () => {
    const { url, license } = await openOffice(world, { nora: {} })
    const visitor = await license.visit({ customer: { name: 'Kim' } })
    // more than an answer holds at once
    const texts = Array.from({ length: 110 }, (_, n) => `message ${n + 1}: ${'long '.repeat(400)}`)
    const said = (part: string[]) => part.map((text) => ({ type: 'message', text }))
    const { chat } = await visitor.client.ok('start_chat', {
      chat: { thread: { events: said(['the first']) } },
    })
    await visitor.client.ok('close_thread', { chat_id: chat.id })
    await visitor.client.ok('start_chat')
    for (const event of said(texts)) await visitor.client.ok('send_event', { chat_id: chat.id, event })

    const { open, faults } = await openBrowser()
    const nora = deskOf(await open(url(['nora'])), 'nora')
    await openChat(nora, /Kim/)
    await sees(nora.getByRole('log'), 'message 110:')
    expect((await messagesOf(nora)).length).toBeLessThan(100)
    const thread = nora.getByRole('log')
    await thread.hover()
    await vi.waitFor(async () => {
      await thread.press('Home')
      expect(await messagesOf(nora)).toEqual(['the first', ...texts])
    }, wait)
    expect(await nora.getByRole('button', { name: 'Show older messages' }).count()).toBe(0)
    expect(faults).toEqual([])
  })
})
