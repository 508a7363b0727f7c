/** A paced function passes on the last of many values, at most one in so many milliseconds. */
export const paced = <T>(pass: (value: T) => void, everyMs: number): ((value: T) => void) => {
  let waiting: { value: T } | undefined
  let isQuiet = true
  const next = (): void => {
    if (waiting === undefined) {
      isQuiet = true
      return
    }
    pass(waiting.value)
    waiting = undefined
    setTimeout(next, everyMs)
  }
  return (value) => {
    waiting = { value }
    if (!isQuiet) return
    isQuiet = false
    next()
  }
}
