import type { BrowserContextOptions, Page } from 'playwright-core'
import { onTestFinished, test } from 'vitest'
import { startConsole } from '../../infra/console/server.ts'
import type { AgentDraft, License, World } from '../support/world.ts'
import { executablePath, launch } from './page.ts'

// Tests of the page: what each has of a browser and of a console.

const absent =
  'The tests of the console in a browser do not run, since this machine has no Chromium: install it ' +
  '(apt-get install chromium), or say where it is with CHROMIUM_PATH.'

// where all is skipped, the report does not say why
if (executablePath === undefined) process.stderr.write(`${absent}\n`)

/** A test that needs a browser; where there is none it is skipped, and says so. */
export const testInBrowser = (name: string, run: () => Promise<void>): void => {
  // oxlint-disable-next-line vitest/valid-title -- the caller has it
  test(name, async ({ skip }) => {
    skip(executablePath === undefined, absent)
    await run()
  })
}

/** A browser for a test, and what its pages have complained of. */
export const openBrowser = async (options: BrowserContextOptions = {}) => {
  const browser = await launch()
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
  context.setDefaultTimeout(20_000)
  onTestFinished(() => browser.close())
  const faults: string[] = []
  const open = async (url: string): Promise<Page> => {
    const page = await context.newPage()
    page.on('pageerror', (error) => faults.push(String(error)))
    page.on('dialog', (dialog) => faults.push(`dialog: ${dialog.message()}`))
    page.on('console', (said) => {
      if (said.type() === 'error') faults.push(said.text())
    })
    await page.goto(url)
    return page
  }
  return { context, open, faults }
}

/** A license with a console of its own, whose demo agents are the license's. */
export const openOffice = async (
  world: World,
  agents: Record<string, AgentDraft> = { nora: {}, adam: { permission: 'administrator' } },
): Promise<{ license: License; url: (desks?: string[], visitors?: number[]) => string }> => {
  const license = await world.license(agents, { groups: ['Support', 'Sales'] })
  const served = await startConsole(
    {
      agent_url: world.agentUrl,
      customer_url: world.customerUrl,
      license_id: license.id,
      agents: await Promise.all(
        Object.entries(agents).map(async ([id, { permission = 'normal' }]) => ({
          ...{ id, permission, token: await license.token(id) },
        })),
      ),
    },
    0,
  )
  onTestFinished(served.stop)
  const url = (desks: string[] = [], visitors: number[] = []) =>
    `${served.url}#desks=${desks.join(',')}&visitors=${visitors.join(',')}`
  return { license, url }
}
