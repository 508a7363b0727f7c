/** The value that so many percent of the figures do not exceed: the nearest rank. */
export const percentile = (figures: readonly number[], percent: number): number => {
  if (figures.length === 0) throw new Error('There are no figures')
  const sorted = figures.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]!
}

export const median = (figures: readonly number[]): number => percentile(figures, 50)

export const mean = (figures: readonly number[]): number =>
  figures.reduce((sum, figure) => sum + figure, 0) / figures.length

/** With so many significant digits, for people. */
export const rounded = (figure: number, digits = 3): number => Number(figure.toPrecision(digits))

export interface Times {
  p50: number
  p95: number
  p99: number
}

export const timesOf = (figures: readonly number[]): Times => ({
  p50: rounded(percentile(figures, 50)),
  p95: rounded(percentile(figures, 95)),
  p99: rounded(percentile(figures, 99)),
})
