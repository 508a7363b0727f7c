import { relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * The files that take longest, the longest first: one that began last would run on while the other core has
 * nothing left to do.
 */
const longest = [
  'test/faults/faults.test.ts',
  'test/archives/kept-counts.test.ts',
  'test/agent/permissions.test.ts',
  'test/archives/replay.test.ts',
  'test/customer/desks.test.ts',
  'test/customer/routing.test.ts',
  'test/races/told.test.ts',
  'test/push/mobile.test.ts',
  'test/archives/many-threads.test.ts',
]

/** Begins with the longest files; the others come as Vitest sorts them. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification) => {
      const place = longest.indexOf(relative(this.ctx.config.root, moduleId))
      return place < 0 ? longest.length : place
    }
    const sorted = await super.sort(files)
    return sorted.toSorted((one, other) => placeOf(one) - placeOf(other))
  }
}
