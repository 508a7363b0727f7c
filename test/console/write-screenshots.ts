import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Page } from 'playwright-core'
import { deskOf, launch, openChat, press, sees, startChat, widgetOf, write } from './page.ts'

// npm run console:screenshots: the pictures of the console in docs/, of a stack that begins empty.

const root = join(import.meta.dirname, '../..')
const mostBytes = 150_000

/** `npm start` on free ports, with data of its own; and how to end it. */
const startStack = async (): Promise<{ url: string; end: () => Promise<void> }> => {
  const dir = await mkdtemp(join(tmpdir(), 'agent-chat-pictures-'))
  const child = spawn(process.execPath, ['infra/run.mjs', 'infra/local/main.ts', '--json', '--port', '0'], {
    cwd: root,
    env: { ...process.env, AGENT_CHAT_LOCAL_DIR: dir },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const { value } = await createInterface(child.stdout)[Symbol.asyncIterator]().next()
  if (value === undefined) throw new Error('npm start ended before it was ready: it says why above.')
  const end = async () => {
    child.kill('SIGTERM')
    await ended
    await rm(dir, { recursive: true, force: true })
  }
  return { url: (JSON.parse(value) as { console_url: string }).console_url, end }
}

/** A conversation worth looking at. */
const converse = async (page: Page): Promise<void> => {
  const [nora, kim] = [deskOf(page, 'nora'), widgetOf(page)]
  await sees(nora, 'Online')
  await kim.getByLabel('E-mail').fill('kim@example.com')
  await startChat(kim, 'Kim Larsen', 'Hello! Does the blue lamp take a 40 W bulb?')
  await openChat(nora, /Kim Larsen/)
  await write(nora, 'Message', 'Hi Kim, it does: any bulb up to 60 W.')
  await sees(kim, 'Hi Kim, it does: any bulb up to 60 W.')
  await nora.getByRole('checkbox').check()
  await write(nora, 'Note for agents', 'She bought the green one in May.')
  await nora.getByRole('checkbox').uncheck()
  await write(kim, 'Your message', 'Great. https://shop.example/lamps/blue is the one I mean.')
  await sees(nora, 'is the one I mean.')
  await kim.getByLabel('Your message').pressSequentially('And when would it arr', { delay: 30 })
  await sees(nora.getByRole('log'), 'And when would it arr')
}

const { url, end } = await startStack()
const browser = await launch()
try {
  const context = await browser.newContext({ viewport: { width: 1280, height: 640 } })
  const page = await context.newPage()
  await page.goto(`${url}#desks=nora&visitors=1`)
  await converse(page)
  const pictures = [
    { name: 'wide', width: 1280, height: 640 },
    { name: 'narrow', width: 390, height: 760 },
  ]
  for (const { name, ...size } of pictures) {
    await page.setViewportSize(size)
    for (const [colorScheme, place] of [
      ['light', 'Oslo'],
      ['dark', 'Bergen'],
    ] as const) {
      await page.emulateMedia({ colorScheme })
      const path = join(root, `docs/console-${name}-${colorScheme}.png`)
      // what is being typed is forgotten after ten seconds
      if (name === 'narrow') await press(page.locator('.switcher'), 'Visitor 1')
      await widgetOf(page).getByLabel('Your message').fill(`And when would it arrive in ${place}?`)
      if (name === 'narrow') await press(page.locator('.switcher'), 'Desk nora')
      await sees(deskOf(page, 'nora').getByRole('log'), `arrive in ${place}?`)
      await page.screenshot({ path })
      const { size: bytes } = await stat(path)
      if (bytes > mostBytes)
        throw new Error(`${path} has ${bytes} bytes: at most ${mostBytes} are kept in docs/.`)
      process.stdout.write(`${path}: ${Math.round(bytes / 1000)} kB\n`)
    }
  }
} finally {
  await browser.close()
  await end()
}
