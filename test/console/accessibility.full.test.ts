import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect } from 'vitest'
import { sharedWorld, type World } from '../support/world.ts'
import { openBrowser, openOffice, testInBrowser } from './browser.ts'
import { deskOf, openChat, press, sees, startChat, widgetOf, write } from './page.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld({ index: true })
})

/** What axe finds on the page as it is, light and dark, of what keeps people from using it. */
const findingsOf = async (page: Page): Promise<string[]> => {
  const cdp = await page.context().newCDPSession(page)
  const run = async (expression: string): Promise<any> => {
    const { result, exceptionDetails } = await cdp.send('Runtime.evaluate', {
      ...{ expression, awaitPromise: true, returnByValue: true, allowUnsafeEvalBlockedByCSP: true },
    })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }
  await run(`${axe.source}; undefined`)
  const found: string[] = []
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    const { violations, passes } = await run('axe.run(document)')
    // it has looked at colours, names and roles
    expect(passes.map(({ id }: any) => id)).toEqual(expect.arrayContaining(['color-contrast', 'button-name']))
    for (const { id, impact, nodes } of violations)
      if (impact === 'serious' || impact === 'critical')
        found.push(
          ...nodes.map(
            ({ html, failureSummary }: any) => `${colorScheme}, ${id}: ${html}: ${failureSummary}`,
          ),
        )
  }
  await cdp.detach()
  return found
}

describe('axe finds nothing serious, in light and in dark colours,', () => {
  testInBrowser('on any view of a desk and a widget', async () => {
    const { url } = await openOffice(world)
    const { open } = await openBrowser()
    const page = await open(url())
    const findsNothing = async (view: string) => expect([view, await findingsOf(page)]).toEqual([view, []])
    await page.getByRole('button', { name: /nora/i }).waitFor()
    await findsNothing('logging in, starting a chat')
    await press(page.getByRole('region', { name: 'Desk', exact: true }), /nora/i)
    const [nora, kim] = [deskOf(page, 'nora'), widgetOf(page)]
    await sees(nora, 'No chats.')
    await findsNothing('an empty desk')
    await startChat(kim, 'Kim', 'Hello, see https://example.com/')
    await sees(nora.getByRole('navigation'), 'New')
    await findsNothing('an unread chat')
    await openChat(nora, /Kim/)
    await write(nora, 'Message', 'Hello Kim')
    await nora.getByRole('checkbox').check()
    await write(nora, 'Note for agents', 'A note')
    await nora.getByText('Set a property').first().click()
    await kim.getByLabel('Your message').pressSequentially('Typing')
    await sees(nora.getByRole('log'), 'is writing…')
    await findsNothing('an open chat with a note, an answer and what is being typed')
    await press(nora, 'Ban…')
    await findsNothing('the ban dialog')
    await page.keyboard.press('Escape')
    await press(nora, 'Transfer…')
    const transfer = page.getByRole('dialog', { name: 'Transfer this chat' })
    await transfer.getByRole('radio', { name: /^Sales/ }).check()
    await press(transfer, 'Transfer')
    await sees(transfer.getByRole('alert'), 'Nobody is free: 1 is not logged in')
    await findsNothing('a transfer that is refused')
    await page.keyboard.press('Escape')
    await press(nora, 'Team')
    await findsNothing('the team')
    await page.keyboard.press('Escape')
    await press(nora, 'Frames')
    await press(nora, /→ sent login/)
    await findsNothing('the frames')
    await press(nora, 'Cut the line')
    await write(nora, 'Note for agents', 'On its way')
    await sees(nora, 'Line cut, reconnecting…')
    await findsNothing('a cut line')
    await press(nora, 'Mend the line')
    await sees(nora, 'Recovered: nothing is missing')
    await press(nora, 'Frames')
    await nora.getByLabel('Namespace').first().fill('routing')
    await nora.getByLabel('Name', { exact: true }).first().fill('x')
    await press(nora, 'Set')
    await sees(nora.getByRole('alert'), /validation/)
    await press(kim, 'End chat')
    await press(kim, 'Bad')
    await findsNothing('an error, a closed chat and a rating')
    await world.settled()
    await press(nora, 'Archive')
    await nora.getByText('More filters').click()
    await press(nora, 'Search')
    await sees(nora, '1 found')
    await findsNothing('the archive')
  })

  testInBrowser('at a width of 390 pixels', async () => {
    const { url } = await openOffice(world)
    const { open } = await openBrowser({ viewport: { width: 390, height: 844 } })
    const page = await open(url(['nora'], [1]))
    const findsNothing = async (view: string) => expect([view, await findingsOf(page)]).toEqual([view, []])
    const [nora, kim] = [deskOf(page, 'nora'), widgetOf(page)]
    await sees(nora, 'No chats.')
    await findsNothing('an empty desk')
    await press(page.locator('.switcher'), 'Visitor 1')
    await startChat(kim, 'Kim', 'Hello')
    await findsNothing('a widget')
    await press(page.locator('.switcher'), 'Desk nora')
    await openChat(nora, /Kim/)
    await findsNothing('an open chat')
    await press(nora, 'Transfer…')
    await sees(page.getByRole('dialog'), 'Any free agent')
    await findsNothing('a transfer')
    await page.keyboard.press('Escape')
    await press(nora, 'Details')
    await sees(nora, 'Properties of the chat')
    await findsNothing('the details')
  })
})
