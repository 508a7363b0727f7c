import { afterAll, beforeEach, vi } from 'vitest'

/** What a request over the limit of its minute is answered, at the 13th second of that minute. */
export const tooMany = {
  type: 'too_many_requests',
  code: 429,
  message: 'Too many requests',
  details: [{ path: '', message: 'Try again in 47 s' }],
}

/**
 * A clock of the test file's own, which stands at the 13th second of a minute; each test has a minute to
 * itself.
 */
export const ownMinutes = (): { nextMinute(): void; secondsOn(s: number): void } => {
  let clock = Date.now()
  const nextMinute = () => {
    clock = (Math.floor(clock / 60_000) + 1) * 60_000 + 13_000
    vi.setSystemTime(clock)
  }
  vi.useFakeTimers({ toFake: ['Date'] })
  beforeEach(nextMinute)
  afterAll(() => {
    vi.useRealTimers()
  })
  return { nextMinute, secondsOn: (s) => vi.setSystemTime(clock + s * 1000) }
}
