import { countActions, timeActions } from './actions.ts'
import { searchArchives } from './archives.ts'
import { bundleFigures } from './bundles.ts'
import { countMessages } from './message-counts.ts'
import { measureScale } from './scale.ts'
import { throughput } from './throughput.ts'
import { fanOut, fanOutInCloud } from './versus-floor.ts'

export interface PartOptions {
  /** The bundles, and the floor's. */
  dist: string
  floorDist: string
  archives: { sizes: readonly number[]; full: boolean }
}

/**
 * What can be asked for by name; each runs in a process of its own, which holds one stack after the other.
 */
export const parts = {
  bundles: ({ dist }: PartOptions) => bundleFigures(dist),
  'actions-counted': ({ dist }: PartOptions) => countActions(dist),
  'actions-timed': ({ dist }: PartOptions) => timeActions(dist),
  'fan-out': fanOut,
  'fan-out-cloud': fanOutInCloud,
  throughput: ({ dist }: PartOptions) => throughput(dist),
  archives: ({ dist, archives }: PartOptions) => searchArchives({ dist, ...archives }),
  messages: ({ dist }: PartOptions) => countMessages(dist),
  scale: ({ dist }: PartOptions) => measureScale(dist),
}
type Parts = typeof parts
export type PartName = keyof Parts
export type Figures = { [Name in PartName]: Awaited<ReturnType<Parts[Name]>> }

const isPart = (name: string): name is PartName => Object.hasOwn(parts, name)

// a process of its own: it takes a part's name and its options, and tells its parent the figures
if (process.argv[1] === import.meta.filename) {
  const [name = '', options = ''] = process.argv.slice(2)
  if (!isPart(name)) throw new Error(`There is no part ${name}`)
  const figures = await parts[name](JSON.parse(options))
  process.send?.(figures)
  process.disconnect?.()
}
