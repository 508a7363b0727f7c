/** Every thing of a list, read a page at a time: `read` has those after one, at most `atOnce`. */
export async function* eachOf<T>(
  atOnce: number,
  read: (after: T | undefined) => Promise<T[]>,
  first?: T,
): AsyncGenerator<T> {
  for (let after = first; ;) {
    const page = await read(after)
    yield* page
    after = page.at(-1)
    if (page.length < atOnce) return
  }
}

export const portionsOf = <T>(all: readonly T[], atOnce: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / atOnce) }, (_, i) => all.slice(i * atOnce, (i + 1) * atOnce))
