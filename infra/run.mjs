// Runs a file of this project once everything that it needs is installed: `node infra/run.mjs <file>
// <arguments>`. Plain JavaScript of some years ago, since it also has to say that Node.js is too old.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
const wantedNode = 24

const fits = (allowed, own) => allowed === undefined || allowed.includes(own)
const isNeeded = ({ os, cpu, libc, optional }) =>
  fits(os, process.platform) &&
  fits(cpu, process.arch) &&
  // of the optional ones those that hold a program for this platform, unless there are several
  (optional !== true || (os !== undefined && cpu !== undefined && libc === undefined))

const missing = Object.entries(packages)
  .filter(([path, entry]) => path !== '' && isNeeded(entry) && !existsSync(join(root, path, 'package.json')))
  .map(([path]) => path.replace(/^.*node_modules\//, ''))

const fault = () => {
  if (missing.length > 0) {
    const named = missing.slice(0, 3).join(', ')
    const more = missing.length > 3 ? ` and ${missing.length - 3} more` : ''
    return `These packages are not installed: ${named}${more}. Install them with: npm ci --include=dev --include=optional`
  }
  if (Number.parseInt(process.versions.node, 10) < wantedNode)
    return (
      `This is Node.js ${process.versions.node}, and ${wantedNode} is needed: use the scripts of package.json ` +
      `(npm start, npm test, npm run admin), which run on the one that npm ci installs, or install Node.js ${wantedNode}.`
    )
  return undefined
}

const said = fault()
if (said === undefined) {
  process.argv.splice(1, 2, resolve(process.argv[2]))
  await import(pathToFileURL(process.argv[1]).href)
} else {
  process.stderr.write(`${said}\n`)
  process.exitCode = 1
}
