import { createHash, randomUUID } from 'node:crypto'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { compileFunction } from 'node:vm'
import { build as esbuild, type Plugin } from 'esbuild'
import { bundleOptions, handlers } from '../../infra/build.ts'
import type { Handler, LoadHandlers } from '../../infra/local/handlers.ts'

const root = join(import.meta.dirname, '../..')
const cache = join(root, 'node_modules/.cache/agent-chat')
const keptMs = 3_600_000
const require = createRequire(import.meta.url)

/** A name that changes with anything that may change the bundle. */
const fingerprint = (): string => {
  const files = globSync(['{functions,shared}/**/*.ts', 'infra/{build,lambda-credentials}.ts'], { cwd: root })
  const hash = createHash('sha256')
  const own = globSync('direct*.ts', { cwd: import.meta.dirname }).map((file) =>
    join(import.meta.dirname, file),
  )
  for (const file of [...files.toSorted(), 'package-lock.json', import.meta.filename, ...own.toSorted()])
    hash.update(`${file}\0`).update(readFileSync(resolve(root, file)))
  return hash.digest('hex').slice(0, 16)
}

/** What `make` puts at the place it is given: kept, and made anew when a source has changed. */
const kept = async (kind: string, make: (out: string) => Promise<unknown>): Promise<string> => {
  const out = join(cache, `${kind}-${fingerprint()}`)
  if (existsSync(out)) return out
  for (const name of globSync(`${kind}-*`, { cwd: cache })) {
    const old = join(cache, name)
    // a run beside this one, of other sources, has read its own by now
    if (statSync(old).mtimeMs < Date.now() - keptMs) await rm(old, { recursive: true, force: true })
  }
  const unfinished = join(cache, `${kind}-${randomUUID()}`)
  await make(unfinished)
  await rename(unfinished, out)
  return out
}

/** Has the SDK's clients answered by servers of the same process without a socket and without signatures. */
const direct: Plugin = {
  name: 'direct',
  setup: ({ onResolve }) => {
    const handler = join(import.meta.dirname, 'direct-handler.ts')
    onResolve({ filter: /^@smithy\/node-http-handler$/ }, ({ importer }) =>
      importer === handler ? undefined : { path: handler },
    )
    onResolve({ filter: /^@smithy\/signature-v4$/ }, () => ({ path: handler }))
  },
}

/**
 * All handlers as one file of CommonJS, with what they share in it once. That each ships alone is another
 * test's to show.
 */
export const bundleTogether = (): Promise<string> => {
  const names = handlers()
  const imports = names.map((name, index) => `import { handler as h${index} } from './functions/${name}.ts'`)
  const exported = names.map((name, index) => `  '${name}': h${index},`)
  return kept('functions', (outfile) =>
    esbuild({
      ...bundleOptions,
      plugins: [direct],
      stdin: {
        contents: [...imports, 'export const handlers = {', ...exported, '}'].join('\n'),
        resolveDir: root,
        loader: 'ts',
      },
      outfile,
      format: 'cjs',
      // compiled text has no loader of its own
      supported: { 'dynamic-import': false },
      // a failure's stack names functions
      minify: false,
    }),
  )
}

type Compiled = (
  load: NodeJS.Require,
  module: { exports: { handlers: Record<string, Handler> } },
  exports: unknown,
  process: NodeJS.Process,
) => void
const compiled = new Map<string, Compiled>()
const compile = (file: string): Compiled => {
  const known = compiled.get(file)
  if (known !== undefined) return known
  const names = ['require', 'module', 'exports', 'process']
  const made = compileFunction(readFileSync(file, 'utf8'), names, { filename: file }) as Compiled
  compiled.set(file, made)
  return made
}

/**
 * The handlers of a file that `bundleTogether` made, each time with module state and a `process.env` of their
 * own: stacks with other settings stand side by side in one process. Measured: 50-90 ms of CPU, where
 * importing 47 bundles takes 1.9 s.
 */
export const functionsIn =
  (file: string): LoadHandlers =>
  (settings) => {
    const module = { exports: { handlers: {} as Record<string, Handler> } }
    // what is asked for late is found late: a test may change its settings
    const env = new Proxy(settings, { get: (own, name: string) => own[name] ?? process.env[name] })
    const own: NodeJS.Process = Object.create(process, { env: { value: env } })
    compile(file)(require, module, module.exports, own)
    const { handlers: made } = module.exports
    return async (name) => {
      const handler = made[name]
      if (handler === undefined) throw new Error(`There is no function ${name}`)
      return handler
    }
  }
