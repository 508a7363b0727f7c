import { existsSync } from 'node:fs'
import { type Browser, chromium, type Locator, type Page } from 'playwright-core'

// What people do on the console's page, in a Chromium that the machine has: none is downloaded.

const usual = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const named = process.env['CHROMIUM_PATH']
export const executablePath = named || usual.find((path) => existsSync(path))

/**
 * Chromium; without a sandbox, which root cannot have: it opens this project's page alone. Letters are grey.
 */
export const launch = (): Promise<Browser> =>
  chromium.launch({
    ...(executablePath !== undefined && { executablePath }),
    args: ['--no-sandbox', '--disable-lcd-text'],
  })

export const deskOf = (page: Page, agent: string): Locator =>
  page.getByRole('region', { name: `Desk ${agent}`, exact: true })
export const widgetOf = (page: Page, visitor = 1): Locator =>
  page.getByRole('region', { name: `Visitor ${visitor}`, exact: true })

const button = (of: Locator, name: string | RegExp): Locator =>
  of.getByRole('button', { name, ...(typeof name === 'string' && { exact: true }) }).first()

export const press = (of: Locator, name: string | RegExp): Promise<void> => button(of, name).click()

/** Resolves once a text stands there to be read. */
export const sees = (of: Locator, text: string | RegExp): Promise<void> =>
  of.getByText(text).first().waitFor({ state: 'visible' })
export const seesNoMore = (of: Locator, text: string | RegExp): Promise<void> =>
  of.getByText(text).first().waitFor({ state: 'hidden' })

/** A customer writes the first message. */
export const startChat = async (widget: Locator, name: string, text: string): Promise<void> => {
  await widget.getByLabel('Your name').fill(name)
  await widget.getByLabel('Your message').fill(text)
  await press(widget, 'Start the chat')
  await sees(widget, text)
}

/** An agent opens the chat of a customer, under a tab. */
export const openChat = async (desk: Locator, customer: string | RegExp, tab = 'Mine'): Promise<void> => {
  await press(desk, new RegExp(`^${tab}`))
  await desk.getByRole('navigation').getByRole('button', { name: customer }).first().click()
  await desk.getByRole('log').waitFor()
}

export const write = async (of: Locator, label: string, text: string): Promise<void> => {
  await of.getByLabel(label, { exact: true }).fill(text)
  await press(of, 'Send')
}

/** All messages that are shown, in their order. */
export const messagesOf = (of: Locator): Promise<string[]> => of.locator('.said > .bubble').allTextContents()
