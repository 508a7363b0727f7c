import { test } from 'vitest'

/**
 * A test for each row, as `test.each`: `npm test` runs that of the first row, the long part those of the
 * others.
 */
export const testFirst = <Row extends [unknown, ...unknown[]]>(
  title: string,
  rows: readonly Row[],
  body: (...row: Row) => Promise<void> | void,
): void => {
  /* oxlint-disable vitest/valid-title -- the caller has it */
  test.each(rows.slice(0, 1))(title, body)
  test.each(rows.slice(1))(title, { tags: ['full'] }, body)
}
