import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { handlers } from '../../infra/build.ts'
import { median } from './statistics.ts'

export interface BundleFigures {
  kB: number
  /** To import it in a process of its own. */
  importMs: number
}

const runs = 3

/** What functions find when they start; nothing of it is called. */
const env = {
  ...{ AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x', TABLE_NAME: 't' },
  ...{ AGENT_CALLBACK_URL: 'https://a.example.com/v1', CUSTOMER_CALLBACK_URL: 'https://c.example.com/v1' },
  ...{ LATER_QUEUE_URL: 'https://q.example.com/1/later', CUSTOMER_KEY_SECRET_ID: 'key' },
  ...{ TOKEN_ISSUER: 'https://i.example.com', TOKEN_AUDIENCE: 'a' },
  TOKEN_JWKS_URL: 'https://i.example.com/jwks',
}

const importing = (file: string) =>
  `const from = performance.now()
  await import(${JSON.stringify(pathToFileURL(file).href)})
  process.stdout.write(String(performance.now() - from), () => process.exit())`

/** Size and cold start of every bundle, by its name. */
export const bundleFigures = async (dist: string): Promise<Record<string, BundleFigures>> => {
  const figures: Record<string, BundleFigures> = {}
  for (const name of handlers()) {
    const file = join(dist, name, 'index.mjs')
    const times: number[] = []
    for (let run = 0; run < runs; run += 1) {
      const args = ['--input-type=module', '--eval', importing(file)]
      const { stdout } = await promisify(execFile)(process.execPath, args, { env, cwd: dist })
      times.push(Number(stdout))
    }
    figures[name] = { kB: Math.round((await stat(file)).size / 1000), importMs: Math.round(median(times)) }
  }
  return figures
}
