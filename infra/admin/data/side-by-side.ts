const atOnce = 8

/**
 * Does something with each, some side by side, until it is to end; resolves to whether all were begun. Where
 * one fails, nothing more is begun, and that is thrown once the others under way have come to their end.
 */
export const sideBySide = async <T>(
  all: AsyncIterable<T> | Iterable<T>,
  isToEnd: () => boolean,
  run: (one: T) => Promise<void>,
): Promise<boolean> => {
  const underWay = new Set<Promise<void>>()
  const failures: unknown[] = []
  let isCut = false
  try {
    for await (const one of all) {
      isCut = failures.length > 0 || isToEnd()
      if (isCut) break
      const running: Promise<void> = run(one)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => underWay.delete(running))
      underWay.add(running)
      if (underWay.size >= atOnce) await Promise.race(underWay)
    }
  } finally {
    await Promise.all(underWay)
  }
  if (failures.length > 0) throw failures[0]
  return !isCut
}
