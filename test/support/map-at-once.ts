import pLimit from 'p-limit'

const atOnce = 4

/**
 * Does it for each of a list, a few at once: little is idle, and on a slow machine too each is done in time.
 */
export const mapAtOnce = <One, Result>(
  list: readonly One[],
  act: (one: One) => Promise<Result>,
): Promise<Result[]> => {
  const limit = pLimit(atOnce)
  return Promise.all(list.map((one) => limit(() => act(one))))
}
