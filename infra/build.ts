import { type BuildOptions, build as esbuild, type Metafile } from 'esbuild'
import { execFileSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

const root = join(import.meta.dirname, '..')
export const dist = join(root, 'dist')
const tsc = join(root, 'node_modules/typescript/bin/tsc')

/** The handlers, as `agent/send_event`, `socket/connect`, `worker/later`: each becomes a folder of `dist`. */
export const handlers = (): string[] =>
  globSync('functions/*/*.ts', { cwd: root })
    .map((file) => relative('functions', file).replace(/\.ts$/, ''))
    .toSorted()

/** Where each handler's source is. */
const sources = (): Record<string, string> =>
  Object.fromEntries(handlers().map((name) => [name, join(root, `functions/${name}.ts`)]))

/** How handlers are bundled, whatever becomes of the bundles. */
export const bundleOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node24',
  // measured: 358 KB instead of 559 KB, and a third less time to import
  mainFields: ['module', 'main'],
  // a Lambda's credentials are in its environment: the chain that looks elsewhere is a third of the SDK
  alias: { '@aws-sdk/credential-provider-node': join(import.meta.dirname, 'lambda-credentials.ts') },
  logLevel: 'error',
} satisfies BuildOptions

/**
 * Bundles every handler into `dist/<kind>/<name>/index.mjs`: what the stack deploys and what the local
 * gateway imports; `files`, by name, in place of the handlers. Resolves to esbuild's account of what went
 * into each.
 */
export const build = async (
  outdir: string = dist,
  files: Readonly<Record<string, string>> = sources(),
): Promise<Metafile> => {
  await rm(outdir, { recursive: true, force: true })
  const { metafile } = await esbuild({
    entryPoints: Object.fromEntries(Object.entries(files).map(([name, file]) => [`${name}/index`, file])),
    ...bundleOptions,
    outdir,
    outExtension: { '.js': '.mjs' },
    minify: true,
    metafile: true,
    format: 'esm',
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
  })
  return metafile
}

/** A file that the console's server hands out. */
export interface ConsoleFile {
  type: string
  body: string
}

/** The console's page, by path: bundled anew, which takes some 50 ms, and held in memory. */
export const buildConsole = async (): Promise<Map<string, ConsoleFile>> => {
  const { outputFiles } = await esbuild({
    absWorkingDir: root,
    entryPoints: ['infra/console/page/console.tsx', 'infra/console/page/console.css'],
    bundle: true,
    outdir: 'dist/console',
    platform: 'browser',
    // light-dark() stays as it is
    target: 'esnext',
    format: 'esm',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
    charset: 'utf8',
    write: false,
    logLevel: 'error',
  })
  const textOf = (extension: string): string =>
    outputFiles.find(({ path }) => path.endsWith(extension))?.text ?? ''
  const sourceOf = (name: string) => readFile(join(root, 'infra/console/page', name), 'utf8')
  return new Map([
    ['/', { type: 'text/html', body: await sourceOf('index.html') }],
    ['/icon.svg', { type: 'image/svg+xml', body: await sourceOf('icon.svg') }],
    ['/console.js', { type: 'text/javascript', body: textOf('.js') }],
    ['/console.css', { type: 'text/css', body: textOf('.css') }],
  ])
}

/** The client as one file, for browsers and Node.js: its text, and what it imports, which is nothing. */
export const buildClient = async (): Promise<{ text: string; imports: string[] }> => {
  const { outputFiles, metafile } = await esbuild({
    absWorkingDir: root,
    entryPoints: ['shared/client/client.ts'],
    bundle: true,
    platform: 'neutral',
    target: 'es2022',
    format: 'esm',
    minify: true,
    metafile: true,
    write: false,
    logLevel: 'error',
  })
  const inputs = Object.keys(metafile.inputs)
  return {
    text: outputFiles.map(({ text }) => text).join(''),
    imports: inputs.filter((input) => !input.startsWith('shared/client/')),
  }
}

/**
 * Writes the client to `dist/client/client.js`, where `agent-chat/client` leads, and its types beside it, by
 * `tsc`: they are those of the contracts.
 */
const writeClient = async (): Promise<void> => {
  const { text } = await buildClient()
  await mkdir(join(dist, 'client'), { recursive: true })
  await writeFile(join(dist, 'client/client.js'), text)
  execFileSync(process.execPath, [tsc, '-p', 'shared/client/tsconfig.json'], { cwd: root, stdio: 'inherit' })
}

if (process.argv[1] === import.meta.filename) {
  const { outputs } = await build()
  await writeClient()
  for (const [file, { bytes }] of Object.entries(outputs))
    process.stdout.write(`${String(Math.round(bytes / 1000)).padStart(5)} kB  ${dirname(file)}\n`)
}
