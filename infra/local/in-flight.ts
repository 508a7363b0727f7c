/** Counts what is under way, so that a caller can wait until nothing is. */
export class InFlight {
  #count = 0
  #waiting: { isDone: () => boolean; resolve: () => void }[] = []

  /** Counts `work` until it settles; hands it back. */
  track<T>(work: Promise<T>): Promise<T> {
    this.#count += 1
    return work.finally(() => {
      this.#count -= 1
      this.changed()
    })
  }

  /** Resolves once nothing is counted and `isDone` agrees, which is asked again at each change. */
  none(isDone: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ isDone, resolve })
      this.changed()
    })
  }

  changed(): void {
    if (this.#count > 0) return
    const [done, waiting] = [this.#waiting.filter((each) => each.isDone()), this.#waiting]
    this.#waiting = waiting.filter((each) => !done.includes(each))
    for (const each of done) each.resolve()
  }
}
