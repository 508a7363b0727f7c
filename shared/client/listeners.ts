// what a slow reader has not taken yet; older ones are dropped
const mostWaiting = 1000

/** Who listens to what, by name. */
export class Listeners<Payloads> {
  readonly #byName = new Map<keyof Payloads, Set<(payload: never) => void>>()

  /** Calls `listener` with each payload, until what it returns is called. */
  on<Name extends keyof Payloads>(name: Name, listener: (payload: Payloads[Name]) => void): () => void {
    const own = this.#byName.get(name) ?? new Set()
    this.#byName.set(name, own)
    own.add(listener)
    return () => void own.delete(listener)
  }

  /** The payloads from now on, for `for await`; leaving the loop ends it. */
  async *each<Name extends keyof Payloads>(
    name: Name,
    ended: AbortSignal,
  ): AsyncGenerator<Payloads[Name], void, void> {
    const waiting: Payloads[Name][] = []
    let wake = () => {}
    const stop = this.on(name, (payload) => {
      if (waiting.push(payload) > mostWaiting) waiting.shift()
      wake()
    })
    const end = () => wake()
    ended.addEventListener('abort', end)
    try {
      for (;;) {
        const [next] = waiting.splice(0, 1)
        if (next !== undefined) yield next
        else if (ended.aborted) return
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      stop()
      ended.removeEventListener('abort', end)
    }
  }

  /** A listener that throws stops no other: its error is the page's. */
  emit<Name extends keyof Payloads>(name: Name, payload: Payloads[Name]): void {
    for (const listener of this.#byName.get(name) ?? []) {
      try {
        // every listener of a name was added for its payload
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
        listener(payload as never)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
