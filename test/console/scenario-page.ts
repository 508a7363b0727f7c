import { createServer } from 'node:http'
import { build } from 'esbuild'
import type { Page } from 'playwright-core'
import { onTestFinished } from 'vitest'
import { listenOn } from '../../infra/local/listen-on.ts'
import type { Play } from '../client/scenario-tests.ts'
import type { Stage } from '../client/scenarios.ts'
import { openBrowser } from './browser.ts'

const bundleScenarios = async (): Promise<string> => {
  const { outputFiles } = await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: ['../client/scenarios.ts'],
    bundle: true,
    platform: 'browser',
    target: 'esnext',
    format: 'iife',
    globalName: 'stages',
    write: false,
    logLevel: 'error',
  })
  return outputFiles[0]!.text
}

/**
 * A page of a browser in which scenarios are played, by the browser's own sockets and timers: what they have
 * of the server but its endpoints comes from the test.
 */
export const openScenarioPage = async (): Promise<{ page: Page; play: Play }> => {
  const { context, open } = await openBrowser()
  let stage: Stage | undefined
  await context.exposeFunction('token', (agent: string, expiresInS?: number) =>
    stage?.token(agent, expiresInS),
  )
  await context.exposeFunction('settled', () => stage?.settled())
  await context.exposeFunction('reach', (point: string) => stage?.reach(point))
  const body = `<!doctype html><meta charset="utf-8"><script>${await bundleScenarios()}</script>`
  // a page of loopback alone may connect to loopback
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(body))
  onTestFinished(() => void server.close())
  const page = await open(`http://127.0.0.1:${await listenOn(server, 0, '127.0.0.1')}/`)
  const play = async (on: Stage, name: string, ...given: unknown[]) => {
    stage = on
    const { error, facts } = await page.evaluate(
      async ([agentUrl, scenario, others]) => {
        const { stages, token, settled, reach } = globalThis as any
        try {
          return { facts: await stages.scenarios[scenario]({ agentUrl, token, settled, reach }, ...others) }
        } catch (reason) {
          return { error: String(reason) }
        }
      },
      [on.agentUrl, name, given] as const,
    )
    // an error of a page has a stack that no file has
    if (error !== undefined) throw new Error(error)
    return facts
  }
  return { page, play }
}
