import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
let packages: Record<string, { dev?: boolean; optional?: boolean; os?: string[] }>
beforeAll(async () => {
  packages = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')).packages
})

type Ended = { code: unknown; out: string; err: string }
const command = (cwd: string, file: string, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(file, args, { cwd, env: { ...process.env, ...env } }, (error, out, err) =>
      resolve({ code: error?.code ?? 0, out, err }),
    )
  })

/** The project with some of its packages, as an install leaves it that was told to leave others out. */
const checkout = async (isThere: (entry: (typeof packages)[string]) => boolean): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'checkout-'))
  onTestFinished(() => rm(dir, { recursive: true }))
  for (const name of ['package.json', 'package-lock.json', 'infra/run.mjs'])
    await cp(join(root, name), join(dir, name))
  const paths = Object.keys(packages).filter((path) => /^node_modules\/(@[^/]+\/)?[^/]+$/.test(path))
  for (const path of paths.filter((path) => isThere(packages[path] ?? {}))) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await symlink(join(root, path), join(dir, path))
  }
  return dir
}

const mend = 'Install them with: npm ci --include=dev --include=optional'

describe('a command', () => {
  const commands = [['start'], ['test'], ['run', 'admin', '--', 'token', 'nora']]
  test('says in one sentence which packages are missing', async () => {
    const production = await checkout(({ dev }) => dev !== true)
    for (const args of commands) {
      const { code, err } = await command(production, 'npm', args, { npm_config_loglevel: 'silent' })
      expect(code, args.join(' ')).toBe(1)
      expect(err, args.join(' ')).toMatch(
        /^These packages are not installed: .+, .+, .+ and \d+ more\. Install them with: npm ci .+\n$/,
      )
    }
  })

  test.each([
    ['nothing', () => false, / and \d{3} more/],
    ['no program of this platform', ({ os }: { os?: string[] }) => os === undefined, /esbuild|node-/],
  ])('says so where %s is installed', async (_, isThere, names) => {
    const { code, err } = await command(await checkout(isThere), process.execPath, [
      'infra/run.mjs',
      'infra/local/main.ts',
    ])
    expect(code).toBe(1)
    expect(err).toMatch(names)
    expect(err.endsWith(`${mend}\n`)).toBe(true)
    expect(err.trim().split('\n')).toHaveLength(1)
  })

  test('runs where all is there, with its arguments', async () => {
    const { code, out, err } = await command(root, process.execPath, [
      'infra/run.mjs',
      'infra/local/main.ts',
      '--help',
    ])
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain('Usage: npm start -- [options]')
  })

  test('says that Node.js is too old', async () => {
    const old = `data:text/javascript,Object.defineProperty(process.versions, 'node', { value: '20.11.1' })`
    const args = ['--import', old, 'infra/run.mjs', 'infra/local/main.ts']
    const { code, out, err } = await command(root, process.execPath, args)
    expect([code, out]).toEqual([1, ''])
    expect(err).toMatch(
      /^This is Node\.js 20\.11\.1, and 24 is needed: use the scripts of package\.json .+\n$/,
    )
  })

  test('is checked, whichever script it is and for cdk', async () => {
    const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
    const { app } = JSON.parse(await readFile(join(root, 'cdk.json'), 'utf8'))
    const texts: string[] = [...Object.values<string>(scripts), ...app.split('&& ')]
    for (const text of texts.filter((text) => /\bnode\b|vitest/.test(text)))
      expect(text).toMatch(/^node infra\/run\.mjs /)
  })
})
